"""The sink of the web view."""

import threading
from typing import Any

from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import Sink
from rnnedge_device.web.camera_view import CameraView


class LiveView(Sink):
    """Keeps of each camera what a page shows.

    Nothing is promised: a view shows what is newest, so that `put` costs microseconds, whoever looks.

    Example:
        view = LiveView()
        view.put(Message("door", {"ts_ms": 40.0, "label": "fall", "score": 0.93}, frame, prediction))
        view.camera("door").history()
    """

    def __init__(self, name: str = "web") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._cameras: dict[str, CameraView] = {}
        self._sent = 0

    def put(self, message: Message) -> None:
        """Keep the message. Safe from several threads."""
        self.camera(message.camera).put(message)
        if message.promised:
            with self._lock:
                self._sent += 1

    def camera(self, name: str) -> CameraView:
        """Of that name; an empty one where there has been no message yet."""
        view = self._cameras.get(name)
        if view is None:
            with self._lock:
                view = self._cameras.setdefault(name, CameraView(name))
        return view

    @property
    def cameras(self) -> dict[str, CameraView]:
        """Those that have said something, by name, and those that were asked for."""
        with self._lock:
            return dict(self._cameras)

    def status(self) -> dict[str, Any]:
        """`sent` is the promised lines that were taken to be shown; none waits and none is lost."""
        return {"queued": 0, "sent": self._sent, "lost": 0, "failing": None}

    def close(self, deadline_s: float = 5.0) -> None:
        """Nothing is held that would have to be given back; the server is closed by who started it."""
