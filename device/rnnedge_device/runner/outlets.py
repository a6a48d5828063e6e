"""What a runner says goes through here to every sink: named, dated and numbered."""

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from rnnedge_device.events import Event
from rnnedge_device.redaction import redact
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import Sink

_log = logging.getLogger(__name__)


class Outlets:
    """The sinks of a runner. Safe from any thread.

    Every line gets `camera` and `wall`; a promised one also `id`, `RUN-CAMERA-NUMBER`, numbered without a gap for each
    camera, so that who gets a line twice or never can tell.

    Args:
        run: the run's id.
        sinks: by name; may be replaced while it runs.
        numbers: the last one of each camera.
    """

    def __init__(self, run: str, sinks: Mapping[str, Sink]) -> None:
        self.run, self.sinks = run, dict(sinks)
        self.numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def say(self, message: Message) -> None:
        """Give a message to every sink. One that fails in a way it should not costs the others nothing."""
        # One at a time: the order of the numbers is the order in which sinks see them.
        with self._lock:
            if message.line:
                message = Message(message.camera, self._completed(message), message.frame, message.prediction)
            for name, sink in self.sinks.items():
                try:
                    sink.put(message)
                except Exception:
                    _log.exception("the sink failed", extra={"sink": name})

    def health(self, camera: str, kind: str, detail: str, ts_ms: float) -> None:
        """A line about a camera's health, without secrets: a driver's message may name the address it opened."""
        detail = redact(detail)
        _log.warning("%s: %s", kind, detail, extra={"camera": camera})
        self.say(Message(camera, {"ts_ms": round(ts_ms, 3), "health": kind, "detail": detail}))

    def _completed(self, message: Message) -> Event:
        wall = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {**message.line, "camera": message.camera, "wall": wall}
        if message.promised:
            number = self.numbers[message.camera] = self.numbers.get(message.camera, 0) + 1
            line["id"] = f"{self.run}-{message.camera}-{number}"
        return line
