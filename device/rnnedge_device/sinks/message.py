"""What the runner says to a sink: a line, and where there is one the picture it is about."""

from dataclasses import dataclass

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.source import Frame


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell.

    Args:
        camera: its name, from the config; the source's name otherwise.
        line: ready for JSON; {} where a frame has nothing to say and there is a picture only. Every other line has
            `ts_ms`, and in a runner `camera` and `wall` (UTC, ISO 8601, for people). Of a promised line also `id`,
            stable and unique: who gets a line twice can tell.
        frame, prediction: None for a line about health that has no picture.

    Example:
        Message("door", {"ts_ms": 40.0, "event": "start", "label": "fall", "id": "8f3a-door-1"}).promised  # True
    """

    camera: str
    line: Event
    frame: Frame | None = None
    prediction: Prediction | None = None

    @property
    def kind(self) -> str:
        """`picture` (nothing to say), `health`, `event` (start or end), `caption` (finished) or `step`."""
        if not self.line:
            return "picture"
        for key, kind in (("health", "health"), ("event", "event"), ("reason", "caption")):
            if key in self.line:
                return kind
        return "step"

    @property
    def promised(self) -> bool:
        """Is it something a sink must deliver or count as lost? Events, captions and health are; steps are not."""
        return self.kind in ("health", "event", "caption")
