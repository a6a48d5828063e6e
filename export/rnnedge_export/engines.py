"""One step of a clip model in three arithmetics behind one door, so that the device's code streams each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_form
from rnnedge_device.tensors import State, Tensor
from rnnedge_export import graphs
from rnnedge_export.annotate import RECURRENT
from rnnedge_export.compiled import Compiled
from rnnedge_export.frames import Fold, Unfold, spatial_layers, walk

KINDS = ("int8", "qat", "float")


@dataclass(frozen=True)
class Engine:
    """Computes one step: a frame and the states in, class scores and the next states out.

    Args:
        form: its border, a ``step`` form; float32 but for ``int8``.
        run: ``{"x" [1, h, w, c], "h0" [1, units], ...} -> {"y" [1, K], "h0_next", ...}``.
    """

    form: Form
    run: Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]


def int8_engine(compiled: Compiled) -> Engine:
    """The converted ``step`` form on the device's interpreter."""
    return Engine(compiled.form, load_form(compiled.data, compiled.form).run)


def qat_engine(student: tf_keras.Model) -> Engine:
    """The fake-quantised model, as it was traced for conversion."""
    graph = graphs.trace(student, "step")
    return _step_engine(graph.function, [before for before, _ in graph.states])


def float_engine(twin: tf_keras.Model) -> Engine:
    """The float model: its own layers on a frame, and its cells over time."""
    inside = spatial_layers(twin)
    over_time = [layer for layer in twin.layers if type(layer) in RECURRENT and layer.name not in inside]
    names = {
        layer.name: [
            f"{state}{index}" for state in ("h", "c")[: 2 if RECURRENT[type(layer)] == "lstm" else 1]
        ]
        for index, layer in enumerate(over_time)
    }

    def step(**given: tf.Tensor) -> dict[str, tf.Tensor]:
        found: dict[str, tf.Tensor] = {}

        def call(layer: Any, inputs: list) -> Any:
            if layer.name in names:
                begin = [given[name] for name in names[layer.name]]
                y, after = layer.cell(inputs[0], begin, training=False)
                found.update({f"{name}_next": s for name, s in zip(names[layer.name], after, strict=True)})
                return y
            if isinstance(layer, (Fold, Unfold)):
                return inputs[0]
            return layer(inputs if len(inputs) > 1 else inputs[0], training=False)

        return {"y": walk(twin, given["x"], call), **found}

    specs = {"x": tf.TensorSpec((1, *twin.inputs[0].shape[2:]), name="x")}
    for layer in over_time:
        specs |= {name: tf.TensorSpec((1, layer.units), name=name) for name in names[layer.name]}
    states = [name for layer in over_time for name in names[layer.name]]
    return _step_engine(tf.function(step, autograph=False).get_concrete_function(**specs), states)


def _step_engine(function: Any, states: list[str]) -> Engine:
    """A step; its inputs that are neither the frame nor a state, such as those of rows, begin at zero."""
    specs = function.structured_input_signature[1]
    bound = tuple(name for name in specs if name != "x" and name not in states)
    return function_engine("step", function, states, bound)


def function_engine(
    name: str, function: Any, states: Sequence[str] = (), bound: Sequence[str] = ()
) -> Engine:
    """An engine around a concrete function with a float32 border.

    Args:
        name: of the form.
        function: takes and gives tensors by name.
        states: inputs that outputs called ``{state}_next`` follow.
        bound: inputs that are zero.
    """
    specs = function.structured_input_signature[1]
    zeros = {key: tf.zeros(specs[key].shape) for key in bound}
    inputs = tuple(
        Tensor(key, tuple(spec.shape), spec.dtype.name)
        for key, spec in sorted(specs.items())
        if key not in bound
    )
    outputs = tuple(
        Tensor(key, tuple(value.shape)) for key, value in sorted(function.structured_outputs.items())
    )
    carried = tuple(State(state, f"{state}_next") for state in states)

    def run(feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        given = {tensor.name: tf.constant(feeds[tensor.name], tensor.dtype) for tensor in inputs}
        return {key: value.numpy() for key, value in function(**given, **zeros).items()}

    return Engine(Form(name, "model.tflite", name, inputs, outputs, carried), run)
