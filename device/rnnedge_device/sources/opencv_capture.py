"""Cameras and network streams through OpenCV. What reads may hang: it is used in a process of its own."""

import glob
import os
import sys
import time
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import SourceError
from rnnedge_device.sources.camera_spec import CameraSpec, public_name
from rnnedge_device.sources.opencv import quiet_opencv

# How often FFmpeg may fail at once before it is at its end: a damaged picture is one failure, the end is many.
_ATTEMPTS, _AT_ONCE_S = 1000, 0.001
_NETWORK_MS = 10_000  # how long FFmpeg waits to connect, and for a packet


class Capture(Protocol):
    """What takes pictures.

    Args:
        fps: nominal frames a second, 0 where nobody knows.
        skipped: pictures that could not be decoded, so far.
    """

    fps: float
    skipped: int

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        """The next picture, and when it was taken by `time.monotonic`; None at the end. May take for ever."""

    def close(self) -> None:
        """Give the camera back."""


class OpenCvCapture:
    """A `cv2.VideoCapture` that knows when a frame was taken: when it was there, before it was decoded.

    Args:
        attempts: grabs that may fail at once, in a row, before it counts as the end.
    """

    def __init__(self, capture: Any, attempts: int = 1) -> None:
        self._capture, self._attempts = capture, attempts
        self.fps = float(capture.get(cv2.CAP_PROP_FPS) or 0.0)
        self.skipped = 0

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        failed = 0
        while failed < self._attempts:
            begin, waits = time.monotonic(), _waits()
            grabbed = self._capture.grab()
            taken_s = time.monotonic()
            good, image = self._capture.retrieve() if grabbed else (False, None)
            if good and image is not None and image.size:
                self.skipped += failed
                return image, taken_s
            if grabbed or (_waits() != waits if waits is not None else taken_s - begin > _AT_ONCE_S):
                self.skipped += 1 + failed
                failed = 0
            else:
                failed += 1
        return None

    def close(self) -> None:
        self._capture.release()


def _waits() -> int | None:
    """How often this thread has waited for something. Unlike the time, it does not depend on how busy the machine is.
    None where the system does not count it."""
    if sys.platform != "linux":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def check_device(spec: CameraSpec) -> None:
    """Is there such a camera?

    Raises:
        SourceError: there is not.
    """
    if sys.platform == "linux" and not os.path.exists(spec.path):
        present = ", ".join(sorted(glob.glob("/dev/video*"))) or "none"
        raise SourceError(f"source {spec.device!r}: there is no camera {spec.path}; cameras here: {present}")


def open_device(spec: CameraSpec) -> OpenCvCapture:
    """A camera of Video4Linux, in the mode that comes nearest to what was asked for.

    Raises:
        SourceError: there is no such camera, or it cannot be opened.
    """
    check_device(spec)
    with quiet_opencv():
        capture = cv2.VideoCapture(int(spec.device) if spec.device.isdigit() else spec.device)
    if not capture.isOpened():
        raise SourceError(f"source {spec.device!r}: the camera cannot be opened (in use, or no permission?)")
    # The format first: it decides which sizes and rates there are.
    if spec.mjpg:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    if spec.size:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, spec.size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, spec.size[1])
    if spec.fps:
        capture.set(cv2.CAP_PROP_FPS, spec.fps)
    # Fewer old frames inside the driver: less delay. Drivers that cannot ignore it.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return OpenCvCapture(capture)


def open_url(url: str) -> OpenCvCapture:
    """A stream of RTSP or HTTP.

    Raises:
        SourceError: nobody answers, or what comes is no video.
    """
    # Over TCP no packet is lost; FFmpeg's own buffer would only make frames older.
    options = "rtsp_transport;tcp|fflags;nobuffer" if url.lower().startswith("rtsp") else "fflags;nobuffer"
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", options)
    timeouts = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _NETWORK_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _NETWORK_MS),
    ]
    with quiet_opencv():
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, timeouts)
    if not capture.isOpened():
        raise SourceError(
            f"source {public_name(url)!r}: no camera answers there, user and password are refused, or what comes is "
            "no video"
        )
    return OpenCvCapture(capture, _ATTEMPTS)
