"""A file that somebody may replace: looked at now and then, taken when it has come to rest."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rnnedge_device.errors import InputError

_Look = tuple[int, int, int]


class FileWatch:
    """Tells when a file has changed and then stayed as it is. Works on every file system, network ones included.

    A look costs one system call. A file that is being copied over the old one changes from look to look and is left
    alone until it rests; one that is renamed into place is told after the same time. A file that was taken away is no
    change; the one that comes in its place is.

    Args:
        path: of the file, present or not.
        rest_s: how long it must have stayed the same.

    Example:
        watch = FileWatch(Path("actions.rnnedge"))
        stop = watch.start(deployment.request)
        ...
        stop()
    """

    def __init__(self, path: Path, rest_s: float = 2.0) -> None:
        self.path, self._rest_s = path, rest_s
        self._known = self._seen = self._look()
        self._since = 0.0

    def look(self, now_s: float) -> bool:
        """Has the file changed since it was last told of, and rested since? Each change is told once.

        Args:
            now_s: of any clock that does not go back, such as `time.monotonic`.
        """
        found = self._look()
        if found != self._seen:
            self._seen, self._since = found, now_s
        if found is None or found == self._known or now_s - self._since < self._rest_s:
            return False
        self._known = found
        return True

    def forget(self) -> None:
        """Tell of the last change once more, with the next look."""
        self._known = None

    def start(self, changed: Callable[[Path], None], every_s: float = 1.0) -> Callable[[], None]:
        """Look in a thread of its own.

        Args:
            changed: called with the path; an InputError it raises means not now, and it is called again.
            every_s: between two looks.

        Returns:
            Call it to end the watch.
        """
        over = threading.Event()

        def run() -> None:
            while not over.wait(every_s):
                if self.look(time.monotonic()):
                    try:
                        changed(self.path)
                    except InputError:
                        self.forget()

        thread = threading.Thread(target=run, name=f"watch {self.path.name}", daemon=True)
        thread.start()

        def stop() -> None:
            over.set()
            thread.join(5.0)

        return stop

    def _look(self) -> _Look | None:
        with contextlib.suppress(OSError):
            found = os.stat(self.path)
            return found.st_mtime_ns, found.st_size, found.st_ino
        return None
