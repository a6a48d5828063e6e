"""What a runner knows about one camera: state, health, rates and latencies."""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from rnnedge_device.caption_stream import CaptionPrediction
from rnnedge_device.classify import Prediction
from rnnedge_device.clip_stream import ClipPrediction

State = Literal["starting", "running", "recovering", "stopped", "failed"]
_KEPT = 1_000  # of how many steps latencies are kept
_WINDOW_S = 5.0  # over which rates are taken


class CameraStatus:
    """One camera's figures. Filled by the threads of capture and inference, asked by any.

    Args:
        name: from the config.
        source: its text, without a password.
        bundle: path, as the config has it.
        bundle_sha256: of the file that runs.
        form, task: of the model that runs.
        wanted: model steps a second that the bundle or the config asks for; None for as many as come.
    """

    def __init__(
        self,
        name: str,
        *,
        source: str = "",
        bundle: str = "",
        bundle_sha256: str = "",
        form: str = "",
        task: str = "",
        wanted: float | None = None,
    ) -> None:
        self.name, self.source, self.bundle, self.bundle_sha256 = name, source, bundle, bundle_sha256
        self.form, self.task, self.wanted = form, task, wanted
        self.state: State = "starting"
        self.health: str | None = None
        self.frames = self.steps = self.dropped = self.skipped = self.restarts = 0
        self._label, self._score = "", 0.0
        self._running: tuple[str, ...] = ()
        self._resets = Counter[str]()
        self._last_frame_s: float | None = None
        self._frame_times = deque[float](maxlen=_KEPT)
        self._step_times = deque[float](maxlen=_KEPT)
        self._latency = deque[float](maxlen=_KEPT)
        self._to_event = deque[float](maxlen=_KEPT)
        self._ages = deque[float](maxlen=_KEPT)
        self._lock = threading.Lock()

    def answered(self, taken_s: float, begin_s: float, predictions: Sequence[Prediction]) -> None:
        """A frame went through the model and its lines are with the sinks.

        Args:
            taken_s, begin_s: when it was captured and when the model took it, by `time.monotonic`.
            predictions: what came of it.
        """
        now = time.monotonic()
        with self._lock:
            self.frames += 1
            self._frame_times.append(now)
            self._last_frame_s = taken_s
            self._ages.append((begin_s - taken_s) * 1000)
            for prediction in predictions:
                self._take(prediction, now)
            if predictions:
                self._to_event.append((now - taken_s) * 1000)

    def _take(self, prediction: Prediction, now: float) -> None:
        self._label, self._score = prediction.label, prediction.score
        if isinstance(prediction, CaptionPrediction) and prediction.finished is None:
            return
        self.steps += 1
        self._step_times.append(now)
        self._latency.append(prediction.latency_us / 1000)
        if isinstance(prediction, ClipPrediction):
            self._running = prediction.running
            if prediction.reset:
                self._resets[prediction.reset] += 1

    @property
    def ages_ms(self) -> list[float]:
        """How old the last frames were when the model took them."""
        with self._lock:
            return list(self._ages)

    def snapshot(self) -> dict[str, Any]:
        """`{"source", "bundle", "bundle_sha256", "form", "task", "state", "health", "fps", "frames", "steps",
        "dropped", "skipped", "restarts", "last_frame_age_s", "latency_ms", "capture_to_event_ms", "frame_age_ms",
        "model_rate": {"wanted", "actual"}, "label", "score", "running", "resets"}`.

        The three in milliseconds are `{"median", "p95", "p99"}` of the last 1,000, None before the first:
        the interpreter's time, from capture until the sinks have the line, and how old a frame was when the model
        took it. Rates are of the last five seconds.
        """
        now = time.monotonic()
        with self._lock:
            return {
                "source": self.source,
                "bundle": self.bundle,
                "bundle_sha256": self.bundle_sha256,
                "form": self.form,
                "task": self.task,
                "state": self.state,
                "health": self.health,
                "fps": _rate(self._frame_times, now),
                "frames": self.frames,
                "steps": self.steps,
                "dropped": self.dropped,
                "skipped": self.skipped,
                "restarts": self.restarts,
                "last_frame_age_s": None
                if self._last_frame_s is None
                else round(now - self._last_frame_s, 3),
                "latency_ms": _percentiles(self._latency),
                "capture_to_event_ms": _percentiles(self._to_event),
                "frame_age_ms": _percentiles(self._ages),
                "model_rate": {"wanted": self.wanted, "actual": _rate(self._step_times, now)},
                "label": self._label,
                "score": round(self._score, 6),
                "running": list(self._running),
                "resets": dict(self._resets),
            }


def _rate(times: deque[float], now: float) -> float:
    """Events a second over the last few seconds."""
    recent = [when for when in times if now - when <= _WINDOW_S]
    if len(recent) < 2:
        return 0.0
    # To now, not to the last one: a camera that stopped must not look alive.
    return round((len(recent) - 1) / max(recent[-1] - recent[0], now - recent[0] - 1.0, 1e-3), 2)


def _percentiles(values: deque[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = np.percentile(np.fromiter(values, np.float64), (50, 95, 99))
    return {name: round(float(value), 3) for name, value in zip(("median", "p95", "p99"), found, strict=True)}
