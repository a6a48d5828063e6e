"""Installations that are killed at a counted system call, or run out of disk: the old bundle runs or the new one does.

The device is this machine's own Debian under a layer, so that dpkg, its scripts and the launchers are the real ones.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from layered import Layered, missing
from light_package import light_package

from rnnedge_device.bundle import write_bundle
from rnnedge_device.files import sha256
from rnnedge_device.golden import Golden

CURRENT = "/var/lib/rnnedge-bundles/current.rnnedge"
SEED = int(os.environ.get("RNNEDGE_CUTS_SEED", "1"))
# What changes files: everything else can be cut without a trace.
CALLS = ("rename", "unlink", "fsync", "openat", "symlink", "write", "mkdir")
DPKG_CUTS, INSTALL_CUTS, FIRST_CUTS = 30, 24, 6


@pytest.fixture(scope="module")
def pair(tiny: object, golden: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two bundles, `old` and `new`."""
    folder = tmp_path_factory.mktemp("pair")
    right = Golden.from_bytes(golden)
    members = {
        **tiny.members("loop"),  # type: ignore[attr-defined]
        "golden.npz": Golden(right.images, {"loop": np.asarray(right.outputs["loop"])}).to_bytes(),
    }
    for name in ("old", "new"):
        write_bundle(folder / f"{name}.rnnedge", tiny.manifest("loop", name=name), members)  # type: ignore[attr-defined]
    return {name: folder / f"{name}.rnnedge" for name in ("old", "new")}


@pytest.fixture(scope="module")
def device(pair: dict[str, Path], layers: Path, tmp_path_factory: pytest.TempPathFactory) -> Layered:
    """With the old package installed, and in /srv the new package and the new bundle."""
    why = missing()
    if why is None and sys.version_info[:2] != (3, 11):
        why = f"this Python is {sys.version.split()[0]}, the device's is 3.11"
    if why is not None:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("packages")
    found = Layered(layers / "old")
    found.put(light_package(pair["old"], folder / "old.deb", mark=1))
    found.put(light_package(pair["new"], folder / "new.deb", mark=2))
    found.put(pair["new"])
    found.run("dpkg", "-i", "/srv/old.deb")
    return found


@pytest.fixture(scope="module")
def known(pair: dict[str, Path]) -> dict[str, str]:
    """Names by digest."""
    return {sha256(path.read_bytes()): name for name, path in pair.items()}


def counts(device: Layered, command: list[str]) -> dict[str, int]:
    """How many calls of each kind the command's first process makes."""
    kinds = ",".join(f"/^{name}" for name in CALLS)
    device.run("strace", "-qq", "-o", "/srv/trace", "-e", f"trace={kinds}", "-e", "signal=none", *command)
    text = (device.folder / "upper/srv/trace").read_text()
    found = re.findall(r"^([a-z0-9]+)\(", text, re.MULTILINE)
    return {name: found.count(name) for name in sorted(set(found))}


def cut(device: Layered, command: list[str], call: str, number: int) -> int:
    """Run a command whose first process is killed at its Nth call of a kind; its exit code."""
    inject = f"inject={call}:signal=SIGKILL:when={number}"
    words = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    return device.run(*words, *command, check=False).returncode


def points(found: dict[str, int], how_many: int, seed: int) -> list[tuple[str, int]]:
    """Cuts at random, each kind of call as often as any other: most of a process's writes are alike."""
    chance = random.Random(seed)
    kinds = list(found)
    return [
        (kind, chance.randint(1, found[kind]))
        for kind in (kinds[number % len(kinds)] for number in range(how_many))
    ]


def runs(device: Layered, known: dict[str, str]) -> str:
    """The bundle that the device runs, by the launcher that a user and the service start."""
    done = device.run("rnnedge-run", CURRENT, "--selftest", "--json", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["selftest"]["ok"]
    status = json.loads(device.run("rnnedge-device", "status").stdout)
    return known[status["current"]["sha256"]]


def test_an_upgrade_that_is_cut(
    device: Layered, known: dict[str, str], layers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["dpkg", "-i", "/srv/new.deb"]
    found = counts(device.child(layers / "count"), command)
    assert found["rename"] > 100
    seen: list[str] = []
    for number, (call, when) in enumerate(points(found, DPKG_CUTS, SEED)):
        one = device.child(layers / f"upgrade-{number}")
        code = cut(one, command, call, when)
        assert code != 0, f"{call} {when}: was not cut"
        seen.append(runs(one, known))
        if number % 5 == 0:
            # What a user does next, and what dpkg asks for, brings the new one.
            one.run("sh", "-c", "dpkg --configure -a; dpkg -i /srv/new.deb")
            assert runs(one, known) == "new"
    with capsys.disabled():
        print(
            f"\nupgrade cut at {len(seen)} of {sum(found.values())} calls: {seen.count('old')} run the old bundle"
        )


def test_an_installation_of_a_bundle_that_is_cut(
    device: Layered, known: dict[str, str], layers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rnnedge-device", "install", "/srv/new.rnnedge"]
    found = counts(device.child(layers / "count-bundle"), command)
    assert found["rename"] >= 4
    # Python reads much before it writes: the calls that count are few, and among the last.
    kept = {call: found[call] for call in ("rename", "fsync", "symlink", "unlink") if call in found}
    seen: list[str] = []
    cuts = [(call, number + 1) for call in kept for number in range(kept[call])]
    cuts += points(found, max(0, INSTALL_CUTS - len(cuts)), SEED)
    for number, (call, when) in enumerate(cuts):
        one = device.child(layers / f"bundle-{number}")
        cut(one, command, call, when)
        seen.append(runs(one, known))
        if number % 5 == 0:
            one.run(*command)
            assert runs(one, known) == "new"
            left = one.run("ls", "-A", "/var/lib/rnnedge-bundles").stdout.split()
            assert not [name for name in left if name.startswith(".")], left
    assert {"old", "new"} == set(seen)
    with capsys.disabled():
        print(f"\nbundle cut at {len(seen)} calls: {seen.count('old')} run the old one")


def test_a_rollback_that_is_cut(device: Layered, known: dict[str, str], layers: Path) -> None:
    both = device.child(layers / "both")
    both.run("rnnedge-device", "install", "/srv/new.rnnedge")
    command = ["rnnedge-device", "rollback"]
    found = counts(both.child(layers / "count-back"), command)
    for call in ("rename", "symlink", "fsync"):
        for when in range(1, found.get(call, 0) + 1):
            one = both.child(layers / f"back-{call}-{when}")
            cut(one, command, call, when)
            assert runs(one, known) in ("old", "new")


@pytest.mark.parametrize("room", ["200k", "600k", "1200k", "1600k", "2000k"])
def test_a_disk_that_is_full(device: Layered, known: dict[str, str], layers: Path, room: str) -> None:
    """In one command, since the layer in memory is gone with it: upgrade, then what is current and whether it runs."""
    one = device.child(layers / f"full-{room}")
    script = (
        "dpkg -i /srv/new.deb > /dev/null 2>&1; echo $?; rnnedge-device install /srv/new.rnnedge 2> /dev/null;"
        f"rnnedge-run {CURRENT} --selftest --json && sha256sum < {CURRENT}"
    )
    code, installed, tested, digest = one.run("sh", "-c", script, size=room).stdout.splitlines()
    assert json.loads(tested)["selftest"]["ok"]
    assert known[digest.split()[0]] in ("old", "new")
    assert json.loads(installed)["ok"] or "No space left" in installed
    assert code.isdecimal()


def test_remove_and_purge_leave_nothing(device: Layered, layers: Path) -> None:
    one = device.child(layers / "purged")
    one.run("dpkg", "--remove", "rnnedge")
    assert one.run("test", "-e", "/etc/rnnedge/rnnedge.toml").returncode == 0
    assert one.run("test", "-e", CURRENT).returncode == 0
    assert one.run("test", "-e", "/usr/lib/rnnedge", check=False).returncode == 1
    one.run("dpkg", "--purge", "rnnedge")
    for path in ("/etc/rnnedge", "/var/lib/rnnedge-bundles", "/lib/systemd/system/rnnedge.service"):
        assert one.run("test", "-e", path, check=False).returncode == 1, path


def test_an_upgrade_keeps_the_config_and_a_bundle_that_came_later(
    device: Layered, known: dict[str, str], layers: Path
) -> None:
    one = device.child(layers / "kept")
    one.run("sh", "-c", "echo '# mine' >> /etc/rnnedge/rnnedge.toml")
    one.run("dpkg", "-i", "/srv/new.deb")
    assert runs(one, known) == "new"
    assert one.run("tail", "-n", "1", "/etc/rnnedge/rnnedge.toml").stdout == "# mine\n"
    one.run("rnnedge-device", "rollback")
    assert runs(one, known) == "old"
    # The same package once more brings no new bundle: what was chosen since stays.
    one.run("dpkg", "-i", "/srv/new.deb")
    assert runs(one, known) == "old"
    assert len(one.run("sh", "-c", "ls /usr/lib/rnnedge/runtimes").stdout.split()) == 1
