"""Live sources: whatever captures, the latest frame wins and what was overtaken is counted."""

import time
from abc import abstractmethod
from collections.abc import Iterator

from rnnedge_device.errors import SourceHungError, SourceLostError
from rnnedge_device.source import Frame, Source


class NewestSource(Source):
    """Frames as they come; a slow consumer gets the newest and `dropped` counts the others.

    Args:
        name, fps: see `Source`.
        patience_s: how long the iteration waits for a frame before the source counts as lost.
    """

    live = True

    def __init__(self, name: str, fps: float, patience_s: float = 5.0) -> None:
        super().__init__(name, fps)
        self._patience_s = patience_s
        self._begin = self._heard = time.monotonic()  # when it was opened, and when the last frame came
        self._captured = 0
        self._ended = False
        self._loss = ""  # how it ended, where that is known

    @abstractmethod
    def _take(self, wait_s: float) -> Frame | None:
        """The newest frame that nobody has taken, for which it may wait so long; None where there is none."""

    @abstractmethod
    def _waiting(self) -> bool:
        """Is there a frame that nobody has taken?"""

    def ready(self) -> bool:
        return self._waiting() or self._ended or self.stopped or self._overdue(self._patience_s)

    def _overdue(self, patience_s: float) -> bool:
        return time.monotonic() - self._heard > patience_s

    def read(self, timeout_s: float) -> Frame | None:
        wait_s = 0.0
        while not self.stopped:
            ended = self._ended  # asked first: the last frame may come before it ends
            frame = self._take(wait_s)
            if frame is not None:
                return frame
            if ended:
                return self._end()
            if self._overdue(timeout_s):
                raise SourceHungError(f"source {self.name!r}: no frame for {timeout_s:g} s")
            # In slices: stop() is called in a signal handler, which cannot notify.
            wait_s = min(0.1, timeout_s)
        return None

    def _end(self) -> Frame | None:
        """There will be no further frame."""
        why = f": {self._loss}" if self._loss else ""
        raise SourceLostError(f"source {self.name!r}: stopped delivering after {self._captured} frames{why}")

    def frames(self) -> Iterator[Frame]:
        """The newest frame each time; never the same twice.

        Raises:
            SourceLostError: the camera stopped delivering.
        """
        while (frame := self.read(self._patience_s)) is not None:
            yield frame
