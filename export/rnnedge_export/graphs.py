"""The graphs to convert: a quantised model traced as ``(x, states) -> (y, states)`` in one of the forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import QuantizeLayer

from rnnedge_device.errors import InputError
from rnnedge_export.annotate import directions, recurrent_layers, tracing
from rnnedge_export.bidirectional import QuantBidirectional

# Before the first recurrent layer, a step form allows only what the device does by indexing (or what does nothing).
_SCAN = (tf_keras.layers.Reshape, tf_keras.layers.Permute)
_NOTHING = (tf_keras.layers.Dropout, tf_keras.layers.SpatialDropout1D)
# Behind it, only what acts on each step by itself.
_PER_STEP = (
    *_NOTHING,
    tf_keras.layers.Dense,
    tf_keras.layers.ReLU,
    tf_keras.layers.Activation,
    tf_keras.layers.Softmax,
    tf_keras.layers.Add,
    tf_keras.layers.Concatenate,
)


@dataclass(frozen=True)
class Graph:
    """A traced graph: a SavedModel-ready function and what its border means."""

    form: str
    function: Any
    input_shape: tuple[int, ...]
    states: list[tuple[str, str]] = field(default_factory=list)
    bound: tuple[str, ...] = ()
    scan: list[list] = field(default_factory=list)


def trace(model: tf_keras.Model, form: str) -> Graph:
    """Trace a quantised model for a batch of one.

    ``loop`` and ``unrolled`` take the whole input; their initial states are inputs that ``rewrite.finish`` turns
    into constants. ``step`` takes one time step ``[1, F]`` and hands its states in and out.

    Raises:
        InputError: the model has no such form (named layer and reason).
    """
    layers = recurrent_layers(model)
    scan, shape = _scan(model) if form == "step" else ([], tuple(model.inputs[0].shape[1:]))
    names = [f"{state}{index}" for index, layer in enumerate(layers) for state in layer.cell.states]
    widths = [layer.units for layer in layers for _ in layer.cell.states]

    def run(x: tf.Tensor, *states: tf.Tensor) -> dict[str, tf.Tensor]:
        given = iter(states)
        y, final = _replay(model, x, given, step=form == "step")
        result = {"y": y}
        if form == "step":
            result |= {f"{name}_next": value for name, value in zip(names, final, strict=True)}
        return result

    specs = [tf.TensorSpec((1, *shape), name="x")]
    specs += [tf.TensorSpec((1, width), name=name) for name, width in zip(names, widths, strict=True)]
    with tracing(model, "unrolled" if form == "step" else form):
        function = tf.function(run, autograph=False).get_concrete_function(*specs)
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    keys = list(function.structured_outputs)  # flattened in sorted order

    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(sorted(keys), frozen(*[inputs[spec.name] for spec in specs]), strict=True))

    wrapped = tf.function(serve, autograph=False)
    concrete = wrapped.get_concrete_function(**{spec.name: spec for spec in specs})
    if form == "step":
        states = [(name, f"{name}_next") for name in names]
        return Graph(form, concrete, shape, states, scan=scan)
    return Graph(form, concrete, shape, bound=tuple(names))


def _replay(
    model: tf_keras.Model, x: tf.Tensor, states: Any, step: bool
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Call the layers of ``model`` in order, handing states to the recurrent ones and collecting them.

    With ``step``, ``x`` is one row ``[1, F]``: layers that only cut the input into rows are passed over.
    """
    tensors = {id(model.inputs[0]): x[:, tf.newaxis] if step else x}
    final: list[tf.Tensor] = []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            inputs = [tensors[id(t)] for t in tf.nest.flatten(node.keras_inputs)]
            inner = getattr(node.layer, "layer", node.layer)
            found = directions(inner)
            if found:
                given = [next(states) for layer in found for _ in layer.cell.states]
                result, after = node.layer(inputs[0], training=False, initial_state=given, return_state=True)
                final += after
            elif step and isinstance(inner, _SCAN):
                result = inputs[0]
            else:
                result = node.layer(inputs if len(inputs) > 1 else inputs[0], training=False)
            tensors[id(tf.nest.flatten(node.outputs)[0])] = result
    return tensors[id(model.outputs[0])], final


def _scan(model: tf_keras.Model) -> tuple[list[list], tuple[int, ...]]:
    """How the device cuts an input into rows, and the shape of a row.

    Raises:
        InputError: a layer in the way mixes time steps.
    """
    scan: list[list] = []
    seen = False
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        kind = type(inner).__name__
        if isinstance(inner, (tf_keras.layers.InputLayer, QuantizeLayer)):
            continue
        found = directions(inner)
        if isinstance(inner, QuantBidirectional) or any(d.go_backwards for d in found):
            raise InputError(
                f"form: 'step' needs the past only, layer {inner.name!r} reads backwards; use 'loop'"
            )
        if found:
            if not seen:
                features = int(layer.input_shape[-1])
            seen = True
        elif not seen and isinstance(inner, tf_keras.layers.Reshape):
            scan.append(["reshape", [int(n) for n in inner.target_shape]])
        elif not seen and isinstance(inner, tf_keras.layers.Permute):
            scan.append(["transpose", [int(n) - 1 for n in inner.dims]])
        elif not isinstance(inner, _PER_STEP if seen else _NOTHING):
            raise InputError(
                f"form: 'step' cannot pass layer {inner.name!r} ({kind}), which mixes time steps; use 'loop'"
            )
    if not seen:
        raise InputError("form: 'step' needs a recurrent layer; this model has none")
    return scan, (features,)
