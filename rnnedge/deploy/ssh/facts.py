"""``DeviceFacts``: what a device says of itself, and whether a package can go there; asked before copying."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rnnedge.deploy.ssh.connection import DeployError

ARCHITECTURES = ("arm64", "armhf", "amd64")
# Debian 12 and Raspberry Pi OS 12: the runtimes in the package are built for its Python.
SYSTEM, PYTHON = "bookworm", "3.11"
SKEW_S = 120
_SPARE = 50 * 2**20


@dataclass(frozen=True)
class DeviceFacts:
    """What the step ``facts`` tells.

    Args:
        architecture: dpkg's word for it.
        system, system_name: such as ``raspbian bookworm``, and the same for people.
        python: ``3.11``, or empty where there is none.
        package: state and version of the installed package, as dpkg writes them, or empty.
        held: who holds dpkg's lock, or empty.
        systemd: does it run?
        time: its clock, seconds since 1970.
        skew_s: how much that is ahead of ours.
        space: folder to file system and free bytes.
    """

    architecture: str
    machine: str
    system: str
    system_name: str
    python: str
    package: str
    held: str
    systemd: bool
    time: int
    skew_s: float
    space: dict[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> DeviceFacts:
        """From the lines ``name=value`` of the step."""
        values = dict(line.partition("=")[::2] for line in text.splitlines())
        space = {}
        for name in [name for name in values if name.startswith("space ")]:
            mount, _, free = values[name].rpartition(" ")
            if free.isdigit():
                space[name.removeprefix("space ")] = (mount, int(free))
        time_there = int(values.get("time") or 0)
        return cls(
            architecture=values.get("architecture", ""),
            machine=values.get("machine", ""),
            system=values.get("system", ""),
            system_name=values.get("system_name", ""),
            python=values.get("python", ""),
            package=values.get("package", "").strip(),
            held=values.get("held", ""),
            systemd=values.get("systemd") == "yes",
            time=time_there,
            skew_s=time_there - time.time(),
            space=space,
        )

    def check(self, architecture: str | None = None) -> list[str]:
        """Can it run the package at all?

        Args:
            architecture: what it was said to be; None for whatever it is.

        Returns:
            Warnings.

        Raises:
            DeployError: what is not as it must be.
        """
        if not self.architecture:
            raise DeployError(
                f"{self.system_name or 'this system'} has no dpkg: must be Debian or Raspberry Pi OS"
            )
        if architecture not in (None, self.architecture):
            raise DeployError(
                f"architecture is {self.architecture} ({self.machine}), not {architecture} as given"
            )
        if self.architecture not in ARCHITECTURES:
            raise DeployError(
                f"architecture is {self.architecture}: must be one of {', '.join(ARCHITECTURES)}"
            )
        if not self.python:
            raise DeployError(f"python3 is not installed: must be Python {PYTHON} (apt install python3)")
        if not self.system.endswith(f" {SYSTEM}") or self.python != PYTHON:
            raise DeployError(
                f"{self.system_name or 'the system'} with Python {self.python}: must be Debian or Raspberry Pi OS 12 "
                f"({SYSTEM}) with Python {PYTHON}"
            )
        warnings = []
        if abs(self.skew_s) > SKEW_S:
            side = "ahead of" if self.skew_s > 0 else "behind"
            warnings.append(
                f"its clock is {abs(self.skew_s):,.0f} s {side} this machine's: times of events will be"
            )
        if not self.systemd:
            warnings.append("systemd does not run there: the service is installed, not started")
        return warnings

    def check_space(self, package_bytes: int, installed_bytes: int) -> None:
        """Is there room for the copy, the trial beside what runs, and what is installed?

        Raises:
            DeployError: a file system that is too full, with what is free and what is needed.
        """
        # The cache holds the package and its trial; under /usr the old one goes only when the new one is there.
        needs = {
            "/var/cache": package_bytes + installed_bytes,
            "/usr": installed_bytes,
            "/var/lib": package_bytes,
        }
        by_mount: dict[str, tuple[int, int]] = {}
        for folder, need in needs.items():
            if folder in self.space:
                mount, free = self.space[folder]
                by_mount[mount] = (by_mount.get(mount, (0, 0))[0] + need, free)
        for mount, (need, free) in by_mount.items():
            if free < need + _SPARE:
                raise DeployError(
                    f"{mount} has {free / 2**20:,.0f} MiB free: must be {(need + _SPARE) / 2**20:,.0f} MiB"
                )
