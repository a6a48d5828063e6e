"""A deployment over real ssh to a real machine: systemd, sshd, sudo and dpkg of its own, under this one's kernel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from cutting_proxy import CuttingProxy
from deploying import deploy, deploy_to, free_port
from machine import Machine

from rnnedge.deploy.ssh.connection import Connection
from rnnedge.deploy.ssh.device import Device
from rnnedge.deploy.ssh.host import Host
from rnnedge_device.bundle import sign_bundle
from rnnedge_device.files import sha256
from rnnedge_device.signature import PrivateKey

LONG = pytest.mark.skipif(not os.environ.get("RNNEDGE_CUTS"), reason="takes a minute: make test-deploy")
CURRENT = "readlink -f /var/lib/rnnedge-bundles/current.rnnedge"


@pytest.fixture(scope="module")
def machine(new_machine: Callable[..., Machine]) -> Machine:
    made = new_machine()
    made.boot()
    return made


def digest(path: Path) -> str:
    return sha256(path.read_bytes())


def runs(machine: Machine) -> str:
    """SHA-256 of the bundle that the running service has."""
    machine.wait_for_service()
    return machine.run(f"sha256sum $({CURRENT})").split()[0]


def test_what_cannot_be_reached_says_why(machine: Machine, packages: dict[str, Path], tmp_path: Path) -> None:
    code, report = deploy_to(machine, packages["old"], "--retries", 0, port=free_port())
    assert code == 1
    assert "cannot be reached" in report["error"]
    assert "Connection refused" in report["error"]
    code, report = deploy_to(machine, packages["old"], user="nobody-here")
    assert (code, report["failed"]) == (1, "check")
    assert "does not let nobody-here in" in report["error"]
    code, report = deploy_to(machine, packages["old"], user="plain")
    assert code == 1
    assert "may not become root without a password" in report["error"]
    assert machine.run("ls -A /var/cache/rnnedge 2>/dev/null || true") == ""


def test_a_host_key_that_is_not_the_known_one_is_refused(
    machine: Machine, packages: dict[str, Path], tmp_path: Path
) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    other = (tmp_path / "other.pub").read_text().split()
    known = tmp_path / "known_hosts"
    config = tmp_path / "config"
    # Somebody's config that would trust anybody does not count.
    config.write_text(
        f"UserKnownHostsFile {known}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking no\n"
        f"IdentityFile {machine.folder / 'client_key'}\n"
    )
    where = ("--to", f"pi@127.0.0.1:{machine.port}", "--ssh-config", config)
    wrong = f"[127.0.0.1]:{machine.port} {other[0]} {other[1]}\n"
    for text, says in (("", "is not known"), (wrong, "another host key")):
        known.write_text(text)
        code, answer, _ = deploy(packages["old"], *where)
        assert code == 1
        assert says in answer["hosts"][0]["error"]
        assert known.read_text() == text


def test_a_device_that_does_not_fit_is_told_before_anything_is_copied(
    machine: Machine, packages: dict[str, Path]
) -> None:
    code, report = deploy_to(machine, packages["old"], "--arch", "arm64")
    assert (code, report["failed"]) == (1, "check")
    assert report["error"] == "architecture is amd64 (x86_64), not arm64 as given"
    machine.run("mv /usr/bin/python3 /usr/bin/python3.away")
    try:
        code, report = deploy_to(machine, packages["old"])
    finally:
        machine.run("mv /usr/bin/python3.away /usr/bin/python3")
    assert "python3 is not installed" in report["error"]
    machine.run("mount -t tmpfs -o size=20m full /var/cache")
    try:
        code, report = deploy_to(machine, packages["old"])
        assert machine.run("ls -A /var/cache/rnnedge") == ""
    finally:
        machine.run("umount /var/cache")
    assert "/var/cache has 20 MiB free: must be" in report["error"]


def test_a_deployment_tries_starts_and_reads_events_back(
    machine: Machine, packages: dict[str, Path], bundles: dict[str, Path]
) -> None:
    code, report = deploy_to(machine, packages["old"])
    assert code == 0, report
    assert (report["service"], report["bundle"]) == ("active", digest(bundles["old"]))
    assert report["selftest"]["ok"]
    assert report["events"][0]["task"] == "classify"
    assert report["warnings"] == []


@LONG
def test_updates_refusals_and_the_way_back(
    machine: Machine, packages: dict[str, Path], bundles: dict[str, Path], tmp_path: Path
) -> None:
    assert deploy_to(machine, packages["old"])[0] == 0
    # A self-test that fails here: nothing is installed, what ran runs on.
    code, report = deploy_to(machine, packages["wrong"])
    assert (code, report["failed"]) == (1, "try")
    assert report["error"].startswith("self-test failed, nothing was changed: form loop is 64 LSB from")
    assert runs(machine) == digest(bundles["old"])

    # Another bundle into the running service, which goes over to it without a start.
    process = machine.run("systemctl show --property=MainPID --value rnnedge")
    code, report = deploy_to(machine, bundles["new"], "--bundle-only")
    assert code == 0, report
    assert runs(machine) == report["bundle"] == digest(bundles["new"])
    assert machine.run("systemctl show --property=MainPID --value rnnedge") == process
    assert '"health": "swapped"' in machine.run("journalctl -u rnnedge -o cat")
    code, report = deploy_to(machine, bundles["wrong"], "--bundle-only")
    assert code == 1
    assert "refused, what ran before goes on" in report["error"]
    assert runs(machine) == digest(bundles["new"])

    code, report = deploy_to(machine, "--rollback")
    assert code == 0, report
    assert runs(machine) == report["bundle"] == digest(bundles["old"])

    # Where the config asks for signed bundles, others stay out.
    key = PrivateKey.new(tmp_path / "factory.key")
    machine.run("cat >/etc/rnnedge/factory.key.pub", stdin=(tmp_path / "factory.key.pub").read_text())
    machine.run("sed -i 's|^# require_signature|require_signature|' /etc/rnnedge/rnnedge.toml")
    code, report = deploy_to(machine, bundles["new"], "--bundle-only")
    assert code == 1
    assert "sign" in report["error"]
    signed = shutil.copy(bundles["new"], tmp_path / "signed.rnnedge")
    sign_bundle(signed, key)
    code, report = deploy_to(machine, signed, "--bundle-only")
    assert code == 0, report
    machine.run("sed -i 's|^require_signature|# require_signature|' /etc/rnnedge/rnnedge.toml")


@LONG
def test_a_package_goes_back_with_its_bundle(
    machine: Machine, packages: dict[str, Path], bundles: dict[str, Path]
) -> None:
    assert deploy_to(machine, packages["old"])[0] == 0
    code, report = deploy_to(machine, packages["new"])
    assert code == 0, report
    assert machine.run("dpkg-query -W -f '${Version}' rnnedge") == "0.1.0+1"
    code, again = deploy_to(machine, packages["new"])  # changes nothing
    assert code == 0, again
    code, report = deploy_to(machine, "--rollback")
    assert code == 0, report
    assert machine.run("dpkg-query -W -f '${Version}' rnnedge") == "0.1.0+0"
    assert runs(machine) == digest(bundles["old"])
    code, report = deploy_to(machine, "--rollback")
    assert code == 0, report
    assert machine.run("dpkg-query -W -f '${Version}' rnnedge") == "0.1.0+1"
    assert runs(machine) == digest(bundles["new"])


def forms_of(port: int, wanted: dict[str, str]) -> dict[str, str]:
    """The form of each camera, as the running service tells: what is wanted, or what it still says after a minute."""
    found: dict[str, str] = {}
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=10) as answer:
                cameras = json.loads(answer.read())["cameras"]
                found = {name: camera["form"] for name, camera in cameras.items()}
        except OSError:
            pass  # it is being started
        if found == wanted:
            break
        time.sleep(0.1)
    return found


@LONG
def test_a_config_and_a_form_of_ones_own(
    machine: Machine, packages: dict[str, Path], bundles: dict[str, Path], tmp_path: Path
) -> None:
    assert deploy_to(machine, packages["old"])[0] == 0
    port, text = free_port(), machine.run("cat /etc/rnnedge/rnnedge.toml")
    door, yard = tmp_path / "door.toml", tmp_path / "yard.toml"
    for config in (door, yard):
        named = text.replace('"camera"', f'"{config.stem}"')
        config.write_text(f"{named}\n[web]\nport = {port}\n")
    code, report = deploy_to(machine, packages["forms"], "--config", door, "--form", "step")
    assert code == 0, report
    assert report["service"] == "active"
    assert machine.run("cat /etc/rnnedge/rnnedge.toml") == door.read_text()
    assert forms_of(port, {"door": "step"}) == {"door": "step"}

    # The same package in another form, then the same bundle: what runs takes it, and the config stays.
    code, report = deploy_to(machine, packages["forms"], "--form", "loop")
    assert code == 0, report
    assert forms_of(port, {"door": "loop"}) == {"door": "loop"}
    code, report = deploy_to(machine, bundles["forms"], "--bundle-only", "--form", "step")
    assert code == 0, report
    assert forms_of(port, {"door": "step"}) == {"door": "step"}

    # What does not fit is told before anything changes.
    code, report = deploy_to(machine, packages["new"], "--form", "step")
    assert (code, report["failed"]) == (1, "try"), report
    assert "step" in report["error"]
    where = ("--to", f"pi@127.0.0.1:{machine.port}", "--ssh-config", machine.folder / "ssh_config")
    for given, says in (
        ((bundles["forms"], "--form", "unrolled"), "the bundle has loop, step"),
        ((bundles["forms"], "--bundle-only", "--config", door), "--config goes with a package"),
    ):
        code, _, err = deploy(*given, *where)
        assert code == 2
        assert says in err
    assert runs(machine) == digest(bundles["forms"])
    assert forms_of(port, {"door": "step"}) == {"door": "step"}

    # A config alone, and the way back from it.
    code, report = deploy_to(machine, packages["forms"], "--config", yard, "--form", "step")
    assert code == 0, report
    assert forms_of(port, {"yard": "step"}) == {"yard": "step"}
    code, report = deploy_to(machine, "--rollback")
    assert code == 0, report
    assert forms_of(port, {"door": "step"}) == {"door": "step"}


@pytest.mark.parametrize("after", [90_000, 200_000])
def test_a_copy_that_was_cut_goes_on_where_it_was(machine: Machine, tmp_path: Path, after: int) -> None:
    data = bytes(range(256)) * 1200  # 300 KB
    (tmp_path / "file").write_bytes(data)
    machine.run(f"rm -rf /var/cache/rnnedge/copied{after}*")
    with CuttingProxy(machine.port, after) as proxy:
        machine.known(machine.folder / "known_hosts", "127.0.0.1", proxy.port)
        host = Host("127.0.0.1", "pi", proxy.port, ssh_config=machine.ssh_config())
        with Connection(host) as connection:
            Device(connection, retries=2).upload(tmp_path / "file", f"copied{after}")
        assert proxy.connections == 2
        # Less than the file once more: it went on where it was cut.
        assert proxy.bytes < after + len(data)
    assert machine.run(f"sha256sum /var/cache/rnnedge/copied{after}").split()[0] == sha256(data)
