"""A small real pipeline for the web view: drawn frames at a camera's pace through a tiny clip model, into the view."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from watching import watch

from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError
from rnnedge_device.interpreter import runtime_version
from rnnedge_device.sinks.message import Message
from rnnedge_device.source import Frame, Source
from rnnedge_device.sources import SyntheticSource
from rnnedge_device.stream import stream
from rnnedge_device.tally import Tally
from rnnedge_device.web.live import LiveView


class Paced(Source):
    """The drawn frames at their own rate, their light rising and falling, so that labels come and go."""

    live = True

    def __init__(self, name: str, fps: float = 20.0, size: str = "320x240") -> None:
        super().__init__(name, fps)
        self._drawn = SyntheticSource(f"synthetic:{size}@{fps:g}")

    def frames(self) -> Iterator[Frame]:
        begin = time.monotonic()
        for frame in self._drawn:
            time.sleep(max(0.0, begin + frame.ts_ms / 1000 - time.monotonic()))
            turns = 2 * math.pi * frame.ts_ms / 1000
            light = 50 + 30 * math.sin(turns / 5) + 20 * math.sin(turns / 3.3)  # now slowly, now quickly
            yield Frame((frame.image * 0.6 + light).astype(np.uint8), frame.index, frame.ts_ms)


class LiveRun:
    """Cameras in threads of their own; status and controls as the runner has them.

    Args:
        make_model: called for each camera, since a model is for one thread.
    """

    def __init__(
        self, make_model: Callable[[], ClipModel], names: tuple[str, ...] = ("door",), **source: Any
    ) -> None:
        self.view = LiveView()
        self.healthy = True
        self.asked: list[tuple[str, ...]] = []
        self._models = {name: make_model() for name in names}
        self._begin = time.monotonic()
        self.sources = {name: Paced(name, **source) for name in names}
        self.tallies = {name: Tally(source) for name, source in self.sources.items()}
        self._lock, self._count = threading.Lock(), 0

    def _run(self, name: str) -> None:
        source = self.sources[name]

        def sink(frame: Frame, prediction: Any, line: dict[str, Any]) -> None:
            if line:
                line = {**line, "camera": name, "wall": _wall()}
            if "event" in line:
                with self._lock:
                    self._count += 1
                line["id"] = f"run-{name}-{self._count}"
            self.view.put(Message(name, line, frame, prediction))

        stream(source, self._models[name], [watch(sink)], tally=self.tallies[name])

    def say(self, camera: str, health: str, detail: str = "") -> None:
        """A line about health."""
        line = {"ts_ms": 0.0, "camera": camera, "wall": _wall(), "health": health, "detail": detail}
        self.view.put(Message(camera, line))

    @contextlib.contextmanager
    def running(self) -> Iterator["LiveRun"]:
        threads = [threading.Thread(target=self._run, args=(name,), daemon=True) for name in self.sources]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            for source in self.sources.values():
                source.stop()
            for thread in threads:
                thread.join(10)

    # --- as RunnerStatus and Controls

    def snapshot(self) -> dict[str, Any]:
        return {
            "run": "8f3a",
            "uptime_s": time.monotonic() - self._begin,
            "version": "0.1.0",
            "runtime": runtime_version(),
            "healthy": self.healthy,
            "temperature_c": 51.5,
            "throttled": [],
            "cameras": {name: self._camera(name) for name in self.sources},
            "sinks": {"web": self.view.status()},
        }

    def _camera(self, name: str) -> dict[str, Any]:
        found, (_, frame, prediction) = self.tallies[name].to_dict(), self.view.camera(name).picture()
        micros = found["latency_us"] or {}
        return {
            "source": f"rtsp://user:hidden@127.0.0.1/{name}",
            "bundle": "light.rnnedge",
            "bundle_sha256": "0" * 64,
            "form": "step",
            "task": "clips",
            "state": "running",
            "health": None,
            "fps": found["fps"],
            "frames": found["frames"],
            "steps": found.get("steps", 0),
            "dropped": found["dropped"],
            "skipped": found["skipped"],
            "restarts": 0,
            "last_frame_age_s": 0.02 if frame is not None else None,
            "latency_ms": {key: value / 1000 for key, value in micros.items()},
            "capture_to_event_ms": None,
            "model_rate": {"wanted": 10.0, "actual": 10.0},
            "label": getattr(prediction, "label", None),
            "score": getattr(prediction, "score", None),
            "running": list(getattr(prediction, "running", ())),
            "resets": found.get("resets", {}),
        }

    def reset(self, camera: str) -> None:
        self.asked.append(("reset", camera))
        self._models[camera].reset()

    def swap(self, camera: str, bundle: Path) -> None:
        self.asked.append(("swap", camera, bundle.name))

    def rollback(self, camera: str) -> None:
        raise InputError(f"camera {camera!r}: there is no bundle to go back to")


def _wall() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
