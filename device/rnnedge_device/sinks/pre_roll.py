"""The last seconds of a camera, as JPEG in memory."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.classify import Prediction
from rnnedge_device.source import Frame

_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Still:
    """A frame as it is kept.

    Args:
        jpeg: the picture.
        ts_ms: when it was taken.
        prediction: what was said about it; None for nothing yet.
    """

    jpeg: bytes
    ts_ms: float
    prediction: Prediction | None

    @classmethod
    def of(cls, frame: Frame, prediction: Prediction | None) -> "Still":
        done, data = cv2.imencode(".jpg", frame.image, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
        if not done:
            raise ValueError(f"frame {frame.index}: cannot be compressed")
        return cls(data.tobytes(), frame.ts_ms, prediction)

    def image(self) -> NDArray[np.uint8]:
        """`uint8 [H, W]` or `[H, W, 3]` BGR, near the frame's."""
        picture = cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture is not None  # our own JPEG
        return np.asarray(picture, np.uint8)


class PreRoll:
    """Stills of the last seconds, bounded in time and in bytes, the oldest given up first.

    Args:
        seconds: how far back.
        max_bytes: of all stills together.

    Example:
        ring = PreRoll(5.0, 16_000_000)
        ring.add(Still.of(frame, prediction))
        list(ring.since(frame.ts_ms - 2000))
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._milliseconds, self._max_bytes = 1000 * seconds, max_bytes
        self._stills: deque[Still] = deque()
        self.size = 0

    def add(self, still: Still) -> None:
        if self._stills and still.ts_ms < self._stills[-1].ts_ms:
            # The camera's clock began anew: what was before is no past of this.
            self._stills.clear()
            self.size = 0
        self._stills.append(still)
        self.size += len(still.jpeg)
        while self._stills and (
            self.size > self._max_bytes or still.ts_ms - self._stills[0].ts_ms > self._milliseconds
        ):
            self.size -= len(self._stills.popleft().jpeg)

    def since(self, ts_ms: float) -> list[Still]:
        """Those from `ts_ms` on, the oldest first; where there are none the last one before."""
        return [still for still in self._stills if still.ts_ms >= ts_ms] or list(self._stills)[-1:]

    def __len__(self) -> int:
        return len(self._stills)
