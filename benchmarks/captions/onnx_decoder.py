"""A captioner as two ONNX models, ``encode`` and ``decode``, from the same weights.

Everything is a matrix, ``[1, F]`` or ``[P, F]``: ONNX Runtime makes one GEMM of a product and its bias only there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx

from benchmarks.captions.onnx_cells import OnnxCell
from benchmarks.captions.onnx_encoder import add_encoder
from benchmarks.captions.onnx_graph import OnnxGraph
from benchmarks.captions.subject import Subject

Shapes = dict[str, tuple[int, ...]]


def onnx_models(subject: Subject, style: str) -> dict[str, onnx.ModelProto]:
    """Both halves, ``{"encode": model, "decode": model}``, with the names of the signatures.

    Args:
        style: of the cells, one of ``onnx_cells.STYLES``.

    Raises:
        InputError: a layer of the encoder that has no ONNX operators here.
    """
    halves = _Halves(subject, style)
    return {"encode": halves.encode(), "decode": halves.decode()}


class _Halves:
    def __init__(self, subject: Subject, style: str) -> None:
        self.settings, self.weights, self.twin = subject.decoder.settings, subject.weights, subject.twin
        self.names = subject.decoder.state_names
        self.attends = self.settings.image == "attention"
        cell = self.settings.cell
        self.cells = [
            OnnxCell(cell, self.weights[f"{cell}_{index}"], style) for index in range(self.settings.layers)
        ]
        self.shapes: Shapes = dict.fromkeys(self.names, self.cells[0].state_shape)
        if self.attends:
            places = self.twin.output_shape[1]
            self.shapes["features"] = (places, self.settings.embedding)
            self.shapes["keys"] = (places, self.settings.attention)

    def encode(self) -> onnx.ModelProto:
        """``x [1, h, w, c]`` to the state that a sentence begins with."""
        graph = OnnxGraph("encode")
        features = add_encoder(graph, self.twin, "x")
        state: dict[str, str] = {}
        if self.attends:
            features = graph.reshape(features, self.shapes["features"])
            features = graph.add("Add", features, graph.constant(self.weights["places"][0]))
            state = {"features": features, "keys": self._dense(graph, features, "keys")}
            features = graph.add("ReduceMean", features, axes=[0], keepdims=1)
        if self.settings.image == "first":
            state = self._recur(graph, features, None)[1]
        else:
            for name in self.names:
                value = self.cells[0].state(graph, self._dense(graph, features, f"start_{name}"))
                state[name] = graph.clip(value, -1.0, 1.0) if name[0] == "h" else value
        outputs = {name: (value, self.shapes[name]) for name, value in state.items()}
        return graph.finish({"x": (1, *self.twin.input_shape[1:])}, outputs)

    def decode(self) -> onnx.ModelProto:
        """A word and a state to logits and the state behind it."""
        graph, words = OnnxGraph("decode"), self.settings.words
        state = {name: name for name in self.shapes}
        x = graph.add("Gather", graph.constant(self.weights["words"][0]), "token")
        outputs: dict[str, tuple[str, tuple[int, ...]]] = {}
        if self.attends:
            looked, seen = self._attend(graph, x, state)
            outputs["attention"] = looked, (1, self.shapes["keys"][0])
            x = graph.add("Add", x, seen)
        y, after = self._recur(graph, x, state)
        if self.attends:
            y = graph.add("Add", y, self._dense(graph, seen, "glimpse"))
        outputs["y"] = self._dense(graph, y, "logits"), (1, words)
        outputs |= {f"{name}_next": (after[name], self.shapes[name]) for name in self.names}
        return graph.finish({"token": (1,), **self.shapes}, outputs)

    def _attend(self, graph: OnnxGraph, x: str, state: dict[str, str]) -> tuple[str, str]:
        """Weights of the places ``[1, P]``, by the last state and the word read, and what they see."""
        top = self.cells[-1].row(graph, state[f"h{len(self.cells) - 1}"])
        query = self._dense(graph, top, "query")
        asked = graph.add("Add", query, self._dense(graph, x, "ask"))
        keyed = graph.add("Tanh", graph.add("Add", state["keys"], asked))
        energy = graph.reshape(self._dense(graph, keyed, "energy"), (1, self.shapes["keys"][0]))
        looked = graph.add("Softmax", energy, axis=-1)
        return looked, graph.add("MatMul", looked, state["features"])

    def _recur(self, graph: OnnxGraph, x: str, state: dict[str, str] | None) -> tuple[str, dict[str, str]]:
        """One step of all layers: its output, and the states by name."""
        found: dict[str, str] = {}
        each = len(self.names) // len(self.cells)
        for index, cell in enumerate(self.cells):
            names = self.names[index * each : (index + 1) * each]
            x, values = cell.step(graph, x, [state[name] for name in names] if state else [])
            found |= dict(zip(names, values, strict=True))
        return x, found

    def _dense(self, graph: OnnxGraph, x: str, layer: str) -> str:
        arrays: Sequence[np.ndarray] = self.weights[layer]
        return graph.dense(x, *arrays)
