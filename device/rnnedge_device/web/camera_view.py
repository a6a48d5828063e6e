"""What there is to see of one camera: the newest picture, the last lines, five minutes of scores."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.sinks.message import Message
from rnnedge_device.source import Frame

LINES = 200  # promised lines kept
HISTORY_S, SPACING_S = 300.0, 0.5  # of scores: how long, and how far apart


class CameraView:
    """Filled by the pipeline's thread, read by the server's. Its size has a limit, however long it runs.

    Args:
        events: how many events of each label began, and captions (as `caption`).
        health: how many lines about health there were, by what they said.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.events, self.health = Counter[str](), Counter[str]()
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._prediction: Prediction | None = None
        self._pictures = self._numbered = 0
        self._lines: deque[tuple[int, Event]] = deque(maxlen=LINES)
        self._history: deque[tuple[float, float, str]] = deque(maxlen=round(HISTORY_S / SPACING_S))
        self._listeners: tuple[Callable[[], None], ...] = ()

    def put(self, message: Message) -> None:
        """Take a message; calls the listeners where it brought a new picture."""
        with self._lock:
            line, kind = message.line, message.kind
            if message.promised:
                self._numbered += 1
                self._lines.append((self._numbered, line))
                self._count(kind, line)
            if kind in ("step", "caption"):
                self._remember(time.monotonic(), float(line["score"]), str(line["label"]))
            # Several lines about one frame are one picture.
            fresh = message.frame is not None and message.frame is not self._frame
            if fresh:
                self._pictures += 1
                self._frame = message.frame
            self._prediction = message.prediction or self._prediction
            listeners = self._listeners if fresh else ()
        for listener in listeners:
            listener()

    def _count(self, kind: str, line: Event) -> None:
        if kind == "health":
            self.health[str(line["health"])] += 1
        elif kind == "caption":
            self.events["caption"] += 1
        elif line["event"] == "start":
            self.events[str(line["label"])] += 1

    def _remember(self, now: float, score: float, label: str) -> None:
        # The last one of each half second: any rate fits into the same room.
        if self._history and now // SPACING_S == self._history[-1][0] // SPACING_S:
            self._history.pop()
        self._history.append((now, score, label))

    @property
    def number(self) -> int:
        """How many pictures there have been."""
        return self._pictures

    def picture(self) -> tuple[int, Frame | None, Prediction | None]:
        """The newest: its number from 1, the frame, and the last prediction (None before the first)."""
        with self._lock:
            return self._pictures, self._frame, self._prediction

    def lines(self, after: int = 0) -> list[dict[str, Any]]:
        """The promised lines later than number `after`, oldest first; each has its `number`."""
        with self._lock:
            return [{"number": number, **line} for number, line in self._lines if number > after]

    def history(self, after_s: float = 0.0) -> list[tuple[float, float, str]]:
        """`(time, score, label)` later than `after_s` and of the last five minutes; times of `time.monotonic`."""
        begin = max(after_s, time.monotonic() - HISTORY_S)
        with self._lock:
            return [point for point in self._history if point[0] > begin]

    def listen(self, listener: Callable[[], None]) -> None:
        """Have it called with each new picture, in the pipeline's thread: it must be quick and never raise."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def ignore(self, listener: Callable[[], None]) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)
