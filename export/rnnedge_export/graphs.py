"""The graphs to convert: a quantised model traced as ``(x, states) -> (y, states)`` in one of the forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import QuantizeLayer

from rnnedge_device.errors import InputError
from rnnedge_export.annotate import directions, tracing
from rnnedge_export.bidirectional import QuantBidirectional
from rnnedge_export.frames import PER_STEP, Fold, Unfold, bare, is_clip, spatial_layers, walk

# Before the first recurrent layer, a step of rows allows only what the device does by indexing (or what does nothing).
_SCAN = (tf_keras.layers.Reshape, tf_keras.layers.Permute)
_NOTHING = (tf_keras.layers.Dropout, tf_keras.layers.SpatialDropout1D)


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
    into constants. ``step`` takes one time step and hands its states in and out: ``[1, F]``, or a frame
    ``[1, h, w, c]`` of a clip model. ``sequence`` does so with a whole clip ``[1, T, h, w, c]``. A clip model's spatial
    states begin anew with each frame: they are bound like those of ``loop``. Its loops, over rows as over time, are
    WHILEs: on a whole clip three times as fast as unrolled, on a frame's rows as fast, and the file is half as large.

    Raises:
        InputError: the model has no such form (named layer and reason).
    """
    clip, step = is_clip(model), form == "step"
    scan, shape = scan_of(model) if step and not clip else ([], tuple(model.inputs[0].shape[1:]))
    frames = shape[0] if form == "sequence" else 1
    shape = shape[1:] if step and clip else shape
    carried, bound = states_of(model, form, frames)
    specs = {"x": tf.TensorSpec((1, *shape), name="x")}
    specs |= {s: tf.TensorSpec(size, name=s) for names in (carried, bound) for s, size in names.values()}

    def run(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        given = dict(zip(specs, values, strict=True))
        y, final = replay(model, given, {**carried, **bound}, form)
        return {"y": y, **{f"{name}_next": final[key] for key, (name, _) in carried.items()}}

    with tracing(model, "loop" if form in ("step", "sequence") else form):
        concrete = frozen(run, specs)
    states = [(name, f"{name}_next") for name, _ in carried.values()]
    return Graph(form, concrete, shape, states, tuple(name for name, _ in bound.values()), scan)


def frozen(run: Callable[..., dict[str, tf.Tensor]], specs: dict[str, tf.TensorSpec]) -> Any:
    """``run(*values)`` traced, its variables constants: a concrete function of the inputs that ``specs`` names."""
    function = tf.function(run, autograph=False).get_concrete_function(*specs.values())
    constant = convert_variables_to_constants_v2(function, lower_control_flow=False)
    keys = sorted(function.structured_outputs)  # flattened in this order

    def serve(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(keys, constant(*[inputs[name] for name in specs]), strict=True))

    return tf.function(serve, autograph=False).get_concrete_function(**specs)


# (name of a QuantRecurrent, state of its cell) -> name and shape of the graph's input
_Names = dict[tuple[str, str], tuple[str, tuple[int, int]]]


def states_of(model: tf_keras.Model, form: str, frames: int, batch: int = 1) -> tuple[_Names, _Names]:
    """The states that a graph hands in and out, and those that begin at zero in each call."""
    spatial = spatial_layers(model)
    carried: _Names = {}
    bound: _Names = {}
    layers = [(bare(layer).name in spatial, found) for layer in model.layers for found in directions(layer)]
    numbers = {True: 0, False: 0}
    for inside, layer in layers:
        keep = form in ("step", "sequence") and not inside
        for state in layer.cell.states:
            name = f"{state}{numbers[keep]}"
            shape = (batch * frames if inside else batch, layer.units)
            (carried if keep else bound)[layer.name, state] = (name if keep else f"start_{name}", shape)
        numbers[keep] += 1
    return carried, bound


def replay(
    model: tf_keras.Model, given: dict[str, tf.Tensor], names: _Names, form: str
) -> tuple[tf.Tensor, dict[tuple[str, str], tf.Tensor]]:
    """Call the layers of ``model`` in order, handing states to the recurrent ones and collecting them.

    With ``step``, ``x`` is one row ``[1, F]`` or one frame: layers that cut the input into rows are passed over, and
    so are those that fold and unfold frames.
    """
    final: dict[tuple[str, str], tf.Tensor] = {}
    step, clip = form == "step", is_clip(model)
    passed = (Fold, Unfold) if clip else _SCAN

    def call(layer: Any, inputs: list) -> Any:
        found = directions(layer)
        if found:
            keys = [(direction.name, state) for direction in found for state in direction.cell.states]
            begin = [given[names[key][0]] for key in keys]
            result, after = layer(inputs[0], training=False, initial_state=begin, return_state=True)
            final.update(zip(keys, after, strict=True))
            return result
        if step and isinstance(bare(layer), passed):
            return inputs[0]
        return layer(inputs if len(inputs) > 1 else inputs[0], training=False)

    x = given["x"][:, tf.newaxis] if step and not clip else given["x"]
    return walk(model, x, call), final


def scan_of(model: tf_keras.Model) -> tuple[list[list], tuple[int, ...]]:
    """How the device cuts an input into rows, and the shape of a row.

    Raises:
        InputError: a layer in the way mixes time steps.
    """
    scan: list[list] = []
    seen = False
    for layer in model.layers:
        inner = bare(layer)
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
        elif not isinstance(inner, PER_STEP if seen else _NOTHING):
            raise InputError(
                f"form: 'step' cannot pass layer {inner.name!r} ({kind}), which mixes time steps; use 'loop'"
            )
    if not seen:
        raise InputError("form: 'step' needs a recurrent layer; this model has none")
    return scan, (features,)
