"""What runs and what comes next: the life of a bundle at work, from request over trial and probation to rollback."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar

from rnnedge_device.errors import InputError
from rnnedge_device.swap.loaded import LoadedBundle

M = TypeVar("M")
_REMEMBERED = 200  # latencies of the model that runs, for the comparison


@dataclass(frozen=True)
class SwapRules:
    """When a new bundle is too slow.

    Args:
        max_slowdown: its median latency may be so many times the old one's ...
        slack_us: ... or so many microseconds more, whichever is more: small models vary by more than a factor.
        probation: steps on live frames in which it is watched, at least 10.

    Raises:
        InputError: an argument out of its range.
    """

    max_slowdown: float = 3.0
    slack_us: float = 2000.0
    probation: int = 100

    def __post_init__(self) -> None:
        if not self.max_slowdown >= 1:
            raise InputError(f"max_slowdown = {self.max_slowdown!r}: must be 1 or more")
        if not self.slack_us >= 0:
            raise InputError(f"slack_us = {self.slack_us!r}: must be 0 or more")
        if self.probation < 10:
            raise InputError(f"probation = {self.probation!r}: must be 10 or more")

    def limit_us(self, old_us: float | None, period_us: float | None) -> float:
        """The highest median latency that is accepted.

        Args:
            old_us: the old one's; None where it has not run yet.
            period_us: from one step to the next; None where nothing asks for a rate.
        """
        limit = float("inf")
        if old_us is not None:
            limit = max(old_us * self.max_slowdown, old_us + self.slack_us)
        if period_us is not None:
            # A new one need not keep up where the old one did not.
            limit = min(limit, max(period_us, old_us or 0.0))
        return limit


@dataclass(frozen=True)
class Change(Generic[M]):
    """What the pipeline has to do between two frames: go over to another model.

    Args:
        health: `swapped` or `rolled_back`.
        loaded: what runs from now on.
        detail: why, for people.
    """

    health: str
    loaded: LoadedBundle[M]
    detail: str


class Deployment(Generic[M]):
    """The bundle at work of one camera, or of several that share it.

    Three parties use it: whoever wants another bundle (`request`, `roll_back`: any thread, they return at once); the
    pipeline (`due` between two frames, `took` after each step, `failed` when the model raises); and the thread that
    this object starts to try and load a bundle beside. The bundle before stays loaded, to go back to.

    Args:
        active: what runs now.
        prepare: tries a file and loads it, as `rnnedge_device.swap.prepare` with its arguments filled in.
        say: told `(health, detail)` of everything that happens: `swapped`, `rolled_back`, or `refused`, for a bundle
            that was not taken. Called from the pipeline's thread or from the one that loads.
        rules: when a new one is too slow.
        period_ms: from one step to the next; None where nothing asks for a rate.
        proved: told of a new bundle that has passed its probation, in a thread of its own; see `LastGood.keep`.

    Example:
        deployment = Deployment(loaded, lambda path: prepare(path, ClipModel, task="clips"), print, period_ms=100)
        stream = deployment.active.model.open_stream("door")
        for frame in source:
            if change := deployment.due():
                new = change.loaded.model.open_stream("door")
                deployment.done(change, carry(stream, new))
                stream = new
            for prediction in stream.feed(frame):
                deployment.took(prediction.latency_us)
    """

    def __init__(
        self,
        active: LoadedBundle[M],
        prepare: Callable[[Path], LoadedBundle[M]],
        say: Callable[[str, str], None],
        rules: SwapRules | None = None,
        period_ms: float | None = None,
        proved: Callable[[LoadedBundle[M]], Any] | None = None,
    ) -> None:
        self.active = active
        self.previous: LoadedBundle[M] | None = None
        self._prepare, self._say, self._rules = prepare, say, rules or SwapRules()
        self._proved = proved
        self._period_us = None if period_ms is None else period_ms * 1000
        self._lock = threading.Lock()
        self._next: Change[M] | None = None
        self._trying: threading.Thread | None = None
        self._times: deque[float] = deque(maxlen=_REMEMBERED)
        self._left = 0  # steps of probation
        self._limit_us = float("inf")

    @property
    def state(self) -> str:
        """`steady`, `trying` (a bundle is tried and loaded beside), `ready` (to be switched) or `probation`."""
        if self._next is not None:
            return "ready"
        if self._trying is not None and self._trying.is_alive():
            return "trying"
        return "probation" if self._left else "steady"

    def request(self, path: Path) -> None:
        """Take another bundle as soon as it has passed its trial.

        Raises:
            InputError: there is no such file, or another bundle is being tried.
        """
        if not path.is_file():
            raise InputError(f"bundle {str(path)!r}: there is no such file")
        with self._lock:
            if self.state in ("trying", "ready"):
                raise InputError(f"bundle {str(path)!r}: another one is being tried; wait for its end")
            # A daemon: a runner that is stopped does not wait for a bundle it will not run.
            self._trying = threading.Thread(target=self._try, args=(path,), name="swap", daemon=True)
            self._trying.start()

    def roll_back(self, why: str = "asked for") -> None:
        """Go back to the bundle before with the next frame.

        Raises:
            InputError: there is none.
        """
        with self._lock:
            if self.previous is None:
                raise InputError("rollback: there is no bundle before this one")
            self._left = 0
            self._next = Change("rolled_back", self.previous, f"in place of {_name(self.active)}: {why}")

    def due(self) -> Change[M] | None:
        """For the pipeline, between two frames: is there another model to go over to? Costs next to nothing."""
        if self._next is None:
            return None
        with self._lock:
            change, self._next = self._next, None
            old_us = median(self._times) if self._times else None
            swapped = change.health == "swapped"
            if not swapped:
                self.previous = None  # what was left is not to be gone back to
            elif not self._left:
                self.previous = self.active  # else that one has not proved itself yet
            self.active = change.loaded
            self._times.clear()
            self._left = self._rules.probation if swapped else 0
            self._limit_us = self._rules.limit_us(old_us, self._period_us)
        return change

    def done(self, change: Change[M], carried: bool) -> None:
        """For the pipeline: it has gone over. Says so."""
        memory = "the state was handed over" if carried else "the state begins anew"
        self._say(change.health, f"{_name(change.loaded)}: {change.detail}; {memory}")

    def took(self, latency_us: float) -> None:
        """For the pipeline: the interpreter's time for one step of the active model."""
        self._times.append(latency_us)
        if not self._left:
            return
        self._left -= 1
        # Not before ten: the first calls after a switch find cold caches.
        if len(self._times) < 10 or (self._left and len(self._times) % 10):
            return
        found = median(self._times)
        if found > self._limit_us:
            self._back(f"too slow: {found / 1000:.2f} ms a step, at most {self._limit_us / 1000:.2f}")
        elif not self._left and self._proved is not None:
            # It may write a file, which the pipeline does not wait for.
            threading.Thread(target=self._proved, args=(self.active,), name="proved", daemon=True).start()

    def failed(self, problem: BaseException) -> bool:
        """For the pipeline: the active model has raised. Is it on probation, and the next `due` the way back?

        False means that there is nothing better to go back to: the error is the pipeline's.
        """
        if not self._left:
            return False
        self._back(f"it failed: {_line(problem)}")
        return True

    def _back(self, why: str) -> None:
        with self._lock:
            self._left = 0
            if self.previous is not None and self._next is None:
                self._next = Change("rolled_back", self.previous, f"in place of {_name(self.active)}: {why}")

    def _try(self, path: Path) -> None:
        try:
            loaded = self._prepare(path)
        except Exception as problem:  # whatever it is, the camera goes on with what it has
            self._say("refused", _line(problem))
            return
        if loaded.bundle.sha256 == self.active.bundle.sha256:
            self._say("refused", f"{_name(loaded)}: is what runs already")
            return
        limit_us = self._rules.limit_us(median(list(self._times)) if self._times else None, self._period_us)
        # The best of the trial's calls: it ran beside a live stream, at a lower priority.
        best_us = loaded.check.latency_us["best"] if loaded.check else 0.0
        if best_us > limit_us:
            self._say(
                "refused",
                f"{_name(loaded)}: too slow: {best_us / 1000:.2f} ms at best, at most {limit_us / 1000:.2f}",
            )
            return
        with self._lock:
            self._next = Change("swapped", loaded, f"in place of {_name(self.active)}")


def _name(loaded: LoadedBundle[Any]) -> str:
    bundle = loaded.bundle
    return f"{bundle.manifest.name} ({bundle.sha256[:12] or bundle.path})"


def _line(problem: BaseException) -> str:
    return " ".join(str(problem).split()) or type(problem).__name__
