"""Whatever cuts a deployment, and wherever: the device runs the old bundle or the new one. `make test-deploy` runs it.

Three things cut, each at a counted place that a seed draws: the link after so many bytes, the power before so many
calls that change files or start programs, and a disk that is full from so many bytes on.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cutting_proxy import CuttingProxy
from deploying import deploy_to
from machine import Machine

from rnnedge_device.files import sha256

CUTS = int(os.environ.get("RNNEDGE_CUTS", "0"))
DISK_MIB = 400
pytestmark = pytest.mark.skipif(not CUTS, reason="cuts of deployments take minutes: make test-deploy")


@dataclass
class Deployed:
    """A device with the old package, as it can be put back to; how many bytes and calls a whole deployment takes."""

    machine: Machine
    bytes: int = 0
    calls: int = 0

    def put_back(self) -> None:
        """As it was with the old package, switched on."""
        self.machine.power_off()
        upper = self.machine.folder / "layer" / "upper"
        shutil.rmtree(upper)
        subprocess.run(["cp", "-a", self.machine.folder / "saved", upper], check=True)
        self.machine.boot()

    def arm(self, calls: int) -> None:
        """Pull the plug before so many calls from now on."""
        self.machine.run(f"mkdir /cut; echo {calls} >/cut/at; touch /cut/count; chmod 666 /cut/count")
        shutil.copy(self.machine.folder / "power_cut.so", self.machine.root / "cut" / "power_cut.so")
        self.machine.run("echo /cut/power_cut.so >/etc/ld.so.preload")

    def disarm(self) -> None:
        """While it is off."""
        upper = self.machine.folder / "layer" / "upper"
        (upper / "etc" / "ld.so.preload").unlink()
        shutil.rmtree(upper / "cut")

    def leave(self, kib: int) -> None:
        """Let its disk have so much room from now on."""
        layer = self.machine.folder / "layer"
        found = os.statvfs(layer)
        self._resize(f"{(found.f_blocks - found.f_bfree) * found.f_frsize // 1024 + kib}k")

    def free(self) -> None:
        self._resize(f"{DISK_MIB}m")

    def _resize(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.machine.folder / "layer"], check=True)

    def running(self) -> str:
        """SHA-256 of the bundle that its service runs, once what was under way there has ended."""
        self.machine.run("flock /var/cache/rnnedge/lock true")
        self.machine.wait_for_service()
        return self.machine.run("sha256sum /var/lib/rnnedge-bundles/current.rnnedge").split()[0]


@pytest.fixture(scope="module")
def deployed(new_machine: Callable[..., Machine], packages: dict[str, Path]) -> Deployed:
    machine = new_machine(disk_mib=DISK_MIB)
    source = Path(__file__).with_name("power_cut.c")
    built = subprocess.run(
        ["gcc", "-O1", "-shared", "-fPIC", "-o", machine.folder / "power_cut.so", source, "-ldl"],
        capture_output=True,
    )
    if built.returncode:
        pytest.skip("gcc and libc's headers are not installed")
    machine.boot()
    code, report = deploy_to(machine, packages["old"])
    assert code == 0, report
    machine.run("sync")
    machine.power_off()
    subprocess.run(["cp", "-a", machine.folder / "layer" / "upper", machine.folder / "saved"], check=True)
    made = Deployed(machine)
    # A whole deployment, to know how long it is.
    made.put_back()
    made.arm(10**9)
    with CuttingProxy(machine.port) as proxy:
        machine.known(machine.folder / "known_hosts", "127.0.0.1", proxy.port)
        code, report = deploy_to(machine, packages["new"], port=proxy.port)
        assert code == 0, report
        made.bytes = proxy.bytes
    made.calls = int(machine.run("stat -c %s /cut/count"))
    return made


def _cut(deployed: Deployed, package: Path, kind: str, draw: random.Random) -> str:
    """One deployment that is cut; where."""
    machine = deployed.machine
    if kind == "power":
        at = draw.randint(1, deployed.calls)
        deployed.arm(at)
        deploy_to(machine, package, "--retries", 0)
        machine.power_off()
        deployed.disarm()
        machine.boot()
        return f"power at call {at} of {deployed.calls}"
    at = draw.randint(0, deployed.bytes)
    room = draw.choice((0, 4, 64, 200, 600, 1200, 2400))
    then = (lambda: deployed.leave(room)) if kind == "disk" else None
    with CuttingProxy(machine.port, at, then) as proxy:
        machine.known(machine.folder / "known_hosts", "127.0.0.1", proxy.port)
        deploy_to(machine, package, "--retries", 0, port=proxy.port)
    if kind == "link":
        return f"link at byte {at} of {deployed.bytes}"
    deployed.free()
    if draw.random() < 0.5:
        machine.power_off()
        machine.boot()
    return f"disk with {room} KiB from byte {at} of {deployed.bytes}"


@pytest.mark.parametrize("seed", range(CUTS))
def test_a_cut_leaves_the_old_bundle_or_the_new_one(
    deployed: Deployed, packages: dict[str, Path], bundles: dict[str, Path], seed: int
) -> None:
    old, new = (sha256(bundles[name].read_bytes()) for name in ("old", "new"))
    deployed.put_back()
    assert deployed.running() == old
    where = _cut(deployed, packages["new"], ("power", "link", "disk")[seed % 3], random.Random(seed))
    runs = deployed.running()
    assert runs in (old, new), where
    print(f"{where}: {'old' if runs == old else 'new'}")
    if seed % 5 == 0:  # and the same command once more finishes it
        code, report = deploy_to(deployed.machine, packages["new"])
        assert code == 0, (where, report)
        assert deployed.running() == new
