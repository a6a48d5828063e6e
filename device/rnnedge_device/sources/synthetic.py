"""A drawn pattern, for dry runs."""

import re
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from rnnedge_device.errors import SourceError
from rnnedge_device.source import Frame, Source

_SYNTHETIC = re.compile(r"synthetic(?::(\d{1,5})x(\d{1,5})(?:@(\d{1,4}(?:\.\d+)?))?(?:x(\d{1,9}))?)?")


class SyntheticSource(Source):
    """A light disc and a line moving over a gradient: the same frames every time, for dry runs."""

    def __init__(self, spec: str) -> None:
        match = _SYNTHETIC.fullmatch(spec)
        width, height, fps, count = match.groups() if match else (None,) * 4
        self._width, self._height = int(width or 320), int(height or 240)
        if match is None or not (self._width and self._height) or (fps and not float(fps)):
            raise SourceError(
                f"source {spec!r}: must be synthetic or synthetic:WIDTHxHEIGHT[@FPS][xFRAMES], all above zero"
            )
        super().__init__(spec, float(fps or 30))
        self._count = int(count) if count else None

    def frames(self) -> Iterator[Frame]:
        w, h = self._width, self._height
        ramp = np.add.outer(np.arange(h), np.arange(w)) * 96 // max(1, w + h - 2)
        ground: Any = np.repeat(ramp.astype(np.uint8)[:, :, None], 3, axis=2)
        radius = max(1, min(w, h) // 5)
        index = 0
        while self._count is None or index < self._count:
            # Two periods without a common factor: the disc gets everywhere.
            center = (_swing(index, 97, w), _swing(index, 61, h))
            image: Any = cv2.circle(ground.copy(), center, radius, (235, 225, 215), -1, cv2.LINE_8)
            image[:, index % w] = 255  # moves with every frame, however small the picture
            yield Frame(image, index, index * 1000 / self.fps)
            index += 1


def _swing(index: int, period: int, span: int) -> int:
    """To and fro over `span` pixels in whole numbers, so that every machine draws the same."""
    phase = index % (2 * period)
    return min(phase, 2 * period - phase) * (span - 1) // period
