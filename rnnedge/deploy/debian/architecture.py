"""The machines a package can be built for: their wheels, and what Debian has to bring."""

from __future__ import annotations

from dataclasses import dataclass

from rnnedge_device.errors import InputError

PYTHON = (3, 11)  # Debian bookworm's, which is Raspberry Pi OS's
# pip compares tags letter by letter: one that is missing here is a wheel that is not found.
_GLIBC = (5, 17, 24, 27, 28, 31, 34, 35, 36)
_COMMON = "python3 (>= 3.11), python3 (<< 3.12), libc6 (>= 2.36), libstdc++6, libgcc-s1, procps"


@dataclass(frozen=True)
class Architecture:
    """One of Debian's.

    Args:
        name: Debian's, such as `arm64`.
        machine: the package index's, such as `aarch64`.
        requirements: the list of wheels.
        depends: on Debian's packages.
    """

    name: str
    machine: str
    requirements: str
    depends: str

    @property
    def pip_options(self) -> list[str]:
        """What `pip download` needs to choose for that machine and not for this one."""
        tags = [f"manylinux2014_{self.machine}", f"manylinux1_{self.machine}"]
        tags += [f"manylinux_2_{minor}_{self.machine}" for minor in _GLIBC]
        version = "".join(map(str, PYTHON))
        words = [word for tag in tags for word in ("--platform", tag)]
        words += ["--python-version", ".".join(map(str, PYTHON)), "--implementation", "cp"]
        return [*words, "--abi", f"cp{version}", "--abi", "abi3", "--abi", "none", "--only-binary=:all:"]


_OWN_LIBRARIES = f"{_COMMON}, zlib1g"
ARCHITECTURES = {
    one.name: one
    for one in (
        Architecture("arm64", "aarch64", "64bit.txt", _OWN_LIBRARIES),
        Architecture("amd64", "x86_64", "64bit.txt", _OWN_LIBRARIES),
        Architecture(
            "armhf", "armv7l", "32bit.txt", f"{_COMMON}, python3-numpy, python3-opencv, python3-cffi-backend"
        ),
    )
}


def architecture(name: str) -> Architecture:
    """The one of that name; InputError for another."""
    if name not in ARCHITECTURES:
        raise InputError(f"--arch = {name!r}: must be one of {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
