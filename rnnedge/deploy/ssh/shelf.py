"""``PackageShelf``: a bundle's Debian packages, built when a device first asks for its architecture's."""

from __future__ import annotations

import io
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path

from rnnedge.deploy.debian.package import build_deb
from rnnedge.deploy.ssh.connection import DeployError
from rnnedge_device.errors import InputError
from rnnedge_device.files import sha256

_MAGIC = b"!<arch>\n"


@dataclass(frozen=True)
class Package:
    """A Debian package of ours, as its control file describes it.

    Args:
        installed_bytes: of what it unpacks to.
        sha256: of the file.
    """

    path: Path
    architecture: str
    version: str
    bytes: int
    installed_bytes: int
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Package:
        """InputError where the file is no Debian package of rnnedge."""
        try:
            data = path.read_bytes()
            control = _control(data)
        except OSError as problem:
            raise InputError(f"{str(path)!r}: {problem.strerror}") from None
        except (ValueError, KeyError, tarfile.TarError) as problem:
            raise InputError(f"{str(path)!r}: is no Debian package: {problem}") from None
        if control.get("Package") != "rnnedge":
            raise InputError(f"{str(path)!r}: is the package {control.get('Package')!r}: must be rnnedge's")
        return cls(
            path,
            control["Architecture"],
            control["Version"],
            len(data),
            int(control["Installed-Size"]) * 1024,
            sha256(data),
        )


class PackageShelf:
    """One package an architecture, whatever the number of devices.

    Args:
        what: the bundle that goes into each; or a finished package (`.deb`), for devices of its architecture.
        folder: where they are built.
        source: of the camera, for devices that have no config yet.
        wheels: the cache of wheels; None for the user's.

    Raises:
        InputError: a `.deb` that is none of ours.
    """

    def __init__(self, what: Path, folder: Path, source: str = "0", wheels: Path | None = None) -> None:
        self._what, self._folder, self._source, self._wheels = what, folder, source, wheels
        self._lock = threading.Lock()
        self._ready: dict[str, Package] = {}
        self._finished = what.suffix == ".deb"
        if self._finished:
            package = Package.read(what)
            self._ready[package.architecture] = package

    def package(self, architecture: str) -> Package:
        """Built if need be. DeployError where it cannot be built."""
        with self._lock:
            if architecture not in self._ready:
                self._ready[architecture] = self._build(architecture)
            return self._ready[architecture]

    def _build(self, architecture: str) -> Package:
        if self._finished:
            have = ", ".join(self._ready)
            raise DeployError(f"architecture is {architecture}, and {self._what.name} is for {have}")
        path = self._folder / f"rnnedge_{architecture}.deb"
        try:
            build_deb(self._what, path, architecture, source=self._source, wheels=self._wheels)
        except InputError as problem:
            raise DeployError(f"the package for {architecture} cannot be built: {problem}") from None
        return Package.read(path)


def _control(data: bytes) -> dict[str, str]:
    """The fields of a package's control file."""
    if not data.startswith(_MAGIC):
        raise ValueError("it does not begin as one")
    at = len(_MAGIC)
    while at + 60 <= len(data):  # ar: a header of 60 bytes, then the member, padded to an even length
        name, size = data[at : at + 16].decode("ascii").strip(" /"), int(data[at + 48 : at + 58])
        at += 60
        if name.startswith("control.tar"):
            with tarfile.open(fileobj=io.BytesIO(data[at : at + size])) as archive:
                member = archive.extractfile("./control")
                assert member is not None
                lines = member.read().decode("utf-8").splitlines()
            return dict(line.partition(": ")[::2] for line in lines if not line.startswith(" "))
        at += size + size % 2
    raise ValueError("it has no control file")
