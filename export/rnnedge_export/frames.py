"""Frames of a clip: folded into the batch for the encoder that sees each by itself, and unfolded for the time after.

A clip model is flat: ``[B, T, h, w, c]`` → ``Fold`` → encoder layers on ``[B T, h, w, c]`` → ``Unfold`` → recurrent
layers over time on ``[B, T, F]``. Between ``Fold`` and ``Unfold`` nothing passes from frame to frame: such layers are
called *spatial*, the rest *temporal*. Only temporal states are carried from one frame of a stream to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import QuantizeLayer
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import QuantizeWrapper

from rnnedge_device.errors import InputError

_L = tf_keras.layers
# What acts on each step of a sequence by itself.
PER_STEP = (
    _L.Dropout,
    _L.SpatialDropout1D,
    _L.Dense,
    _L.ReLU,
    _L.Activation,
    _L.Softmax,
    _L.Add,
    _L.Concatenate,
)


class Fold(tf_keras.layers.Layer):
    """Time into the batch: ``[B, T, ...] -> [B T, ...]``."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reshape(inputs, (-1, *inputs.shape[2:]))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (None, *tuple(input_shape)[2:])


class Unfold(tf_keras.layers.Layer):
    """Time out of the batch: ``[B T, ...] -> [B, T, ...]`` for ``frames`` = T."""

    def __init__(self, frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frames": self.frames}

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reshape(inputs, (-1, self.frames, *inputs.shape[1:]))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (None, self.frames, *tuple(input_shape)[1:])


def bare(layer: Any) -> Any:
    """The layer itself, without tfmot's wrapper."""
    return layer.layer if isinstance(layer, QuantizeWrapper) else layer


def walk(model: tf_keras.Model, x: Any, call: Callable[[Any, list], Any]) -> Any:
    """What the output of ``model`` becomes when ``call(layer, inputs)`` stands for each layer, in order, from ``x``."""
    nodes = [
        node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]
    ]
    sources = {
        id(node): [id(t) for t in tf.nest.flatten(node.keras_inputs)] for node in nodes if not node.is_input
    }
    readers = Counter(source for found in sources.values() for source in found)
    values = {id(model.inputs[0]): x}
    for node in nodes:
        if node.is_input:
            continue
        inputs = [values[source] for source in sources[id(node)]]
        for source in sources[id(node)]:
            readers[source] -= 1
            if not readers[source]:  # what a large model's layers make is not kept to the end
                del values[source]
        values[id(tf.nest.flatten(node.outputs)[0])] = call(node.layer, inputs)
    return values[id(model.outputs[0])]


def is_clip(model: tf_keras.Model) -> bool:
    """Does ``model`` take clips: has it an encoder that sees one frame at a time?"""
    return any(isinstance(bare(layer), Fold) for layer in model.layers)


def spatial_layers(model: tf_keras.Model) -> set[str]:
    """Names of the layers between ``Fold`` and ``Unfold``."""
    names: set[str] = set()

    def call(layer: Any, inputs: list[bool]) -> bool:
        inner = bare(layer)
        if isinstance(inner, (Fold, Unfold)):
            return isinstance(inner, Fold)
        if any(inputs):
            names.add(inner.name)
        return any(inputs)

    walk(model, False, call)
    return names


def check_causal(twin: tf_keras.Model) -> None:
    """Refuse a clip model that does not answer at every frame from the frames up to it.

    Raises:
        InputError: naming the layer that reads backwards, mixes frames or drops their order, and what can be done.
    """
    inside = spatial_layers(twin)
    recurrent = (_L.SimpleRNN, _L.LSTM, _L.GRU)
    remembers = False
    for layer in twin.layers:
        where = f"model: layer {layer.name!r} ({type(layer).__name__}) over time cannot be quantised"
        if layer.name in inside or isinstance(
            layer, (_L.InputLayer, Fold, Unfold, QuantizeLayer, _L.Rescaling)
        ):
            continue
        if isinstance(layer, _L.Bidirectional) or getattr(layer, "go_backwards", False):
            raise InputError(f"{where}; a stream knows the past only: let it run forwards")
        if isinstance(layer, recurrent):
            if not layer.return_sequences:
                raise InputError(f"{where}; a clip model answers at every frame: set return_sequences=True")
            remembers = True
        elif not isinstance(layer, PER_STEP) or getattr(layer, "axis", -1) not in (
            -1,
            len(layer.output_shape) - 1,
        ):
            raise InputError(
                f"{where}; it mixes frames: put it into the TimeDistributed encoder, or leave it out"
            )
    if not remembers:
        raise InputError(
            "model: no SimpleRNN, LSTM or GRU over time; expected one behind the TimeDistributed encoder"
        )
