"""One step of a recurrent cell in ONNX: as its own operator, or as products and activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.captions.onnx_graph import OnnxGraph

STYLES = ("operator", "products")
# Keras's gates i, f, g, o: as ONNX's operator has them, and with those side by side that have one activation.
_OPERATOR, _PRODUCTS = (0, 3, 1, 2), (0, 1, 3, 2)


@dataclass(frozen=True)
class OnnxCell:
    """A cell with Keras's weights.

    Args:
        cell: ``lstm`` or ``gru`` (``reset_after``).
        weights: Keras's arrays: kernel ``[F, G units]``, recurrent kernel ``[units, G units]``, bias.
        style: one of ``STYLES``.
    """

    cell: str
    weights: Sequence[np.ndarray]
    style: str

    @property
    def units(self) -> int:
        """Of the state."""
        return self.weights[1].shape[0]

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Of each state; ONNX's operators want one axis more."""
        return (1, 1, self.units) if self.style == "operator" else (1, self.units)

    def row(self, graph: OnnxGraph, state: str) -> str:
        """A state as a matrix ``[1, units]``."""
        return graph.reshape(state, (1, self.units)) if self.style == "operator" else state

    def state(self, graph: OnnxGraph, row: str) -> str:
        """A matrix ``[1, units]`` as a state."""
        return graph.reshape(row, self.state_shape) if self.style == "operator" else row

    def step(self, graph: OnnxGraph, x: str, states: list[str]) -> tuple[str, list[str]]:
        """``x [1, F]`` and the states before, in ``state_shape``, to ``h [1, units]`` and the states after.

        No states before are zeros.
        """
        if self.style == "operator":
            return self._operator(graph, x, states)
        if not states:
            states = [
                graph.constant(np.zeros(self.state_shape)) for _ in range(2 if self.cell == "lstm" else 1)
            ]
        after = self._lstm(graph, x, *states) if self.cell == "lstm" else self._gru(graph, x, *states)
        return after[0], after

    def _operator(self, graph: OnnxGraph, x: str, states: list[str]) -> tuple[str, list[str]]:
        kernel, recurrent, bias = self.weights
        if self.cell == "lstm":
            kernel, recurrent, bias = (_ordered(array, _OPERATOR) for array in self.weights)
            bias = np.stack([bias, np.zeros_like(bias)])
        constants = [
            graph.constant(array) for array in (kernel.T[None], recurrent.T[None], bias.reshape(1, -1))
        ]
        reset = {"linear_before_reset": 1} if self.cell == "gru" else {}
        count = 3 if self.cell == "lstm" else 2
        # The empty name is the lengths of sequences.
        before = ["", *states] if states else []
        row = graph.reshape(x, (1, 1, kernel.shape[0]))
        found = graph.several(
            self.cell.upper(), count, row, *constants, *before, hidden_size=self.units, **reset
        )
        return self.row(graph, found[1]), found[1:]

    def _lstm(self, graph: OnnxGraph, x: str, h: str, c: str) -> list[str]:
        kernel, recurrent, bias = (_ordered(array, _PRODUCTS) for array in self.weights)
        both = graph.add("Concat", x, h, axis=-1)
        z = graph.dense(both, np.concatenate([kernel, recurrent]), bias)
        gates, candidate = graph.split(z, (3 * self.units, self.units))
        i, f, o = graph.split(graph.add("Sigmoid", gates), [self.units] * 3)
        added = graph.add("Mul", i, graph.add("Tanh", candidate))
        c = graph.add("Add", graph.add("Mul", f, c), added)
        return [graph.add("Mul", o, graph.add("Tanh", c)), c]

    def _gru(self, graph: OnnxGraph, x: str, h: str) -> list[str]:
        kernel, recurrent, (bias, recurrent_bias) = self.weights
        sizes = 2 * self.units, self.units
        gates_x, new_x = graph.split(graph.dense(x, kernel, bias), sizes)
        gates_h, new_h = graph.split(graph.dense(h, recurrent, recurrent_bias), sizes)
        gates = graph.add("Sigmoid", graph.add("Add", gates_x, gates_h))
        u, r = graph.split(gates, [self.units] * 2)
        n = graph.add("Tanh", graph.add("Add", new_x, graph.add("Mul", r, new_h)))
        # u h + (1 - u) n
        return [graph.add("Add", n, graph.add("Mul", u, graph.add("Sub", h, n)))]


def _ordered(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    parts = np.split(array, len(order), axis=-1)
    return np.concatenate([parts[index] for index in order], axis=-1)
