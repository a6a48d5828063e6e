"""``PackageShelf``: a bundle's Debian packages, built when a device first asks for its architecture's."""

from __future__ import annotations

import threading
from pathlib import Path

from rnnedge.deploy.connection import DeployError
from rnnedge.deploy.package import DebFacts, build_deb
from rnnedge_device.errors import InputError


class PackageShelf:
    """One package an architecture, whatever the number of devices.

    Args:
        bundle: what goes into each.
        folder: where they are built.
        source: of the camera, for devices that have no config yet.
        wheels: the cache of wheels; None for the user's.
    """

    def __init__(self, bundle: Path, folder: Path, source: str = "0", wheels: Path | None = None) -> None:
        self.bundle = bundle
        self._folder, self._source, self._wheels = folder, source, wheels
        self._lock = threading.Lock()
        self._built: dict[str, DebFacts] = {}

    def package(self, architecture: str) -> DebFacts:
        """Built if need be. DeployError where it cannot be built."""
        with self._lock:
            if architecture not in self._built:
                path = self._folder / f"rnnedge_{architecture}.deb"
                try:
                    self._built[architecture] = build_deb(
                        self.bundle, path, architecture, source=self._source, wheels=self._wheels
                    )
                except InputError as problem:
                    raise DeployError(f"the package for {architecture} cannot be built: {problem}") from None
            return self._built[architecture]
