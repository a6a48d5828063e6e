"""Clip models for the exporter's tests, small and with signals that do not die out untrained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

L = keras.layers
FRAME = (12, 10, 1)

CELLS: dict[str, Callable[..., keras.layers.Layer]] = {
    "simple_rnn": L.SimpleRNN,
    "lstm": L.LSTM,
    "gru": L.GRU,
}


class Folded(L.TimeDistributed):
    """Time folded into the batch in one call, as ``rnnedge.models.PerFrame`` does it."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        y = self.layer(keras.ops.reshape(inputs, (-1, *inputs.shape[2:])))
        return keras.ops.reshape(y, (-1, keras.ops.shape(inputs)[1], *y.shape[1:]))


def rows() -> keras.Model:
    """A recurrent layer over the rows of a frame, then another over what it gives."""
    frame = keras.Input(FRAME)
    x = L.LSTM(7, return_sequences=True)(L.Reshape((12, 10))(frame))
    return keras.Model(frame, L.GRU(8)(x), name="rows")


def both_ways() -> keras.Model:
    """Rows read in both directions: within a frame, nothing is yet to come."""
    frame = keras.Input(FRAME)
    return keras.Model(frame, L.Bidirectional(L.SimpleRNN(6))(L.Reshape((12, 10))(frame)), name="both_ways")


def cnn() -> keras.Model:
    """A plain and a depthwise convolution, and the mean over what is left."""
    frame = keras.Input(FRAME)
    x = L.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(frame)
    x = L.ReLU()(L.BatchNormalization()(x))
    x = L.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    return keras.Model(frame, L.GlobalAveragePooling2D()(L.Conv2D(8, 1)(x)), name="cnn")


def gated() -> keras.Model:
    """What MobileNetV3 has: hard swish, squeeze and excite, and Keras's operations without a layer."""
    frame = keras.Input(FRAME)
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(frame)
    x = L.Activation("hard_swish")(L.BatchNormalization()(x))
    gate = L.Conv2D(8, 1)(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply()([x, L.ReLU(6.0)(gate + 3.0) * (1.0 / 6.0)])
    return keras.Model(frame, L.GlobalAveragePooling2D()(x), name="gated")


def placed() -> keras.Model:
    """The mean and the maximum of what a convolution finds, and beside them where things are in the frame itself."""
    frame = keras.Input(FRAME)
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3, padding="same", use_bias=False)(frame)))
    pooled = L.Concatenate()([L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D()(x)])
    place = L.Dense(5, activation="relu")(L.Flatten()(L.AveragePooling2D(2)(frame)))
    return keras.Model(frame, L.Concatenate()([pooled, place]), name="placed")


ENCODERS = {f.__name__: f for f in (rows, cnn, gated, placed)}


def clip_model(
    encoder: Callable[[], keras.Model],
    *over_time: keras.layers.Layer,
    length: int | None = 4,
    classes: int = 4,
) -> keras.Model:
    """``[B, length, 12, 10, 1] -> [B, length, classes]``, with the same random weights each time.

    As in pretrained models, the convolutions' first channel is dead but for its bias, the second faint.
    """
    frames = keras.Input((length, *FRAME), name="frames")
    x = Folded(encoder(), name="encoder")(frames)
    for layer in over_time:
        x = layer(x)
    model = keras.Model(frames, L.Dense(classes, name="logits")(x))
    random = np.random.default_rng(5)
    for weight in model.weights:
        if weight.name == "moving_variance":
            weight.assign(np.full(weight.shape, 0.05, np.float32))
        elif weight.name != "gamma":
            spread = 0.3 if len(weight.shape) == 1 else np.prod(weight.shape[:-1]) ** -0.5
            values = random.normal(0, spread, weight.shape).astype(np.float32)
            if len(weight.shape) == 4:
                channels = values if weight.shape[-1] > 1 else values[..., 0]
                channels[..., 0] *= 1e-20
                channels[..., 1] *= 3e-3
            elif weight.name in ("beta", "bias"):
                values[0] = 0.4
            weight.assign(values)
    return model


def any_length(model: keras.Model) -> keras.Model:
    """The same layers for clips of any length, to hold streams against."""
    x = frames = keras.Input((None, *model.input_shape[2:]))
    for layer in model.layers[1:]:
        x = layer(x)
    return keras.Model(frames, x)


def clips(count: int, length: int = 4, seed: int = 0) -> np.ndarray:
    """Random frames, ``float32 [count, length, 12, 10, 1]`` in 0..1; each clip of its own brightness."""
    random = np.random.default_rng(seed)
    light = random.random((count, length, 1, 1, 1)) * random.random((count, 1, 1, 1, 1))
    return (light * random.random((count, length, *FRAME))).astype(np.float32)
