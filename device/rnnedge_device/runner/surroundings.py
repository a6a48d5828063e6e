"""What changes around a runner without anybody saying so: the processor's heat, and the files of bundles."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from rnnedge_device.errors import InputError
from rnnedge_device.runner.cameras import last_good_of
from rnnedge_device.runner.config import RunnerOptions
from rnnedge_device.runner.outlets import Outlets
from rnnedge_device.runner.seat import Seat
from rnnedge_device.swap import FileWatch
from rnnedge_device.thermal import Heat, HeatWatch, Thermal

_HEAT_S = 5.0  # between two readings of the processor's heat
_log = logging.getLogger(__name__)


class Surroundings:
    """Looked at by the main thread, twice a second.

    Args:
        outlets: what is said about a camera goes there.
        heat: as of the last reading.
    """

    def __init__(self, outlets: Outlets) -> None:
        self._outlets = outlets
        self._thermal, self._heat_watch, self.heat = Thermal(), HeatWatch(), Heat(None, None)
        self._heat_due = 0.0
        self._watches: dict[str, FileWatch] = {}
        self._kept: dict[str, str] = {}  # each camera's bundle that a copy was made of, its SHA-256

    def watch(self, seats: Mapping[str, Seat]) -> None:
        """These are the cameras from now on."""
        self._watches = {name: FileWatch(Path(seat.options.bundle)) for name, seat in seats.items()}

    def look(self, seats: Mapping[str, Seat], options: RunnerOptions) -> None:
        """Say what is hot, swap in what was replaced, keep a copy of what has proved itself."""
        now = time.monotonic()
        if now >= self._heat_due:
            self._heat_due, self.heat = now + _HEAT_S, self._thermal.read()
            if news := self._heat_watch.changed(self.heat):
                for name, seat in seats.items():
                    self._outlets.health(name, "hot", news, seat.capture.now_ms())
        if options.watch_bundles:
            self._swap_replaced(seats, now)
        self._keep_good(seats, options)

    def _swap_replaced(self, seats: Mapping[str, Seat], now: float) -> None:
        for name, watch in self._watches.items():
            if watch.look(now):
                try:
                    seats[name].swap(watch.path)
                except InputError as problem:  # another one is being tried: once more, later
                    _log.warning("%s", problem, extra={"camera": name})
                    watch.forget()

    def _keep_good(self, seats: Mapping[str, Seat], options: RunnerOptions) -> None:
        """What has got through its probation is what the next start may fall back to."""
        last_good = last_good_of(options)
        if last_good is None:
            return
        for name, seat in seats.items():
            bundle = seat.deployment.active.bundle
            if self._kept.get(name) != bundle.sha256 and seat.deployment.state == "steady":
                self._kept[name] = bundle.sha256
                last_good.keep(seat.options.bundle, bundle)
