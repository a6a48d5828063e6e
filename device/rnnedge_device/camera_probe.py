"""Does this machine's camera give a picture?"""

import time
from pathlib import Path
from typing import Any

from rnnedge_device.errors import SourceError
from rnnedge_device.sources import open_camera

FIRST = "/dev/video0"


def probe_camera(spec: str | None = None, patience_s: float = 10.0) -> dict[str, Any] | None:
    """Open a camera and wait for a frame, in a process of its own, so that a driver that hangs is an answer too.

    Args:
        spec: as `open_camera` takes it; None for the first V4L2 device, if there is one.
        patience_s: how long opening it may take.

    Returns:
        `{"source", "ok": True, "size": "640x480", "ms"}` with the milliseconds to the first frame, or `{"source",
        "ok": False, "error"}`; None where there is no camera to try.
    """
    if spec is None and not Path(FIRST).exists():
        return None
    spec = spec or FIRST
    begin = time.monotonic()
    try:
        with open_camera(spec, patience_s) as source:
            frame = next(iter(source), None)
    except SourceError as problem:
        return {"source": spec, "ok": False, "error": str(problem)}
    if frame is None:
        return {"source": spec, "ok": False, "error": "it ended without a frame"}
    height, width = frame.image.shape[:2]
    spent_ms = round((time.monotonic() - begin) * 1000)
    return {"source": spec, "ok": True, "size": f"{width}x{height}", "ms": spent_ms}
