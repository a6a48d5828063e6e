"""The device's side of the recurrent contract: `step(x, state) → (y, state)`, the state kept here."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.form import Form


class Engine(Protocol):
    """What computes a signature: a loaded `.tflite`, or on a workstation the float model."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One call: every input by name, in its exact shape and dtype; every output, its own array."""


class RowStepper:
    """Feeds a step form row by row (a clip model's frame by frame) and carries its states along.

    The states stay in the dtype of the graph's border: with int8 and tied scales they carry over
    without a rounding. Several steppers may share one model: each has states of its own.

    Args:
        model: the loaded signature of `form`.
        form: a form with states, `step` or `sequence`.

    Example:
        stepper.reset()
        for row in rows:  # float32 [T, F]
            y = stepper.step(row)
    """

    def __init__(self, model: Engine, form: Form) -> None:
        self._run = model.run
        self._x = form.input("x")
        self._carry = [(state.input, state.output) for state in form.states]
        self._start: dict[str, NDArray[Any]] = {}
        for state in form.states:
            tensor = form.input(state.input)
            self._start[state.input] = tensor.encode(np.full(tensor.shape, state.reset, np.float32))
        self._feeds: dict[str, NDArray[Any]] = {}
        self.reset()

    @property
    def states(self) -> dict[str, NDArray[Any]]:
        """The states the next step starts from, by input name, in the border's dtype."""
        return {name: self._feeds[name].copy() for name in self._start}

    @states.setter
    def states(self, states: Mapping[str, NDArray[Any]]) -> None:
        self._feeds = {name: states[name] for name in self._start}

    def reset(self) -> None:
        """Begin a new sequence."""
        self._feeds = dict(self._start)

    def step(self, row: NDArray[np.float32]) -> NDArray[Any]:
        """One step on one row of real values, float32 `[F]`; `y` as the graph gives it, `[1, K]`."""
        return self.feed(self._x.encode(row))

    def feed(self, encoded: NDArray[Any]) -> NDArray[Any]:
        """One step on a row in the border's dtype and shape, `[1, F]` (a frame: `[1, h, w, c]`)."""
        feeds = self._feeds
        feeds["x"] = encoded
        found = self._run(feeds)
        for before, after in self._carry:
            feeds[before] = found[after]
        return found["y"]
