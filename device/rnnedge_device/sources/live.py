"""A thread that captures and keeps the latest frame."""

import threading
import time
from typing import Any

import cv2

from rnnedge_device.errors import SourceError
from rnnedge_device.source import Frame
from rnnedge_device.sources.newest import NewestSource


class LiveSource(NewestSource):
    """What is captured in a thread of this process. For what can hang for ever, see `ProcessSource`.

    Args:
        capture: an opened `cv2.VideoCapture` or what reads like one (`read`, `get`, `release`); it is read in a
            thread of its own and released by `close`.
        name: for messages.
        patience_s: how long to wait for a frame before the source counts as lost.
        ends: is the capture's end the end of the source, as a file's is, or is it lost then?
    """

    def __init__(self, capture: Any, name: str, patience_s: float = 5.0, ends: bool = False) -> None:
        super().__init__(name, float(capture.get(cv2.CAP_PROP_FPS) or 0.0), patience_s)
        self._capture, self._ends = capture, ends
        self._changed = threading.Condition()
        self._latest: Frame | None = None
        # A daemon: a driver that hangs in read() must not keep the process alive.
        self._thread = threading.Thread(target=self._keep_latest, name=f"capture {name}", daemon=True)
        self._thread.start()

    def _keep_latest(self) -> None:
        try:
            while not self.stopped:
                good, image = self._capture.read()
                if not good:
                    break
                now = time.monotonic()
                frame = Frame(image, self._captured, (now - self._begin) * 1000, now)
                with self._changed:
                    if self._latest is not None:
                        self.dropped += 1
                    self._latest = frame
                    self._captured += 1
                    self._heard = now
                    self._changed.notify_all()
        except cv2.error:
            pass  # as a failed read: the source is lost
        except SourceError as problem:
            self._loss = str(problem)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _waiting(self) -> bool:
        return self._latest is not None

    def _take(self, wait_s: float) -> Frame | None:
        with self._changed:
            if self._latest is None and wait_s and not self._ended:
                self._changed.wait(wait_s)
            frame, self._latest = self._latest, None
        return frame

    def _end(self) -> Frame | None:
        return None if self._ends and not self._loss else super()._end()

    def wait_until_ended(self, timeout_s: float | None = None) -> bool:
        """Block until the capture thread has read its last frame; False if it has not within `timeout_s`."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        super().close()
        # Releasing under a read() in progress crashes some drivers; the daemon thread dies with the process.
        if self.wait_until_ended(2.0):
            self._capture.release()
