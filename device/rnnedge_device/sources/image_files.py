"""Image files in order, as loose pictures or as the frames of a film."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rnnedge_device.errors import SourceError
from rnnedge_device.images import IMAGE_SUFFIXES, read_image
from rnnedge_device.source import Frame, Source

_NAMED = 10  # skipped files that are named on stderr; of a folder of damaged ones nobody wants to read all


class ImageSource(Source):
    """Image files in the given order; one that cannot be decoded is reported, skipped and counted.

    Args:
        fps: the rate of a film whose frames they are; 0 for images that have nothing to do with each other,
            whose `ts_ms` is the time since the source was opened.

    Raises:
        SourceError: no images; for a single image, or when none of many is readable, while iterating.
    """

    def __init__(self, name: str, paths: list[Path], fps: float = 0.0) -> None:
        super().__init__(name, fps)
        self.timed = fps > 0
        if not paths:
            raise SourceError(f"source {name!r}: no images in it; readable: {', '.join(IMAGE_SUFFIXES)}")
        self._paths = paths

    def frames(self) -> Iterator[Frame]:
        begin = time.monotonic()
        for index, path in enumerate(self._paths):
            try:
                image = read_image(path)
            except SourceError as problem:
                self.skipped += 1
                if self.skipped == len(self._paths):
                    raise
                if self.skipped <= _NAMED:
                    more = "; further ones are counted only" if self.skipped == _NAMED else ""
                    print(f"skipped: {problem}{more}", file=sys.stderr)
                continue
            yield Frame(
                image, index, index * 1000 / self.fps if self.fps else (time.monotonic() - begin) * 1000
            )
