"""The loop: frames → classifier → events → sinks."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from rnnedge_device.classify import Classifier, Prediction
from rnnedge_device.sinks import Event, Sink
from rnnedge_device.source import Frame, Source

# Of how many frames the latencies are kept: an endless stream must not grow.
_KEPT = 10_000


class Tally:
    """What a stream has counted; filled while it runs, so it is there after an error too."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.frames = 0
        self.labels: Counter[str] = Counter()
        self._latency: deque[float] = deque(maxlen=_KEPT)
        self._total: deque[float] = deque(maxlen=_KEPT)
        self._begin = time.monotonic()

    def add(self, prediction: Prediction) -> None:
        self.frames += 1
        self.labels[prediction.label] += 1
        self._latency.append(prediction.latency_us)
        self._total.append(prediction.total_us)

    def to_dict(self) -> dict[str, Any]:
        """`{"frames", "fps", "dropped", "skipped", "seconds", "latency_us", "total_us", "labels"}`.

        `latency_us` (interpreter) and `total_us` (with preprocessing) have the median and the 95th
        percentile of the last 10,000 frames; they are None without frames.
        """
        seconds = time.monotonic() - self._begin
        return {
            "frames": self.frames,
            "fps": round(self.frames / seconds, 1) if seconds > 0 else 0.0,
            "dropped": self._source.dropped,
            "skipped": self._source.skipped,
            "seconds": round(seconds, 3),
            "latency_us": _percentiles(self._latency),
            "total_us": _percentiles(self._total),
            "labels": dict(self.labels.most_common()),
        }


def stream(
    source: Source,
    classifier: Classifier,
    sinks: Sequence[Sink] = (),
    max_frames: int | None = None,
    tally: Tally | None = None,
) -> dict[str, Any]:
    """Classify frame after frame until the source ends, is stopped, or gave `max_frames`.

    Args:
        tally: counts into this one, for a caller who wants the figures after an error.

    Returns:
        The summary, see `Tally.to_dict`.
    """
    tally = tally or Tally(source)
    for frame in islice(source, max_frames):
        prediction = classifier.predict(frame.image)
        tally.add(prediction)
        event = make_event(frame, prediction, classifier.manifest.task)
        for sink in sinks:
            sink(frame, prediction, event)
    return tally.to_dict()


def make_event(frame: Frame, prediction: Prediction, task: str) -> Event:
    """`{"ts_ms", "frame", "task", "label", "score", "latency_ms"}`; the latency is the interpreter's."""
    return {
        "ts_ms": round(frame.ts_ms, 3),
        "frame": frame.index,
        "task": task,
        "label": prediction.label,
        "score": round(prediction.score, 6),
        "latency_ms": round(prediction.latency_us / 1000, 4),
    }


def _percentiles(values: deque[float]) -> dict[str, float] | None:
    if not values:
        return None
    median, p95 = np.percentile(np.fromiter(values, np.float64), (50, 95))
    return {"median": round(float(median), 1), "p95": round(float(p95), 1)}
