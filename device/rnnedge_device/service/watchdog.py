"""Signs of life that mean something: given while frames are answered, withheld when nothing moves any more."""

import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

from rnnedge_device.service.notify import Notifier


class Status(Protocol):
    """What is asked of the runner's status. `progress` grows with every frame answered, of any camera."""

    @property
    def progress(self) -> int: ...

    def snapshot(self) -> dict[str, Any]:
        """Has `cameras`: `{name: {"state", "restarts"}}`, see `Liveness`."""


@dataclass
class _Camera:
    """How a camera that is not running was seen last, and since when it is so."""

    state: str
    restarts: int
    since_s: float


class Liveness:
    """Is the runner alive? Frames that are answered say so; where none come, the cameras' states do.

    A camera in the state `running` is expected to deliver: without progress there is no life. Where there is none
    such, one that is `starting` or `recovering` speaks for the runner as long as it is getting on with it: each
    restart counts, up to its budget, and so does the time until the next one, but not more than `patience_s`. One
    that is `stopped` or `failed` has nothing to do any more; if all are, the runner is about to end by itself.

    Args:
        patience_s: the longest time between two restarts of a camera, its back-off and its opening included.
        budget: restarts of one camera after the last frame of any; more are no sign of life.
    """

    def __init__(self, patience_s: float = 120.0, budget: int = 10) -> None:
        self._patience_s, self._budget = patience_s, budget
        self._progress: int | None = None
        self._cameras: dict[str, _Camera] = {}
        self._restarts: dict[str, int] = {}  # of each camera when a frame was last answered

    def alive(self, status: Status, now_s: float) -> bool:
        """Has anything moved since the last call, or is somebody about to move it?

        Args:
            now_s: of a clock that does not go back.
        """
        progress, cameras = status.progress, status.snapshot()["cameras"]
        moved, self._progress = progress != self._progress, progress
        if moved:
            self._restarts = {name: camera["restarts"] for name, camera in cameras.items()}
        known = self._cameras
        self._cameras = {name: self._seen(known.get(name), camera, now_s) for name, camera in cameras.items()}
        if moved:
            return True
        states = {camera.state for camera in self._cameras.values()}
        if states <= {"stopped", "failed"}:
            return True
        if "running" in states:
            return False
        return any(self._getting_on(name, camera, now_s) for name, camera in self._cameras.items())

    @staticmethod
    def _seen(before: _Camera | None, camera: dict[str, Any], now_s: float) -> _Camera:
        state, restarts = camera["state"], camera["restarts"]
        if before is not None and (before.state, before.restarts) == (state, restarts):
            return before
        return _Camera(state, restarts, now_s)

    def _getting_on(self, name: str, camera: _Camera, now_s: float) -> bool:
        if camera.state not in ("starting", "recovering"):
            return False
        used = camera.restarts - self._restarts.get(name, 0)
        return used <= self._budget and now_s - camera.since_s <= self._patience_s


class Watchdog:
    """Pings systemd from a thread of its own while `Liveness` says yes, and keeps the status line up to date.

    A context manager. Without a service manager, or one that waits for no pings, it does only the latter or nothing.

    Args:
        status: the runner's.
        notifier: to systemd.
        liveness: None for the usual one.

    Example:
        with Notifier() as notifier, Watchdog(status, notifier):
            notifier.ready()
            ...
    """

    def __init__(self, status: Status, notifier: Notifier, liveness: Liveness | None = None) -> None:
        self._status, self._notifier, self._liveness = status, notifier, liveness or Liveness()
        # Three looks in the time that systemd allows: one that falls between two frames of a slow camera is no harm.
        self._every_s = (notifier.watchdog_s or 30.0) / 3
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        if self._notifier.listened_to:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            alive = self._liveness.alive(self._status, time.monotonic())
            if alive and self._notifier.watchdog_s is not None:
                self._notifier.watchdog()
            self._notifier.status(status_line(self._status.snapshot(), alive))


def status_line(snapshot: dict[str, Any], alive: bool = True) -> str:
    """A line for people: each camera, its state and its frames a second."""
    parts = []
    for name, camera in snapshot["cameras"].items():
        fps = camera.get("fps")
        parts.append(f"{name}: {camera['state']}" + (f" {fps:.1f} fps" if fps else ""))
    return ("" if alive else "NO PROGRESS; ") + ("; ".join(parts) or "no cameras")
