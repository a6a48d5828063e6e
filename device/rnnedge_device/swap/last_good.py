"""A copy of the bundle that last proved itself, for a start that finds something worse in its place."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rnnedge_device.bundle import Bundle
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.files import atomic_path, sha256
from rnnedge_device.swap.loaded import LoadedBundle

M = TypeVar("M")
_log = logging.getLogger(__name__)


class LastGood:
    """Copies of bundles in a folder of the runner's own, one for each place that bundles are taken from.

    Without it a file that was refused while the runner ran would keep it from starting the next time.

    Args:
        folder: such as `$STATE_DIRECTORY` of a systemd service; it is there and can be written to.

    Raises:
        InputError: it is not.

    Example:
        last_good = LastGood(Path(os.environ["STATE_DIRECTORY"]))
        loaded = last_good.start("actions.rnnedge", lambda path: prepare(path, ClipModel), say)
    """

    def __init__(self, folder: Path) -> None:
        if not os.access(folder, os.W_OK | os.X_OK) or not folder.is_dir():
            raise InputError(f"folder {str(folder)!r}: must be a folder that can be written to")
        self._folder = folder

    def copy_of(self, path: str | os.PathLike[str]) -> Path:
        """Where the copy for the bundle at `path` lies, if there is one."""
        place = hashlib.sha256(os.path.abspath(path).encode(errors="surrogateescape")).hexdigest()[:16]
        return self._folder / f"last-good-{place}.rnnedge"

    def keep(self, path: str | os.PathLike[str], bundle: Bundle) -> bool:
        """Keep a bundle that has proved itself. Never raises: a disk that is full must not stop a camera.

        Args:
            path: where bundles of this camera are taken from.
            bundle: as it was read; its file is copied if it still is that bundle.

        Returns:
            Is there a copy of it now?
        """
        copy = self.copy_of(path)
        try:
            if copy.is_file() and sha256(copy.read_bytes()) == bundle.sha256:
                return True
            data = Path(bundle.path).read_bytes()
            if sha256(data) != bundle.sha256:
                return False  # replaced already; that one is tried for itself
            with atomic_path(copy) as temporary:
                temporary.write_bytes(data)
        except (OSError, InputError) as problem:
            _log.warning("no copy of the bundle %s was kept: %s", bundle.path, problem)
            return False
        return True

    def start(
        self,
        path: str | os.PathLike[str],
        prepare: Callable[[Path], LoadedBundle[M]],
        say: Callable[[str, str], None],
    ) -> LoadedBundle[M]:
        """The bundle at `path`, or if it is refused the last good one from there.

        Args:
            prepare: tries a file and loads it; the copy goes the same way.
            say: told `("refused", detail)` where the copy runs.

        Raises:
            BundleError: the first one's, where there is no copy or it is refused as well.
        """
        try:
            loaded = prepare(Path(path))
        except BundleError as problem:
            copy = self.copy_of(path)
            if not copy.is_file():
                raise
            try:
                loaded = prepare(copy)
            except BundleError:
                raise problem from None
            say("refused", f"{problem}; the last good one runs: {loaded.bundle.sha256[:12]}")
            return loaded
        self.keep(path, loaded.bundle)
        return loaded
