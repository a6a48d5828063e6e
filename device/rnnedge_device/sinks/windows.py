"""A window for each camera that is to be shown. One that is closed stays closed; its camera goes on."""

import contextlib
from collections.abc import Collection
from functools import partial

import cv2

from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.pictures import Window, check_display
from rnnedge_device.sinks.sink import DirectSink


class Windows(DirectSink):
    """The annotated frames of these cameras. Everything but its making is for one thread: windows want that.

    Args:
        cameras: their names.

    Raises:
        InputError: there is no display, or this OpenCV has no windows.
    """

    def __init__(self, cameras: Collection[str]) -> None:
        self.name, self._wanted = "window", set(cameras)
        check_display(f"camera {', '.join(sorted(cameras))}: show", "save, [clips] or [web]")
        self._open: dict[str, Window] = {}

    def put(self, message: Message) -> None:
        camera = message.camera
        if camera not in self._wanted or message.frame is None or message.prediction is None:
            return
        if camera not in self._open:
            self._open[camera] = Window(f"rnnedge: {camera}", partial(self._wanted.discard, camera))
        self._open[camera].put(message)
        self.sent += 1
        if camera not in self._wanted:  # somebody closed it
            self._close(camera)

    def close(self, deadline_s: float = 5.0) -> None:
        for camera in list(self._open):
            self._close(camera)

    def _close(self, camera: str) -> None:
        with contextlib.suppress(cv2.error):  # it is gone already
            self._open.pop(camera).close()
