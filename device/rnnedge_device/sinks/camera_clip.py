"""One camera's last seconds, its events, and the clip that is being made of them."""

from rnnedge_device.events import Event
from rnnedge_device.sinks.pre_roll import PreRoll, Still
from rnnedge_device.sinks.recording import Recording

_KNOWN_AFTER_S = 5.0  # an event is told some time after it began; so much further back is kept


class CameraClip:
    """From stills and lines of one camera: what belongs into a clip, and when it is over.

    Args:
        name: of the camera.
        pre_s: seconds before an event.
        ring_bytes: memory for them.
        recording: the clip being made; None for none.
        lines: told since the clip's first event.
    """

    def __init__(self, name: str, pre_s: float, ring_bytes: int) -> None:
        self.name = name
        self.recording: Recording | None = None
        self.lines: list[Event] = []
        self._ring = PreRoll(pre_s + _KNOWN_AFTER_S, ring_bytes)
        self._running: set[str] = set()
        self._starts = 0
        self._until_ms = self._began_ms = self._last_ms = 0.0

    def see(self, still: Still) -> None:
        """A still, which goes into the clip too, if there is one.

        Raises:
            OSError: the film cannot be written.
        """
        self._last_ms = still.ts_ms
        self._ring.add(still)
        if self.recording is not None:
            self.recording.add(still)

    def over(self, ts_ms: float, most_ms: float) -> bool:
        """Is the clip to end before a still of this time?"""
        if self.recording is None or self.recording.start_ms is None:
            return False  # with no picture yet the next one stands for those that were left out
        ended = not self._running and ts_ms > self._until_ms
        return ended or ts_ms - self._began_ms > most_ms or ts_ms < self._last_ms

    def hear(self, line: Event, post_ms: float) -> bool:
        """A line about an event or about health; is it the start of an event?"""
        kind, label = line.get("event"), str(line.get("label", ""))
        if kind == "start":
            self._starts += 1
            self._running.add(label)
        elif kind == "end":
            self._running.discard(label)
        if kind:
            self._until_ms = max(self._until_ms, float(line.get("ts_ms", 0.0)) + post_ms)
        if self._starts:
            self.lines.append(line)
        return kind == "start"

    def begin(self, recording: Recording, line: Event, pre_ms: float) -> None:
        """A clip, with what was seen since `pre_ms` before the event that `line` tells of.

        Raises:
            OSError: the film cannot be written.
        """
        self.recording = recording
        start_ms = float(line["start_ms"] if "start_ms" in line else line["ts_ms"])
        self._began_ms = start_ms - pre_ms
        for still in self._ring.since(self._began_ms):
            recording.add(still)

    def end(self) -> int:
        """The clip is over, in whatever way; how many events began in it?"""
        starts, self._starts, self.recording = self._starts, 0, None
        self._running.clear()
        self.lines, self._until_ms = [], 0.0
        return starts
