"""A recording: raw frames with everything the model was told beside them, to be played again bit for bit.

A file is a line of text that says what it is, a line of JSON about the source, and for each frame a line of JSON about
it and its bytes. It can be written without an end: a recording that was cut off is whole to its last whole frame.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from rnnedge_device.errors import SourceError
from rnnedge_device.source import Frame

MAGIC = b"rnnedge recording 1\n"
_MOST_LINE = 4096  # bytes of a line of JSON
_MOST_BYTES = 2**28  # of a frame


def write_head(stream: BinaryIO, fps: float, timed: bool) -> None:
    """The beginning of a recording of a source of this rate; do its frames have times?"""
    stream.write(MAGIC + _line({"fps": fps, "timed": timed}))


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """A frame as it is. Floats are written so that they are read back to the last bit."""
    about: dict[str, Any] = {"frame": frame.index, "ts_ms": frame.ts_ms, "shape": list(frame.image.shape)}
    about |= {"reset": frame.reset} if frame.reset else {}
    about |= {"rate": frame.rate} if frame.rate else {}
    about |= {} if frame.caption is None else {"caption": frame.caption}
    stream.write(_line(about))
    stream.write(np.ascontiguousarray(frame.image).data)


def read_head(stream: BinaryIO, name: str) -> dict[str, Any]:
    """`{"fps", "timed"}` of a recording.

    Raises:
        SourceError: it is none.
    """
    if stream.read(len(MAGIC)) != MAGIC:
        raise SourceError(f"source {name!r}: is not a recording; rnnedge-run --record FILE makes one")
    head = _parsed(stream.readline(_MOST_LINE), name)
    if not isinstance(head.get("fps"), (int, float)) or not isinstance(head.get("timed"), bool):
        raise SourceError(f"source {name!r}: the recording's head is damaged: {head}")
    return head


def read_frames(stream: BinaryIO, name: str) -> Iterator[Frame]:
    """The frames behind the head.

    Raises:
        SourceError: the recording is damaged.
        EOFError: it is cut off within a frame.
    """
    while line := stream.readline(_MOST_LINE):
        if not line.endswith(b"\n") and len(line) < _MOST_LINE:
            raise EOFError
        about = _parsed(line, name)
        try:
            shape = tuple(int(side) for side in about["shape"])
            index, ts_ms = int(about["frame"]), float(about["ts_ms"])
            reset, rate = str(about.get("reset", "")), float(about.get("rate", 0.0))
            caption = None if about.get("caption") is None else str(about["caption"])
        except (KeyError, TypeError, ValueError):
            raise SourceError(f"source {name!r}: the recording is damaged: {line[:80]!r}") from None
        size = int(np.prod(shape, dtype=object))
        if len(shape) not in (2, 3) or min(shape) < 1 or size > _MOST_BYTES or rate < 0:
            raise SourceError(f"source {name!r}: the recording is damaged: a frame of shape {shape}")
        data = stream.read(size)
        if len(data) < size:
            raise EOFError
        yield Frame(
            np.frombuffer(data, np.uint8).reshape(shape),
            index,
            ts_ms,
            reset=reset,
            rate=rate,
            caption=caption,
        )


def _line(about: dict[str, Any]) -> bytes:
    return json.dumps(about).encode() + b"\n"


def _parsed(line: bytes, name: str) -> dict[str, Any]:
    try:
        about = json.loads(line)
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise SourceError(f"source {name!r}: the recording is damaged: {line[:80]!r}")
    return about
