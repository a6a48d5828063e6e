"""A file or a pipe read by a thread of its own, a few frames ahead: a disk that hangs must not hang its reader."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from rnnedge_device.errors import SourceHungError
from rnnedge_device.source import Frame, Source

_AHEAD = 4  # frames that are read before they are asked for
_SLICE_S = 0.1  # stop() is called in a signal handler, which cannot notify
_JOIN_S = 2.0


class AheadSource(Source):
    """Every frame of another source, in order; opening it and each of its frames have a deadline.

    What it waits for may be a dead network disk, which no signal ends: then the thread is left behind.

    Args:
        name: for messages.
        make: opens the other source; called in the thread, which closes it as well.
        patience_s: how long the iteration waits for a frame.
        open_s: how long opening may take.

    Raises:
        SourceError: as `make`; as the other source while iterating, in its place among the frames.
        SourceHungError: opening takes too long, or (iterating) a frame does.
    """

    def __init__(
        self, name: str, make: Callable[[], Source], patience_s: float = 60.0, open_s: float = 20.0
    ) -> None:
        super().__init__(name)
        self._make, self._patience_s = make, patience_s
        self._changed = threading.Condition()
        # With each frame how many were skipped before it: what lies ahead does not count yet.
        self._read = deque[tuple[Frame | BaseException | None, int]]()
        self._opened: Source | BaseException | None = None
        self._hangs = False
        self._thread = threading.Thread(target=self._run, name=f"reading {name}", daemon=True)
        self._thread.start()
        self._wait(lambda: self._opened is not None, open_s, f"does not open within {open_s:g} s")
        if isinstance(self._opened, BaseException):
            raise self._opened
        if self._opened is not None:
            self.name, self.fps, self.timed = self._opened.name, self._opened.fps, self._opened.timed

    def _run(self) -> None:
        try:
            source = self._make()
        except BaseException as problem:
            self._tell_opened(problem)
            return
        with source:
            self._tell_opened(source)
            last: BaseException | None = None
            try:
                for frame in source:
                    if not self._put(frame, source.skipped):
                        return
            except BaseException as problem:
                last = problem
            self._put(last, source.skipped)

    def _tell_opened(self, what: Source | BaseException) -> None:
        with self._changed:
            self._opened = what
            self._changed.notify_all()

    def _put(self, what: Frame | BaseException | None, skipped: int) -> bool:
        """Leave it for the reader; False when nobody wants it any more."""
        with self._changed:
            while len(self._read) >= _AHEAD and not self.stopped:
                self._changed.wait(_SLICE_S)
            if self.stopped:
                return False
            self._read.append((what, skipped))
            self._changed.notify_all()
        return True

    def read(self, timeout_s: float) -> Frame | None:
        self._wait(lambda: bool(self._read), timeout_s, f"no frame for {timeout_s:g} s")
        with self._changed:
            if self.stopped or not self._read:
                return None
            what, self.skipped = self._read[0]
            if isinstance(what, Frame):
                self._read.popleft()
                self._changed.notify_all()
        if isinstance(what, BaseException):
            raise what
        return what

    def _wait(self, ready: Callable[[], bool], timeout_s: float, else_: str) -> None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not ready() and not self.stopped:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    self.stop()  # the thread shall not go on where nobody listens
                    self._hangs = True
                    raise SourceHungError(f"source {self.name!r}: {else_}")
                self._changed.wait(min(left_s, _SLICE_S))

    def frames(self) -> Iterator[Frame]:
        while (frame := self.read(self._patience_s)) is not None:
            yield frame

    def close(self) -> None:
        super().close()
        # Not closed from here: releasing a video while it is read crashes.
        if not self._hangs:
            self._thread.join(_JOIN_S)
