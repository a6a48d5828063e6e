"""Raw frames from standard input, as another program pipes them."""

import re
import sys
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from rnnedge_device.errors import SourceError
from rnnedge_device.source import Frame, Source

_RAW = re.compile(r"raw:(\d{1,5})x(\d{1,5})(?:@(\d{1,4}(?:\.\d+)?))?(,gray)?")


class RawSource(Source):
    """Every frame of a stream of bytes, in order: `uint8 [H, W, 3]` BGR or, with `gray`, `[H, W]`.

    Their times are those of the given rate, 30 a second if there is none. A frame that is cut off at the end counts
    as skipped.

    Args:
        spec: `raw:WIDTHxHEIGHT[@FPS][,gray]`.
        stream: standard input if it is None.

    Raises:
        SourceError: another text.

    Example:
        # ffmpeg -i clip.mp4 -f rawvideo -pix_fmt bgr24 - | rnnedge-run digits.rnnedge --source raw:640x480@25
        RawSource("raw:640x480@25")
    """

    def __init__(self, spec: str, stream: BinaryIO | None = None) -> None:
        match = _RAW.fullmatch(spec)
        width, height, fps, gray = match.groups() if match else (None,) * 4
        self._shape = (int(height or 0), int(width or 0), *([] if gray else [3]))
        if not all(self._shape) or (fps and not float(fps)):
            raise SourceError(f"source {spec!r}: must be raw:WIDTHxHEIGHT[@FPS][,gray], all above zero")
        super().__init__(spec, float(fps or 30))
        self._stream = sys.stdin.buffer if stream is None else stream

    def frames(self) -> Iterator[Frame]:
        index, size = 0, int(np.prod(self._shape))
        while len(data := self._stream.read(size)) == size:
            image = np.frombuffer(data, np.uint8).reshape(self._shape)
            yield Frame(image, index, index * 1000 / self.fps)
            index += 1
        self.skipped += bool(data)
