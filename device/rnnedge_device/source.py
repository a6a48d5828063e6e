"""What every source of frames is: something to iterate, to stop and to close."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.closing import Closing


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Args:
        image: `uint8 [H, W]` or `[H, W, 3]` BGR.
        index: its number in the source, from 0; a gap is a dropped frame.
        ts_ms: milliseconds, never falling: the position in a video or in images of a given rate, else the
            time since the source was opened.
        taken_s: when it was captured, by `time.monotonic`; 0 where it was not captured just now.
        reset: why the model has to begin anew with it, such as `lost`; "" where it follows the frame before it.
        rate: model steps a second from this frame on; 0 leaves the rate as it is.
        caption: why it got a caption, "" where it got none; None where that is still to be decided. Of a live source
            it depends on how long captions take, so that only a recording knows.
    """

    image: NDArray[np.uint8]
    index: int
    ts_ms: float
    taken_s: float = 0.0
    # What a runner told the model together with the frame. It is part of the frame, so that a recording has it too.
    reset: str = ""
    rate: float = 0.0
    caption: str | None = None


class Source(Closing, ABC):
    """Frames in order, once: opened by `open_source`, read with a deadline or iterated, closed. A context manager
    that closes itself.

    Args:
        name: for messages and the summary.
        fps: nominal frames a second, 0 where that has no meaning.
        dropped: frames that came too fast and were left out, so far.
        skipped: frames that could not be read, so far.
        timed: do the frames' `ts_ms` tell when they were taken? Not those of loose image files.
        live: do frames come by themselves, whether anyone takes them or not? Of such a source no two runs are
            alike; any other waits, and gives every run the same frames.
    """

    timed, live = True, False

    def __init__(self, name: str, fps: float = 0.0) -> None:
        self.name, self.fps = name, fps
        self.dropped = self.skipped = 0
        self.stopped = False
        self._iterator: Iterator[Frame] | None = None

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """The frames, whether stopped or not."""

    def ready(self) -> bool:
        """Would the next frame (or the end) come without waiting? A live source may say no."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame; None at the end, and when stopped.

        Args:
            timeout_s: how long to wait for it; what is drawn here gives it at once.

        Raises:
            SourceHungError: no frame came in time.
            SourceLostError: a live source stopped delivering.
        """
        if self._iterator is None:
            self._iterator = iter(self)
        return next(self._iterator, None)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.frames():
            if self.stopped:
                return
            yield frame

    def stop(self) -> None:
        """End the iteration before its next frame. Safe in a signal handler and from another thread."""
        self.stopped = True

    def close(self) -> None:
        """Give back what the source holds. Harmless when called again."""
        self.stop()
