"""Pictures: the annotated frames as a video file or in a window."""

import errno
import os
import shutil
import sys
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge_device.classify import Prediction
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.overlay import Overlay
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import DirectSink, OpenedSink, Sink
from rnnedge_device.source import Frame

_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
_FPS_OF_IMAGES = 10.0  # of a video made from a source that has no rate of its own


class _PictureSink(DirectSink):
    """Shows each frame once, also where there are several lines about it."""

    _last: Frame | None = None

    def put(self, message: Message) -> None:
        if message.frame is not None and message.prediction is not None and message.frame is not self._last:
            self._last = message.frame
            self._show(message.frame, message.prediction)
            self.sent += 1

    @abstractmethod
    def _show(self, frame: Frame, prediction: Prediction) -> None:
        """What to do with a frame that was not there before."""


class OfCamera(OpenedSink):
    """A sink for one source of several: what comes from the others passes it by.

    Args:
        camera: whose messages it takes.
        make: opens the sink when there is something to show: one source without frames must not cost the others
            their files.
    """

    def __init__(self, camera: str, make: Callable[[], Sink]) -> None:
        super().__init__(f"of {camera}")
        self._camera, self._make = camera, make
        self._sink: Sink | None = None

    def put(self, message: Message) -> None:
        if message.camera != self._camera:
            return
        if self._sink is None:
            if message.frame is None:
                return
            self._sink = self._opened.enter_context(self._make())
        self._sink.put(message)
        self.sent += 1

    def status(self) -> dict[str, Any]:
        return super().status() if self._sink is None else self._sink.status()


class VideoFile(OpenedSink, _PictureSink):
    """The annotated frames as a video, `.mp4` or `.avi`; checked to be whole before it takes its name.

    On an error in its context an older file stays as it was.

    Raises:
        InputError: another suffix, or a path that cannot be written; (`close`) there was no frame.
        OSError: the video could not be written, as on a full disk.
    """

    def __init__(self, path: str, fps: float) -> None:
        suffix = Path(path).suffix.lower()
        if suffix not in _CODECS:
            raise InputError(f"save = {path!r}: must end in {' or '.join(_CODECS)}")
        super().__init__("video")
        self._overlay = Overlay()
        temporary = self._opened.enter_context(atomic_path(path))
        self._film = Film(temporary, _CODECS[suffix], fps or _FPS_OF_IMAGES)
        self._opened.push(self._end)

    def _show(self, frame: Frame, prediction: Prediction) -> None:
        self._film.add(self._overlay(frame.image, prediction))

    def _end(self, kind: type[BaseException] | None, *about: object) -> None:
        self._film.release()
        if kind is None:
            self._film.check()


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


def check_display(what: str, instead: str) -> None:
    """Can windows be opened here? Opens none.

    Args:
        what: asks for them; `instead` is what there is without, both for the message.

    Raises:
        InputError: there is no display, or this OpenCV has no windows.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        # Asked before OpenCV is: some of its window back ends end the process.
        raise InputError(f"{what}: there is no display here (DISPLAY is not set); use {instead}")
    if not cv2.currentUIFramework():
        raise InputError(
            f"{what}: this OpenCV is built without windows; pip install opencv-python in place of "
            f"opencv-python-headless, or use {instead}"
        )


class Window(_PictureSink):
    """A window with the annotated frames; q, Esc or closing it calls `on_quit`.

    Raises:
        InputError: there is no display, or this OpenCV has no windows.
    """

    def __init__(self, title: str, on_quit: Callable[[], None]) -> None:
        check_display("--show", "--save or --jsonl")
        cv2.namedWindow(title, cv2.WINDOW_NORMAL)
        self.name, self._title, self._on_quit = "window", title, on_quit
        self._overlay, self._open = Overlay(), True

    def _show(self, frame: Frame, prediction: Prediction) -> None:
        cv2.imshow(self._title, self._overlay(frame.image, prediction))
        pressed = cv2.waitKey(1) & 0xFF
        if pressed in (ord("q"), 27) or cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._on_quit()

    def close(self, deadline_s: float = 5.0) -> None:
        if self._open:
            self._open = False
            cv2.destroyWindow(self._title)
