"""Figures for Prometheus, in a registry of their own."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from rnnedge_device.web.live import LiveView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("starting", "running", "recovering", "stopped", "failed")
_QUANTILES = {"median": "0.5", "p95": "0.95", "p99": "0.99"}
_COUNTERS = {
    "frames": "Frames answered or passed over at the model's rate.",
    "steps": "Model steps.",
    "dropped": "Frames that came too fast and were left out.",
    "skipped": "Frames that could not be read.",
    "restarts": "Times the source was opened anew.",
}
_GAUGES = {
    "fps": ("fps", "Frames a second."),
    "last_frame_age_s": ("last_frame_age_seconds", "Since the last frame."),
    "score": ("score", "Of the present label."),
}
_LATENCIES = {
    "latency_ms": ("inference_seconds", "Time in the interpreter."),
    "capture_to_event_ms": ("capture_to_event_seconds", "From taking a frame to its answer."),
}


class Metrics:
    """The runner's figures as they are when asked for.

    Args:
        snapshot: as `RunnerStatus.snapshot`; a figure that is missing or None is left out.
        view: for counts of events and health lines.
        streams: `{camera: (how many look, pictures encoded)}`.
        wrong_tokens: how many there were.
    """

    def __init__(
        self,
        snapshot: Callable[[], dict[str, Any]],
        view: LiveView,
        streams: Callable[[], dict[str, tuple[int, int]]],
        wrong_tokens: Callable[[], int],
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Runner(snapshot, view, streams, wrong_tokens))

    def text(self) -> bytes:
        """In the text format that Prometheus reads."""
        return generate_latest(self._registry)


class _Runner(Collector):
    def __init__(self, snapshot: Any, view: LiveView, streams: Any, wrong_tokens: Any) -> None:
        self._snapshot, self._view, self._streams, self._wrong_tokens = snapshot, view, streams, wrong_tokens

    def describe(self) -> list[Metric]:
        return []  # nothing is collected before it is asked for

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        about = {key: str(now[key]) for key in ("run", "version", "runtime") if now.get(key) is not None}
        yield InfoMetricFamily("rnnedge_runner", "The runner.", value=about)
        yield _gauge("healthy", "1 where all is well.", float(bool(now.get("healthy"))))
        for key, name, text in (
            ("uptime_s", "uptime_seconds", "Since the start."),
            ("temperature_c", "temperature_celsius", "Of the processor."),
        ):
            if now.get(key) is not None:
                yield _gauge(name, text, now[key])
        if now.get("throttled") is not None:
            yield _gauge(
                "throttled", "Reasons for which the processor is slowed down.", len(now["throttled"])
            )
        yield from _cameras(now.get("cameras", {}))
        yield from _sinks(now.get("sinks", {}))
        yield from self._seen()

    def _seen(self) -> Iterator[Metric]:
        events = CounterMetricFamily("rnnedge_events", "Events that began.", labels=("camera", "label"))
        health = CounterMetricFamily("rnnedge_health_lines", "What was said.", labels=("camera", "health"))
        for name, camera in self._view.cameras.items():
            for family, counts in ((events, camera.events), (health, camera.health)):
                for what, count in dict(counts).items():
                    family.add_metric((name, what), count)
        viewers = GaugeMetricFamily("rnnedge_web_viewers", "Who look at the stream.", labels=("camera",))
        encoded = CounterMetricFamily("rnnedge_web_pictures", "Pictures encoded.", labels=("camera",))
        for name, (looking, count) in self._streams().items():
            viewers.add_metric((name,), looking)
            encoded.add_metric((name,), count)
        yield from (events, health, viewers, encoded)
        yield CounterMetricFamily("rnnedge_web_wrong_tokens", "Shown so far.", value=self._wrong_tokens())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"rnnedge_{name}", text, value=value)


def _cameras(cameras: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    one = ("camera",)
    info = InfoMetricFamily("rnnedge_camera", "What the camera is and runs.", labels=one)
    state = GaugeMetricFamily("rnnedge_camera_state", "1 for what it is doing.", labels=("camera", "state"))
    rate = GaugeMetricFamily("rnnedge_model_rate", "Model steps a second.", labels=("camera", "kind"))
    resets = CounterMetricFamily("rnnedge_resets", "Times the state began anew.", labels=("camera", "reason"))
    counters = {
        key: CounterMetricFamily(f"rnnedge_{key}", text, labels=one) for key, text in _COUNTERS.items()
    }
    gauges = {
        key: GaugeMetricFamily(f"rnnedge_{name}", text, labels=one) for key, (name, text) in _GAUGES.items()
    }
    latencies = {
        key: GaugeMetricFamily(f"rnnedge_{name}", text, labels=("camera", "quantile"))
        for key, (name, text) in _LATENCIES.items()
    }
    for name, camera in cameras.items():
        about = {
            key: str(camera[key]) for key in ("bundle_sha256", "form", "task") if camera.get(key) is not None
        }
        info.add_metric((name,), about)
        for word in _STATES:
            state.add_metric((name, word), float(camera.get("state") == word))
        for group in (counters, gauges):
            for key, family in group.items():
                if camera.get(key) is not None:
                    family.add_metric((name,), camera[key])
        for key, latency in latencies.items():
            for word, quantile in _QUANTILES.items():
                value = (camera.get(key) or {}).get(word)
                if value is not None:
                    latency.add_metric((name, quantile), value / 1000)
        for kind, value in (camera.get("model_rate") or {}).items():
            if value is not None:
                rate.add_metric((name, kind), value)
        for reason, count in (camera.get("resets") or {}).items():
            resets.add_metric((name, reason), count)
    yield from (info, state, rate, resets, *counters.values(), *gauges.values(), *latencies.values())


def _sinks(sinks: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    one = ("sink",)
    queued = GaugeMetricFamily("rnnedge_sink_queued", "Promised lines that wait.", labels=one)
    sent = CounterMetricFamily("rnnedge_sink_sent", "Promised lines delivered.", labels=one)
    lost = CounterMetricFamily("rnnedge_sink_lost", "Promised lines given up.", labels=one)
    failing = GaugeMetricFamily("rnnedge_sink_failing", "1 where it cannot deliver.", labels=one)
    for name, status in sinks.items():
        queued.add_metric((name,), status.get("queued", 0))
        sent.add_metric((name,), status.get("sent", 0))
        lost.add_metric((name,), status.get("lost", 0))
        failing.add_metric((name,), float(status.get("failing") is not None))
    yield from (queued, sent, lost, failing)
