"""From scores a frame to events: smoothing, hysteresis, minimum length, refractory time."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import InputError
from rnnedge_device.fields import Fields, is_number

Event = dict[str, Any]


@dataclass(frozen=True)
class EventRules:
    """When a score becomes an event. Times in milliseconds, scores 0..1.

    Args:
        smooth_ms: time constant of the exponential mean over the scores; 0 takes them as they are.
        on: a label's smoothed score that begins an event.
        off: the score below which it ends; at most `on`.
        min_ms: an event is reported once it has lasted this long; a shorter one vanishes.
        refractory_ms: for so long after its end the same label begins no other.

    Raises:
        InputError: a value out of its range.
    """

    smooth_ms: float = 300.0
    on: float = 0.6
    off: float = 0.4
    min_ms: float = 200.0
    refractory_ms: float = 500.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not is_number(value) or value < 0:
                raise InputError(f"events: {name} = {value!r}: must be a number, 0 or more")
        if not 0 < self.off <= self.on <= 1:
            raise InputError(f"events: on = {self.on!r}, off = {self.off!r}: must be 0 < off <= on <= 1")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(
        cls, data: Any, where: str = "events", error: type[InputError] = InputError
    ) -> "EventRules":
        fields = Fields(data, where, error)
        found = {name: fields.number(name) for name in cls.__dataclass_fields__}
        fields.done()
        try:
            return cls(**found)
        except InputError as problem:
            raise error(f"{where}: {problem}") from None


@dataclass(slots=True)
class _Run:
    """A label whose score is up: since when, how high at most, and whether it was reported."""

    start_ms: float
    peak: float
    reported: bool = False


class EventDecoder:
    """Scores of one source, step by step, to the starts and ends of events.

    A label's smoothed score that reaches `on` begins an event there; it is reported as a `start` once it
    has lasted `min_ms`, and as an `end` when the score falls below `off`. Several labels may run at once.

    Args:
        labels: class names, in the order of the scores.
        background: the label of no event; "" for none.
        rules: thresholds and times.

    Raises:
        InputError: `background` is not one of the labels.

    Example:
        decoder = EventDecoder(("none", "fall"), "none", EventRules())
        for ts_ms, scores in steps:
            for event in decoder.step(ts_ms, scores):
                print(event["event"], event["label"], event["start_ms"])
    """

    def __init__(self, labels: Sequence[str], background: str, rules: EventRules) -> None:
        if background and background not in labels:
            raise InputError(f"background = {background!r}: must be empty or one of {', '.join(labels)}")
        self.rules = rules
        self._labels = [(index, label) for index, label in enumerate(labels) if label != background]
        self.reset()

    def reset(self) -> None:
        """Forget scores, running events and refractory times; nothing is reported."""
        self._smooth: NDArray[np.float64] | None = None
        self._ts_ms = 0.0
        self._runs: dict[str, _Run] = {}
        self._quiet_until: dict[str, float] = {}

    @property
    def running(self) -> tuple[str, ...]:
        """The labels whose start was reported and whose end was not."""
        return tuple(label for label, run in self._runs.items() if run.reported)

    def step(self, ts_ms: float, scores: NDArray[np.floating]) -> list[Event]:
        """One step's probabilities, float `[K]`; the events it starts or ends.

        Args:
            ts_ms: never falling between two resets.

        Returns:
            `{"event": "start"|"end", "label", "start_ms", "end_ms" (end only), "ts_ms", "score"}`, where the
            score is the highest smoothed one so far.
        """
        if self._smooth is None:
            self._smooth = np.array(scores, np.float64)
        else:
            passed = ts_ms - self._ts_ms
            share = -math.expm1(-passed / self.rules.smooth_ms) if self.rules.smooth_ms else 1.0
            self._smooth += share * (scores - self._smooth)
        self._ts_ms = ts_ms
        values, found = self._smooth.tolist(), []
        for index, label in self._labels:
            run = self._runs.get(label)
            if run is not None or values[index] >= self.rules.on:
                found += self._follow(label, run, values[index])
        return found

    def _follow(self, label: str, run: _Run | None, score: float) -> list[Event]:
        ts_ms, rules = self._ts_ms, self.rules
        if run is None:
            if ts_ms < self._quiet_until.get(label, -math.inf):
                return []
            run = self._runs[label] = _Run(ts_ms, score)
        elif score < rules.off:
            return self._end(label, ts_ms)
        run.peak = max(run.peak, score)
        if run.reported or ts_ms - run.start_ms < rules.min_ms:
            return []
        run.reported = True
        return [_event("start", label, run, ts_ms)]

    def _end(self, label: str, ts_ms: float) -> list[Event]:
        run = self._runs.pop(label)
        if not run.reported:
            return []
        self._quiet_until[label] = ts_ms + self.rules.refractory_ms
        return [_event("end", label, run, ts_ms)]

    def finish(self, ts_ms: float | None = None) -> list[Event]:
        """The ends of all running events at `ts_ms` (None: the last step's); the unreported vanish."""
        end_ms = self._ts_ms if ts_ms is None else ts_ms
        return [event for label in list(self._runs) for event in self._end(label, end_ms)]


def _event(kind: str, label: str, run: _Run, ts_ms: float) -> Event:
    event: Event = {"event": kind, "label": label, "start_ms": round(run.start_ms, 3)}
    if kind == "end":
        event["end_ms"] = round(ts_ms, 3)
    return {**event, "ts_ms": round(ts_ms, 3), "score": round(run.peak, 6)}
