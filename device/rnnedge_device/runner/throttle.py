"""When the machine does not keep up: whose model rate steps down, and whose may come back."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_WINDOW_S = 1.0
_TOO_BUSY, _CALM = 0.9, 0.7  # shares of the time that a thread may compute
_WINDOWS_DOWN, _WINDOWS_UP = 3, 10  # so many in a row before a step
MOST_STEPS = 3  # halvings: to an eighth of the rate


@dataclass(slots=True)
class _Load:
    busy_s: float = 0.0
    level: int = 0  # how many times the rate was halved


class Throttle:
    """The load of one inference thread and its cameras.

    Three seconds of more than 90 % computing halve the rate of the camera that takes most; ten seconds in which twice
    its work would fit into 70 % double it again.

    Args:
        clock: seconds, monotonic.

    Example:
        throttle.add("door", 0.04)
        for name, level in throttle.changes().items():
            set_rate(name, wanted / 2**level)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loads: dict[str, _Load] = {}
        self._begin = clock()
        self._busy = self._calm = 0  # windows in a row

    def add(self, camera: str, busy_s: float) -> None:
        """So long the thread computed for a camera."""
        self._loads.setdefault(camera, _Load()).busy_s += busy_s

    def forget(self, camera: str) -> None:
        """A camera is over."""
        self._loads.pop(camera, None)

    def changes(self) -> Mapping[str, int]:
        """The camera whose rate is to change now, with how many times it is to be halved; mostly none."""
        now = self._clock()
        passed_s = now - self._begin
        if passed_s < _WINDOW_S:
            return {}
        shares = {name: load.busy_s / passed_s for name, load in self._loads.items()}
        self._begin = now
        for load in self._loads.values():
            load.busy_s = 0.0
        return self._step(shares)

    def _step(self, shares: dict[str, float]) -> Mapping[str, int]:
        total = sum(shares.values())
        slowed = [name for name, load in self._loads.items() if load.level]
        # The one with the most halvings comes back first, the lightest of equals.
        back = min(slowed, key=lambda name: (-self._loads[name].level, shares[name]), default=None)
        self._busy = self._busy + 1 if total > _TOO_BUSY else 0
        self._calm = self._calm + 1 if back and total + shares[back] < _CALM else 0
        if self._busy >= _WINDOWS_DOWN:
            self._busy = 0
            open_to = [name for name, load in self._loads.items() if load.level < MOST_STEPS]
            heaviest = max(open_to, key=lambda name: shares[name], default=None)
            return {} if heaviest is None else self._set(heaviest, +1)
        if back and self._calm >= _WINDOWS_UP:
            self._calm = 0
            return self._set(back, -1)
        return {}

    def _set(self, name: str, step: int) -> Mapping[str, int]:
        load = self._loads[name]
        load.level += step
        return {name: load.level}
