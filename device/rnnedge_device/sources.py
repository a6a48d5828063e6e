"""Where frames come from: a camera, a video, images, or a drawn pattern, chosen by a short text."""

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge_device.camera import open_camera
from rnnedge_device.errors import SourceError
from rnnedge_device.images import IMAGE_SUFFIXES, list_images, read_image
from rnnedge_device.source import Frame, Source

ALLOWED = (
    "a camera (0, 1, ... or /dev/video0), a video file, an image file, a folder of images (FOLDER@FPS "
    "where they are frames), or synthetic[:WIDTHxHEIGHT[@FPS][xFRAMES]]"
)
_SYNTHETIC = re.compile(r"synthetic(?::(\d{1,5})x(\d{1,5})(?:@(\d{1,4}(?:\.\d+)?))?(?:x(\d{1,9}))?)?")
_RATED = re.compile(r"(.+)@(\d{1,4}(?:\.\d+)?)")


def open_source(spec: str) -> Source:
    """Open a source by its text.

    Args:
        spec: `0` or `/dev/video0` (camera, the latest frame wins); a video file, an image file or a folder
            of images (every frame, in order, as fast as they are taken); `folder@12` (the same as the
            frames of a film of 12 a second); `synthetic` (endless) or such as `synthetic:64x48@30x100`
            (width x height @ frames a second x number of frames).

    Raises:
        SourceError: nothing of that name, or it cannot be read. The message says what is allowed.

    Example:
        with open_source("clip.mp4") as source:
            for frame in source:
                print(frame.ts_ms, frame.image.shape)
    """
    if spec.startswith("synthetic"):
        return SyntheticSource(spec)
    with _quiet_opencv():
        if spec.isdigit() or spec.startswith("/dev/"):
            return open_camera(spec)
        path = Path(spec)
        # Path("") is the current folder, which nobody meant.
        if spec and path.is_dir():
            return ImageSource(spec, list_images(path))
        rated = _RATED.fullmatch(spec)
        if rated and not path.exists() and Path(rated[1]).is_dir() and float(rated[2]) > 0:
            return ImageSource(spec, list_images(rated[1]), float(rated[2]))
        if not spec or not path.exists():
            raise SourceError(f"source {spec!r}: there is no such file or folder; allowed: {ALLOWED}")
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageSource(spec, [path])
        return VideoSource(spec)


class VideoSource(Source):
    """Every frame of a video file, in order; `ts_ms` is the position in the video."""

    def __init__(self, path: str) -> None:
        self._capture = cv2.VideoCapture(path)
        self._first: Any
        good, self._first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not good:
            self._capture.release()
            raise SourceError(f"source {path!r}: not a readable video; allowed: {ALLOWED}")
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
                print(f"skipped: {problem}", file=sys.stderr)
                continue
            yield Frame(
                image, index, index * 1000 / self.fps if self.fps else (time.monotonic() - begin) * 1000
            )


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


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[None]:
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
