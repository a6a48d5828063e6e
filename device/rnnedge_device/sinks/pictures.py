"""Pictures: the annotated frames as a video file or in a window. Contexts that yield a sink."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.caption_stream import CaptionPrediction
from rnnedge_device.classify import Prediction
from rnnedge_device.clip_stream import ClipPrediction
from rnnedge_device.errors import InputError
from rnnedge_device.events import Event
from rnnedge_device.files import atomic_path
from rnnedge_device.overlay import Overlay
from rnnedge_device.sinks.sink import FrameSink as Sink
from rnnedge_device.source import Frame

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
_FPS_OF_IMAGES = 10.0  # of a video made from a source that has no rate of its own


def of_source(name: str, sink: Sink) -> Sink:
    """The sink for one source of several: what comes from the others passes it by."""

    def write(frame: Frame, prediction: Prediction, event: Event) -> None:
        if isinstance(prediction, (ClipPrediction, CaptionPrediction)) and prediction.source == name:
            sink(frame, prediction, event)

    return write


def _once_a_frame(show: Callable[[Frame, Prediction], None]) -> Sink:
    """A sink for pictures: further lines about a frame do not show it again."""
    last: list[Frame] = []

    def write(frame: Frame, prediction: Prediction, event: Event) -> None:
        if not last or last[0] is not frame:
            last[:] = [frame]
            show(frame, prediction)

    return write


@contextlib.contextmanager
def video_file(path: str, fps: float) -> Iterator[Sink]:
    """The annotated frames as a video, `.mp4` or `.avi`; checked to be whole before it takes its name.

    Raises:
        InputError: another suffix, or a path that cannot be written.
        OSError: the video could not be written, as on a full disk.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _CODECS:
        raise InputError(f"save = {path!r}: must end in {' or '.join(_CODECS)}")
    with contextlib.ExitStack() as stack:
        film = Film(stack.enter_context(atomic_path(path)), _CODECS[suffix], fps or _FPS_OF_IMAGES)
        overlay = Overlay()
        try:
            yield _once_a_frame(lambda frame, prediction: film.add(overlay(frame.image, prediction)))
        finally:
            film.release()
        film.check()


class Film:
    """The encoder, opened by the first picture, whose size it takes."""

    def __init__(self, path: Path, codec: str, fps: float) -> None:
        self._path, self._codec, self._fps = path, codec, fps
        self._writer: Any = None
        self._count = 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        if self._writer is None:
            height, width = picture.shape[:2]
            code = cv2.VideoWriter.fourcc(*self._codec)
            self._writer = cv2.VideoWriter(str(self._path), code, self._fps, (width, height))
            if not self._writer.isOpened():
                raise self._failure()
        self._writer.write(picture)
        self._count += 1

    def release(self) -> None:
        if self._writer is not None:
            self._writer.release()

    def check(self) -> None:
        if self._count == 0:
            raise InputError("save: the source gave no frame, so there is no video to write")
        # The encoder reports no failed write, so the file itself has to tell.
        reader = cv2.VideoCapture(str(self._path))
        whole = reader.isOpened() and int(reader.get(cv2.CAP_PROP_FRAME_COUNT)) == self._count
        reader.release()
        if not whole:
            raise self._failure()

    def _failure(self) -> OSError:
        full = shutil.disk_usage(self._path.parent).free < 2**20
        code = errno.ENOSPC if full else errno.EIO
        return OSError(code, os.strerror(code), str(self._path))


@contextlib.contextmanager
def window(title: str, on_quit: Callable[[], None]) -> Iterator[Sink]:
    """A window with the annotated frames; q, Esc or closing it calls `on_quit`.

    Raises:
        InputError: there is no display, or this OpenCV has no windows.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        # Asked before OpenCV is: some of its window back ends end the process.
        raise InputError("--show: there is no display here (DISPLAY is not set); use --save or --jsonl")
    try:
        cv2.namedWindow(title, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise InputError(
            "--show: this OpenCV is built without windows; pip install opencv-python in place of "
            "opencv-python-headless, or use --save or --jsonl"
        ) from None
    overlay = Overlay()

    def show(frame: Frame, prediction: Prediction) -> None:
        cv2.imshow(title, overlay(frame.image, prediction))
        pressed = cv2.waitKey(1) & 0xFF
        if pressed in (ord("q"), 27) or cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
            on_quit()

    try:
        yield _once_a_frame(show)
    finally:
        cv2.destroyWindow(title)
