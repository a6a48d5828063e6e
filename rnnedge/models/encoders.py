"""Frame encoders: models of one frame, ``[N, h, w, c]`` to features ``[N, F]``, for :func:`clip_rnn`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.recurrent import recurrent_layer
from rnnedge.models.row_rnn import scanned

use_backend()

import keras  # noqa: E402 - the backend is chosen first

NAME = "frame_encoder"
# Keras's 0.99 needs hundreds of steps to follow: a few epochs of a small set of clips.
MOMENTUM = 0.9


def row_encoder(shape: tuple[int, int, int], cell: str, units: int, rows_per_step: int) -> keras.Model:
    """A recurrent network over the frame's rows; the features are its last state, F = ``units``."""
    frame = keras.Input(shape, name="frame")
    x = scanned(frame, "rows", rows_per_step)
    return keras.Model(
        frame, recurrent_layer(cell, units, sequences=False, name=f"rows_{cell}")(x), name=NAME
    )


def cnn_encoder(
    shape: tuple[int, int, int],
    filters: Sequence[int],
    features: int = 0,
    separable: bool = True,
    first_stride: int = 2,
    dropout: float = 0.0,
    grid: bool = False,
    pool: str = "average",
    place: int = 0,
) -> keras.Model:
    """A small depthwise-separable network; every block halves the frame, F is the last block's filters or ``features``.

    The first block is a 3x3 convolution (with ``first_stride=1`` it keeps the frame's size), each later one a 3x3
    depthwise and a 1x1 convolution (all are plain 3x3 convolutions without ``separable``), with batch normalisation
    and ReLU. The average over what is left of the frame ends it (with ``pool="both"`` beside the maximum), or
    ``dropout`` and a dense layer of ``features`` units over all of it. With ``grid`` nothing does: the features are
    ``[N, rows, columns, F]``. With ``place``, as many units over the frame itself, halved, tell where things are.
    """
    frame = keras.Input(shape, name="frame")
    x: Any = frame
    for index, count in enumerate(filters):
        if index == 0 or not separable:
            layer: Any = keras.layers.Conv2D(
                count,
                3,
                strides=2 if index else first_stride,
                padding="same",
                use_bias=False,
                name=f"conv_{index}",
            )
            x = _normalised(layer(x), f"conv_{index}")
            continue
        layer = keras.layers.DepthwiseConv2D(
            3, strides=2, padding="same", use_bias=False, name=f"depthwise_{index}"
        )
        x = _normalised(layer(x), f"depthwise_{index}")
        layer = keras.layers.Conv2D(count, 1, use_bias=False, name=f"pointwise_{index}")
        x = _normalised(layer(x), f"pointwise_{index}")
    if grid:
        return keras.Model(frame, x, name=NAME)
    if features:
        x = keras.layers.Flatten(name="flatten")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(features, activation="relu", name="features")(x)
    elif pool == "both":
        averages, maxima = (
            keras.layers.GlobalAveragePooling2D(name="average")(x),
            keras.layers.GlobalMaxPooling2D(name="maximum")(x),
        )
        x = keras.layers.Concatenate(name="pooled")([averages, maxima])
    else:
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    if place:
        x = keras.layers.Concatenate(name="placed")([x, _place(frame, place)])
    return keras.Model(frame, x, name=NAME)


def _place(frame: Any, units: int) -> Any:
    """Where things are: a dense layer over the halved frame, which no pooling has made forget it."""
    x = keras.layers.AveragePooling2D(2, name="halved")(frame)
    x = keras.layers.Flatten(name="places")(x)
    return keras.layers.Dense(units, activation="relu", name="place")(x)


def _normalised(x: Any, name: str) -> Any:
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
