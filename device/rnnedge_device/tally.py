"""What a stream counts: frames, steps, labels, events, resets, captions and latencies."""

import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnedge_device.caption_stream import CaptionPrediction
from rnnedge_device.classify import Prediction
from rnnedge_device.clip_stream import ClipPrediction
from rnnedge_device.source import Source

# Of how many steps the latencies are kept: an endless stream must not grow.
_KEPT = 10_000


class Tally:
    """What a stream has counted; filled while it runs, so it is there after an error too."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources
        self._frames = Counter[int]()
        self._steps = 0
        self._labels, self._events, self._resets = Counter[str](), Counter[str](), Counter[str]()
        self._clips = self._captions = False
        self._reasons = Counter[str]()
        self._encode: deque[float] = deque(maxlen=_KEPT)
        self._decode: deque[float] = deque(maxlen=_KEPT)
        self._latency: deque[float] = deque(maxlen=_KEPT)
        self._total: deque[float] = deque(maxlen=_KEPT)
        self._begin = time.monotonic()

    @property
    def frames(self) -> int:
        """Frames seen, of all sources."""
        return self._frames.total()

    def add(self, number: int, predictions: Sequence[Prediction]) -> None:
        """A frame of source `number` and the answers to it."""
        self._frames[number] += 1
        self.answers(predictions)

    def answers(self, predictions: Sequence[Prediction]) -> None:
        """What comes without a further frame, as a caption at the end of its source."""
        for prediction in predictions:
            if isinstance(prediction, CaptionPrediction):
                self._add_caption(prediction)
                continue
            self._steps += 1
            self._labels[prediction.label] += 1
            self._latency.append(prediction.latency_us)
            self._total.append(prediction.total_us)
            if isinstance(prediction, ClipPrediction):
                self._clips = True
                self._events.update(
                    event["label"] for event in prediction.events if event["event"] == "start"
                )
                self._resets.update([prediction.reset] if prediction.reset else [])

    def _add_caption(self, prediction: CaptionPrediction) -> None:
        self._captions, finished = True, prediction.finished
        if finished is None:
            return
        # No text is counted: an endless stream has endlessly many.
        self._reasons[finished.reason] += 1
        self._encode.append(finished.caption.encode_us)
        self._decode.append(finished.caption.decode_us)
        self._latency.append(finished.caption.encode_us + finished.caption.decode_us)
        self._total.append(finished.total_us)

    def to_dict(self) -> dict[str, Any]:
        """`{"frames", "fps", "dropped", "skipped", "seconds", "latency_us", "total_us", "labels"}`.

        `latency_us` (interpreter) and `total_us` (with preprocessing) have the median and the 95th
        percentile of the last 10,000 steps; they are None without frames. A clip model adds `steps`,
        `events` (how many of each label began) and `resets` (how many, by reason); a caption model adds
        `captions`, `reasons` (how many, by reason), `encode_us` (with preprocessing) and `decode_us`, has no
        `labels`, and its latencies are of captions. Several sources add `sources`,
        `{name: {"frames", "dropped", "skipped"}}`.
        """
        seconds = time.monotonic() - self._begin
        result: dict[str, Any] = {
            "frames": self.frames,
            "fps": round(self.frames / seconds, 1) if seconds > 0 else 0.0,
            "dropped": sum(source.dropped for source in self._sources),
            "skipped": sum(source.skipped for source in self._sources),
            "seconds": round(seconds, 3),
            "latency_us": _percentiles(self._latency),
            "total_us": _percentiles(self._total),
            "labels": dict(self._labels.most_common()),
        }
        if self._clips:
            result |= {"steps": self._steps, "events": dict(self._events), "resets": dict(self._resets)}
        if self._captions:
            result |= {
                "captions": self._reasons.total(),
                "reasons": dict(self._reasons),
                "encode_us": _percentiles(self._encode),
                "decode_us": _percentiles(self._decode),
            }
        if len(self._sources) > 1:
            result["sources"] = {
                name: {"frames": self._frames[number], "dropped": source.dropped, "skipped": source.skipped}
                for number, (name, source) in enumerate(
                    zip(distinct_names(self._sources), self._sources, strict=True)
                )
            }
        return result


def distinct_names(sources: Sequence[Source]) -> list[str]:
    """The sources' names; one that was there before gets `#2`, `#3`, …"""
    seen = Counter[str]()
    names = []
    for source in sources:
        seen[source.name] += 1
        names.append(source.name if seen[source.name] == 1 else f"{source.name}#{seen[source.name]}")
    return names


def _percentiles(values: deque[float]) -> dict[str, float] | None:
    if not values:
        return None
    median, p95 = np.percentile(np.fromiter(values, np.float64), (50, 95))
    return {"median": round(float(median), 1), "p95": round(float(p95), 1)}
