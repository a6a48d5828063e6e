"""OpenCV as a reader of videos and cameras: quiet, and patient over networks."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import cv2


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """What goes wrong inside is an error of ours, not a line on stderr."""
    # Failing to open is an answer here, not something to log; the error that follows is the message.
    # FFmpeg's level is read once, when the process opens its first video.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # OpenCV 5 moved the two functions.
    log: Any = cv2 if hasattr(cv2, "getLogLevel") else cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(0)
    try:
        yield
    finally:
        log.setLogLevel(level)
