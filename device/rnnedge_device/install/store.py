"""The folder of a device's bundles: files named after their digest, and two links that say which is which."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from rnnedge_device.choice import note_of
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path, sha256, sync

FOLDER = Path("/var/lib/rnnedge-bundles")
_CURRENT, _PREVIOUS = "current.rnnedge", "previous.rnnedge"


class BundleStore:
    """`<sha16>.rnnedge` files with their notes `<sha16>.json`, and the links `current.rnnedge` and `previous.rnnedge`.

    Whatever happens, a kill or a power cut at any step, `current` leads to a whole file that was put there as a whole:
    files are written under a temporary name, synced and renamed, and a link changes by the rename of a new one. A file
    goes only when neither link leads to it.

    Args:
        folder: made with the first bundle.

    Example:
        store = BundleStore(Path("/var/lib/rnnedge-bundles"))
        with store.locked():
            store.switch(store.put(data))
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    @property
    def current(self) -> Path | None:
        """The file that runs, or None."""
        return self._led_to(_CURRENT)

    @property
    def previous(self) -> Path | None:
        """The one before it, or None."""
        return self._led_to(_PREVIOUS)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time changes the folder; made here where it is missing.

        Raises:
            InputError: another process is at it, or the folder cannot be made.
        """
        try:
            if not self.folder.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                self.folder.chmod(0o755)  # whatever the umask: the service is another user
            handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as problem:
            raise InputError(f"folder {str(self.folder)!r}: {problem.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise InputError(f"folder {str(self.folder)!r}: another installation is under way") from None
        finally:
            os.close(handle)

    def path_of(self, digest: str) -> Path:
        """Where the bundle of this SHA-256 lies, or would lie."""
        return self.folder / f"{digest[:16]}.rnnedge"

    def put(self, data: bytes) -> Path:
        """Write a bundle's file; one that is there already stays, if it has these bytes."""
        path = self.path_of(sha256(data))
        if not path.is_file() or path.read_bytes() != data:
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)
                temporary.chmod(0o644)
        return path

    def switch(self, path: Path) -> None:
        """`current` leads to `path` from now on, `previous` to what ran before. Nothing where it does already."""
        before = self.current
        if before == path:
            return
        # First the link that nothing runs from: a cut between the two leaves what ran before.
        if before is not None:
            self._link(_PREVIOUS, before)
        self._link(_CURRENT, path)

    def roll_back(self) -> Path:
        """Exchange the two.

        Returns:
            What is current now.

        Raises:
            InputError: there is no bundle before this one.
        """
        target, before = self.previous, self.current
        if target is None or target == before:
            raise InputError(f"folder {str(self.folder)!r}: there is no bundle to go back to")
        # A cut in between leaves both on the older one: it runs, and there is nothing to go back to.
        self._link(_CURRENT, target)
        if before is not None:
            self._link(_PREVIOUS, before)
        return target

    def tidy(self) -> None:
        """Remove what no link leads to, and what a cut has left under temporary names."""
        kept = {path for path in (self.current, self.previous) if path}
        kept |= {note_of(path) for path in kept}
        for path in self.folder.iterdir():
            stale = path.suffix in (".rnnedge", ".json") and not path.is_symlink() and path not in kept
            if stale or path.name.startswith(".link-"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def _led_to(self, name: str) -> Path | None:
        with contextlib.suppress(OSError):
            path = self.folder / os.readlink(self.folder / name)
            return path if path.is_file() else None
        return None

    def _link(self, name: str, target: Path) -> None:
        temporary = self.folder / f".link-{secrets.token_hex(4)}"
        os.symlink(target.name, temporary)
        os.replace(temporary, self.folder / name)
        sync(self.folder)
