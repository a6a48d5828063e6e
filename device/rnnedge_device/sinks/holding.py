"""What stands in for a sink while that is closed and opened anew, so that nothing promised falls between."""

import threading
from typing import Any

from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import Sink


class Holding(Sink):
    """Keeps promised lines, without their pictures, until `hand_over`, and then passes everything on.

    Args:
        name: of the sink it stands in for.

    Example:
        held = Holding("mqtt")
        held.put(message)
        held.hand_over(sink)
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._held: list[Message] = []
        self._sink: Sink | None = None
        self._lock = threading.Lock()

    def put(self, message: Message) -> None:
        with self._lock:
            if self._sink is not None:
                self._sink.put(message)
            elif message.promised:
                self._held.append(Message(message.camera, message.line))

    def hand_over(self, sink: Sink) -> None:
        """Give what was kept to a sink, and after it whatever still comes."""
        with self._lock:
            for message in self._held:
                sink.put(message)
            self._held, self._sink = [], sink

    def status(self) -> dict[str, Any]:
        with self._lock:
            return {"queued": len(self._held), "sent": 0, "lost": 0, "failing": "is being opened anew"}

    def close(self, deadline_s: float = 5.0) -> None:
        pass
