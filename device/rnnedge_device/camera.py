"""Live sources: a thread captures, the latest frame wins, what was overtaken is counted."""

import glob
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2

from rnnedge_device.errors import SourceError, SourceLostError
from rnnedge_device.source import Frame, Source


class LiveSource(Source):
    """Frames as they come; a slow consumer gets the newest and `dropped` counts the others.

    Args:
        capture: an opened `cv2.VideoCapture`; it is read in a thread of its own and released by `close`.
        name: for messages.
        patience_s: how long to wait for a frame before the source counts as lost.
    """

    live = True

    def __init__(self, capture: Any, name: str, patience_s: float = 5.0) -> None:
        super().__init__(name, float(capture.get(cv2.CAP_PROP_FPS) or 0.0))
        self._capture, self._patience_s = capture, patience_s
        self._changed = threading.Condition()
        self._latest: Frame | None = None
        self._captured = 0
        self._ended = False
        self._heard = time.monotonic()  # when the last frame came
        # A daemon: a driver that hangs in read() must not keep the process alive.
        self._thread = threading.Thread(target=self._keep_latest, name=f"capture {name}", daemon=True)
        self._thread.start()

    def _keep_latest(self) -> None:
        begin = time.monotonic()
        try:
            while not self.stopped:
                good, image = self._capture.read()
                if not good:
                    break
                with self._changed:
                    if self._latest is not None:
                        self.dropped += 1
                    self._latest = Frame(image, self._captured, (time.monotonic() - begin) * 1000)
                    self._captured += 1
                    self._heard = time.monotonic()
                    self._changed.notify_all()
        except cv2.error:
            pass  # as a failed read: the source is lost
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def ready(self) -> bool:
        return self._latest is not None or self._ended or self.stopped or self._overdue()

    def _overdue(self) -> bool:
        return time.monotonic() - self._heard > self._patience_s

    def frames(self) -> Iterator[Frame]:
        """The newest frame each time; never the same twice.

        Raises:
            SourceLostError: the camera stopped delivering.
        """
        while not self.stopped:
            frame = self._next()
            if frame is not None:
                yield frame

    def _next(self) -> Frame | None:
        with self._changed:
            while self._latest is None and not self._ended and not self.stopped:
                # In slices: stop() is called in a signal handler, which cannot notify.
                self._changed.wait(0.1)
                if self._overdue():
                    raise SourceLostError(f"source {self.name!r}: no frame for {self._patience_s:g} s")
            frame, self._latest = self._latest, None
        if frame is None and not self.stopped:
            raise SourceLostError(f"source {self.name!r}: stopped delivering after {self._captured} frames")
        return frame

    def wait_until_ended(self, timeout_s: float | None = None) -> bool:
        """Block until the capture thread has read its last frame; False if it has not within `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        super().close()
        # Releasing under a read() in progress crashes some drivers; the daemon thread dies with the process.
        if self.wait_until_ended(2.0):
            self._capture.release()


def open_camera(spec: str) -> LiveSource:
    """A camera by index (`0`) or device path (`/dev/video0`).

    Raises:
        SourceError: there is no such camera, or it cannot be opened.
    """
    device = f"/dev/video{spec}" if spec.isdigit() else spec
    if sys.platform == "linux" and not os.path.exists(device):
        present = ", ".join(sorted(glob.glob("/dev/video*"))) or "none"
        raise SourceError(f"source {spec!r}: there is no camera {device}; cameras here: {present}")
    capture = cv2.VideoCapture(int(spec)) if spec.isdigit() else cv2.VideoCapture(spec)
    if not capture.isOpened():
        raise SourceError(f"source {spec!r}: the camera cannot be opened (in use, or no permission?)")
    # Fewer old frames inside the driver: less delay. Drivers that cannot ignore it.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return LiveSource(capture, spec)
