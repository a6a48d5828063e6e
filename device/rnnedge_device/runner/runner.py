"""A runner from config to exit code: cameras, sinks and web view started, watched, reloaded and drained."""

import logging
import secrets
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import cv2

from rnnedge_device.errors import InputError
from rnnedge_device.runner.cameras import Cameras
from rnnedge_device.runner.config import Config, load_config
from rnnedge_device.runner.outlets import Outlets
from rnnedge_device.runner.seat import Seat
from rnnedge_device.runner.sinks import ConfiguredSinks
from rnnedge_device.runner.status import RunnerStatus
from rnnedge_device.runner.surroundings import Surroundings
from rnnedge_device.runner.web_view import ConfiguredWeb
from rnnedge_device.service import Notifier
from rnnedge_device.sinks.sink import Sink

GAVE_UP = 3  # the exit code when a camera gave up and none is left
_TICK_S = 0.5
_SWITCH_S = 0.0005
_JOIN_S = 2.0  # for a capture to end; one that hangs in a driver is left behind
_log = logging.getLogger(__name__)


class Runner:
    """Cameras on their bundles until they end or until it is stopped. What it can be asked: see `Controls`.

    Everything is checked and opened when it is made; `run` starts it.

    Args:
        path: of the config.
        notifier: told what happens, as systemd expects it of a service; None for one that finds out itself.
        extra: further sinks, by name; not closed here.

    Raises:
        InputError: whatever is wrong with the config, a bundle, a file, or an option.

    Example:
        runner = Runner(Path("door.toml"))
        code = runner.run()
    """

    def __init__(
        self, path: Path, notifier: Notifier | None = None, extra: dict[str, Sink] | None = None
    ) -> None:
        self._path, self._notifier = path, notifier or Notifier()
        self.config = load_config(path)
        self.status = RunnerStatus(secrets.token_hex(4), heat=lambda: asdict(self._surroundings.heat))
        self._outlets = Outlets(self.status.run, {})
        self._surroundings = Surroundings(self._outlets)
        self._cameras = Cameras(self._outlets, self.status, self._ended)
        self._seats: dict[str, Seat] = {}
        self._sinks = ConfiguredSinks(lambda camera: self._seats[camera].capture.fps)
        self._extra = dict(extra or {})
        self._web = ConfiguredWeb(self.status, self)
        self._wake = threading.Event()
        self._asked_to_stop = self._asked_to_reload = False
        self._gave_up = False
        try:
            for camera in self.config.camera:
                self._seats[camera.name] = self._cameras.make(camera, self.config.runner)
            self._sinks.open(self.config)
            self._web.open(self.config)
        except BaseException:
            self.close(deadline_s=0.5)
            raise
        self._publish()

    # --- controls, from any thread ------------------------------------------------------------------------

    def reset(self, camera: str) -> None:
        self._seat(camera).reset()

    def reset_all(self) -> None:
        """Every camera's state begins anew. What SIGUSR1 does."""
        for seat in list(self._seats.values()):
            seat.reset()

    def swap(self, camera: str, bundle: Path) -> None:
        self._seat(camera).swap(bundle)

    def rollback(self, camera: str) -> None:
        self._seat(camera).roll_back()

    def reload(self) -> None:
        self._asked_to_reload = True
        self._wake.set()

    def stop(self) -> None:
        self._asked_to_stop = True
        self._wake.set()

    def _seat(self, camera: str) -> Seat:
        seat = self._seats.get(camera)
        if seat is None:
            raise InputError(f"camera = {camera!r}: must be one of {', '.join(self._seats)}")
        return seat

    # --- the main thread ----------------------------------------------------------------------------------

    def run(self) -> int:
        """Until every camera has ended or given up, or until `stop`.

        Returns:
            The exit code: 0, or 3 when a camera gave up and none is left.
        """
        # Cameras and sinks have threads enough: OpenCV's own pool makes each small picture wait for another core.
        cv2.setNumThreads(1)
        # A model that comes back from its kernels waits so long for a thread that runs Python; of the usual 5 ms an
        # event would be late by as much.
        sys.setswitchinterval(_SWITCH_S)
        try:
            for seat in self._seats.values():
                self._cameras.start(seat)
            self._web.start()
            self._notifier.ready(self._cameras_line())
            while not self._asked_to_stop and not all(seat.over for seat in self._seats.values()):
                self._wake.wait(_TICK_S)
                self._wake.clear()
                self._surroundings.look(self._seats, self.config.runner)
                if self._asked_to_reload:
                    self._asked_to_reload = False
                    self._reload()
            self._notifier.stopping()
        finally:
            self.close(self.config.runner.drain_s)
        return GAVE_UP if self._gave_up and not self._asked_to_stop else 0

    def _ended(self, seat: Seat) -> None:
        """In an inference thread: a camera is over."""
        self._gave_up |= seat.status.state == "failed"
        self._wake.set()

    def _cameras_line(self) -> str:
        return f"cameras: {', '.join(self._seats)}"

    def _reload(self) -> None:
        """A config that is wrong changes nothing."""
        self._notifier.reloading()
        try:
            config = load_config(self._path)
            self._apply(config)
            _log.info("config %s: read again", self._path)
        except InputError as problem:
            _log.error("reload: %s; everything goes on as it was", problem)
        self._notifier.ready(self._cameras_line())

    def _apply(self, config: Config) -> None:
        before = {camera.name: camera for camera in self.config.camera}
        after = {camera.name: camera for camera in config.camera}
        same_rules = config.runner == self.config.runner
        kept = {
            name
            for name, camera in after.items()
            if same_rules and before.get(name) == camera and not self._seats[name].over
        }
        # Made before anything is stopped: what is wrong is found while all goes on.
        made: dict[str, Seat] = {}
        try:
            for name, camera in after.items():
                if name not in kept:
                    made[name] = self._cameras.make(camera, config.runner)
        except InputError:
            self._stop_captures(list(made.values()))
            raise
        leaving = [seat for name, seat in self._seats.items() if name not in kept]
        self._stop_captures(leaving)
        self._seats = {name: made.get(name) or self._seats[name] for name in after}
        self.config = config
        self._sinks.change(config, self._take_messages)
        self._web.change(config)
        self._publish()
        for seat in made.values():
            self._cameras.start(seat)
        self._cameras.keep_only(self._seats.values())

    def _take_messages(self, sinks: Mapping[str, Sink]) -> None:
        """These of the config, and those of the caller, hear from now on."""
        web = {"web": self._web.sink} if self._web.sink is not None else {}
        self.status.sinks = self._outlets.sinks = {**sinks, **web, **self._extra}

    def _publish(self) -> None:
        """What there is now, for those who ask."""
        self.status.cameras = {name: seat.status for name, seat in self._seats.items()}
        self._take_messages(self._sinks.opened)
        self._surroundings.watch(self._seats)

    # --- the end ------------------------------------------------------------------------------------------

    def _stop_captures(self, seats: list[Seat]) -> None:
        for seat in seats:
            seat.capture.stop()
        deadline = time.monotonic() + _JOIN_S
        for seat in seats:
            seat.capture.end(max(0.0, deadline - time.monotonic()))

    def close(self, deadline_s: float = 5.0) -> None:
        """Give everything back. `run` does so itself."""
        # Frames, then what is said about them, then the sinks: each may still need what comes after it.
        deadline = time.monotonic() + deadline_s
        self._stop_captures(list(self._seats.values()))
        self._cameras.close(max(1.0, deadline - time.monotonic()))
        self._web.close()
        self._sinks.close(deadline - time.monotonic())
