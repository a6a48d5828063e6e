"""A fleet: devices with addresses of their own in a network of namespaces. `make test-deploy` runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deploying import deploy
from machine import Machine

from rnnedge_device.files import sha256

pytestmark = pytest.mark.skipif(not os.environ.get("RNNEDGE_CUTS"), reason="takes a minute: make test-deploy")
ADDRESSES = ("10.77.0.11", "10.77.0.12")
GONE = "10.77.0.13"  # in the network, and nobody there


@pytest.fixture(scope="module")
def network() -> Iterator[Callable[[str], str]]:
    """A network of its own: called with an address it gives the namespace that has it. `network("")`: ours."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("no network namespaces: not root, or no iproute2")
    ours, made = f"rnnedge-{os.getpid()}", []

    def ip(words: str) -> None:
        subprocess.run(["ip", *words.split()], check=True)

    def member(address: str) -> str:
        if not address:
            return ours
        name = f"{ours}-{len(made)}"
        ip(f"netns add {name}")
        made.append(name)
        ip(f"-n {ours} link add port{len(made)} type veth peer name eth0 netns {name}")
        ip(f"-n {ours} link set port{len(made)} master bridge up")
        ip(f"-n {name} addr add {address}/24 dev eth0")
        ip(f"-n {name} link set eth0 up")
        ip(f"-n {name} link set lo up")
        return name

    ip(f"netns add {ours}")
    made.append(ours)
    ip(f"-n {ours} link add bridge type bridge")
    ip(f"-n {ours} addr add 10.77.0.1/24 dev bridge")
    ip(f"-n {ours} link set bridge up")
    yield member
    for name in reversed(made):
        subprocess.run(["ip", "netns", "del", name], check=False)


def test_one_that_is_gone_does_not_stop_the_others(
    network: Callable[[str], str],
    new_machine: Callable[..., Machine],
    packages: dict[str, Path],
    bundles: dict[str, Path],
    tmp_path: Path,
) -> None:
    machines = [
        new_machine(address=address, port=2222, netns=network(address), console_netns=network(""))
        for address in ADDRESSES
    ]
    lines = ["parallel = 3", "retries = 0", "[defaults]", 'user = "pi"', "port = 2222"]
    for number, machine in enumerate(machines):
        machine.boot()
        lines += ["[[host]]", f'name = "camera-{number}"', f'address = "{machine.address}"']
        lines += [f'ssh_config = "{machine.ssh_config()}"']
    lines += ["[[host]]", 'name = "gone"', f'address = "{GONE}"', "[[host]]", 'name = "wrong"']
    lines += [f'address = "{ADDRESSES[0]}"', 'arch = "armhf"', f'ssh_config = "{machines[0].ssh_config()}"']
    (tmp_path / "fleet.toml").write_text("\n".join(lines))

    code, answer, err = deploy(packages["old"], "--fleet", tmp_path / "fleet.toml", netns=network(""))
    reports = {report["host"]: report for report in answer["hosts"]}
    assert (code, answer["done"], answer["failed"]) == (1, 2, 2), err
    assert [reports[name]["ok"] for name in ("camera-0", "camera-1", "gone", "wrong")] == [
        True,
        True,
        False,
        False,
    ]
    assert "cannot be reached" in reports["gone"]["error"]
    assert reports["wrong"]["error"] == "architecture is amd64 (x86_64), not armhf as given"
    assert "gone: failed: " in err
    assert "camera-1: done" in err

    some = "\n".join(lines[: lines.index('name = "gone"') - 1])
    (tmp_path / "some.toml").write_text(some)
    code, answer, _ = deploy(
        bundles["new"], "--bundle-only", "--fleet", tmp_path / "some.toml", netns=network("")
    )
    assert code == 0, answer
    assert {report["bundle"] for report in answer["hosts"]} == {sha256(bundles["new"].read_bytes())}
    code, answer, _ = deploy("--rollback", "--fleet", tmp_path / "some.toml", netns=network(""))
    assert code == 0, answer
    assert {report["bundle"] for report in answer["hosts"]} == {sha256(bundles["old"].read_bytes())}
