"""A file or a drawing at its own rate, as a camera would show it."""

import threading
import time
from typing import Any

import cv2

from rnnedge_device.source import Source
from rnnedge_device.sources.live import LiveSource


class PacedCapture:
    """Reads like a `cv2.VideoCapture`, but each frame of `source` not before its time.

    Args:
        source: not live; closed with the capture.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._frames = source, iter(source)
        self._begin: float | None = None
        self._released = threading.Event()

    def read(self) -> tuple[bool, Any]:
        frame = next(self._frames, None)
        if frame is None:
            return False, None
        due = frame.ts_ms / 1000
        if self._begin is None:
            self._begin = time.monotonic() - due
        self._released.wait(max(0.0, self._begin + due - time.monotonic()))
        return True, frame.image

    def get(self, which: int) -> float:
        return self._source.fps if which == cv2.CAP_PROP_FPS else 0.0

    def release(self) -> None:
        self._released.set()
        self._source.close()


class PacedSource(LiveSource):
    """A source at its own rate; ends when that ends, and never waits for who takes its frames."""

    def __init__(self, source: Source, name: str) -> None:
        self._paced = source
        super().__init__(PacedCapture(source), name, ends=True)

    def stop(self) -> None:
        super().stop()
        self._paced.stop()
