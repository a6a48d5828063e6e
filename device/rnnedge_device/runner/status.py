"""What a runner knows about itself, for whoever asks: the web view, MQTT, the watchdog."""

import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rnnedge_device.interpreter import runtime_version
from rnnedge_device.runner.camera_status import CameraStatus
from rnnedge_device.sinks.sink import Sink

# The states of a camera that runs as it should.
_WELL = ("starting", "running", "stopped")


class RunnerStatus:
    """The state of a runner. Filled by its threads, asked by any.

    Args:
        run: the run's id, the first part of the id of every promised line.
        cameras: one each, by name. Replaced as a whole when the config is read again.
        sinks: by name; likewise.
        progress: grows with every frame answered, of any camera: what the watchdog looks at.
        heat: gives `{"temperature_c": float | None, "throttled": list[str] | None}`; None where nobody measures.

    Example:
        status = RunnerStatus("8f3a90", {"door": CameraStatus("door", source="0", bundle="actions.rnnedge")})
        status.snapshot()["cameras"]["door"]["state"]  # "starting"
    """

    def __init__(
        self,
        run: str,
        cameras: Mapping[str, CameraStatus] | None = None,
        sinks: Mapping[str, Sink] | None = None,
        heat: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.run = run
        self.cameras, self.sinks = dict(cameras or {}), dict(sinks or {})
        self._heat = heat
        self._begin = time.monotonic()
        self._lock = threading.Lock()
        self._progress = 0

    @property
    def progress(self) -> int:
        return self._progress

    def advance(self) -> None:
        """One more frame was answered."""
        with self._lock:
            self._progress += 1

    def snapshot(self) -> dict[str, Any]:
        """Everything at this moment, ready for JSON:

        `{"run", "uptime_s", "version", "runtime", "healthy", "temperature_c", "throttled", "cameras": {name: see
        CameraStatus.snapshot}, "sinks": {name: see Sink.status}}`. Healthy is a runner none of whose cameras is
        lost, recovering or given up.
        """
        cameras = {name: camera.snapshot() for name, camera in list(self.cameras.items())}
        heat = self._heat() if self._heat else {}
        return {
            "run": self.run,
            "uptime_s": round(time.monotonic() - self._begin, 3),
            "version": _version(),
            "runtime": runtime_version(),
            "healthy": all(camera["state"] in _WELL for camera in cameras.values()),
            "temperature_c": heat.get("temperature_c"),
            "throttled": heat.get("throttled"),
            "cameras": cameras,
            "sinks": {name: sink.status() for name, sink in list(self.sinks.items())},
        }


def _version() -> str:
    try:
        return version("rnnedge")
    except PackageNotFoundError:  # run from a copied folder
        return "unknown"
