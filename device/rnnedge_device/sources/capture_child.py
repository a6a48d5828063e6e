"""The process that captures: `python -m rnnedge_device.sources.capture_child`. Started by `ProcessSource`.

On standard input comes a line of JSON, `{"spec", "memory"}`; frames go into the shared memory, and a line about each to
standard output: `{"fps"}` once it is open, `{"frame", "taken_s", "shape", "skipped"}` for each, `{"error"}` or
`{"end"}` at last.
"""

import json
import os
import sys
import threading
from typing import Any, NoReturn

from rnnedge_device.errors import SourceError
from rnnedge_device.sources.camera_spec import CameraSpec, is_url
from rnnedge_device.sources.frame_ring import FrameRing
from rnnedge_device.sources.opencv_capture import Capture, open_device, open_url
from rnnedge_device.sources.picamera import PicameraCapture


def open_capture(spec: str) -> Capture:
    """Whatever the text names, in this process.

    Raises:
        SourceError: it cannot be opened.
    """
    if is_url(spec):
        return open_url(spec)
    camera = CameraSpec.parse(spec)
    if camera is None:
        raise SourceError(f"source {spec!r}: is neither a camera nor the URL of one")
    return PicameraCapture(camera) if camera.picamera else open_device(camera)


def main() -> None:
    """Capture until the picture ends, or until the parent does."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        capture = open_capture(order["spec"])
        _say({"fps": capture.fps})
        _say(_capture(capture, order["memory"]))
    except SourceError as problem:
        _say({"error": str(problem)})
    except Exception as problem:  # a driver's own kind of error: it is the parent's to tell
        _say({"error": f"{type(problem).__name__}: {problem}"})
    _leave()


def _capture(capture: Capture, memory: int) -> dict[str, Any]:
    number, ring = 0, None
    while (found := capture.read()) is not None:
        image, taken_s = found
        if ring is None:
            ring = FrameRing(memory, image.nbytes)
        if image.nbytes > ring.slot_bytes:
            return {"end": f"its frames grew to {image.shape[1]}x{image.shape[0]}"}
        ring.put(number, image)
        _say({"frame": number, "taken_s": taken_s, "shape": image.shape, "skipped": capture.skipped})
        number += 1
    return {"end": ""}


def _say(what: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(what).encode() + b"\n")
    except BrokenPipeError:
        _leave()


def _end_with_parent() -> None:
    sys.stdin.read()
    _leave()


def _leave() -> NoReturn:
    # At once: a driver that hangs would keep an orderly exit waiting.
    os._exit(0)


if __name__ == "__main__":
    main()
