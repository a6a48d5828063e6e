"""A video file: every frame, in order."""

from collections.abc import Iterator
from typing import Any

import cv2

from rnnedge_device.errors import SourceError
from rnnedge_device.source import Frame, Source


class VideoSource(Source):
    """Every frame of a video file, in order; `ts_ms` is the position in the video."""

    def __init__(self, path: str) -> None:
        self._capture = cv2.VideoCapture(path)
        self._first: Any
        good, self._first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not good:
            self._capture.release()
            raise SourceError(f"source {path!r}: not a readable video")
        super().__init__(path, float(self._capture.get(cv2.CAP_PROP_FPS) or 0.0))

    def frames(self) -> Iterator[Frame]:
        good, image, index, ts_ms = True, self._first, 0, 0.0
        while good:
            # Damaged files can jump back.
            ts_ms = max(ts_ms, float(self._capture.get(cv2.CAP_PROP_POS_MSEC)))
            yield Frame(image, index, ts_ms)
            good, image = self._capture.read()
            index += 1

    def close(self) -> None:
        super().close()
        self._capture.release()
