"""Frame encoders: models of one frame, ``[N, h, w, c]`` to features ``[N, F]``, for :func:`clip_rnn`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.recurrent import recurrent_layer
from rnnedge.models.row_rnn import scanned
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first

NAME = "frame_encoder"
# Keras's 0.99 needs hundreds of steps to follow: a few epochs of a small set of clips.
MOMENTUM = 0.9
SMALLEST = 32  # pixels of a side that a MobileNet can halve five times
MOBILENETS = {
    "mobilenet_v2": (keras.applications.MobileNetV2, {}),
    # Its preprocessing would be layers of the graph; here it is the recipe's mean and std.
    "mobilenet_v3": (keras.applications.MobileNetV3Small, {"include_preprocessing": False}),
}


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
) -> keras.Model:
    """A small depthwise-separable network; every block halves the frame, F is the last block's filters or ``features``.

    The first block is a 3x3 convolution (with ``first_stride=1`` it keeps the frame's size), each later one a 3x3
    depthwise and a 1x1 convolution (all are plain 3x3 convolutions without ``separable``), with batch normalisation
    and ReLU. The average over what is left of the frame ends it, or ``dropout`` and a dense layer of ``features``
    units over all of it.
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
    if features:
        x = keras.layers.Flatten(name="flatten")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(features, activation="relu", name="features")(x)
    else:
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(frame, x, name=NAME)


def mobilenet_encoder(
    encoder: str, shape: tuple[int, int, int], alpha: float, weights: str, minimalistic: bool
) -> keras.Model:
    """A network of ``keras.applications`` up to its last average.

    Args:
        encoder: ``mobilenet_v2`` or ``mobilenet_v3`` (small).
        shape: ``(h, w, 3)`` with sides of at least 32; the inputs are RGB from -1 to 1.
        alpha: width; 1.0 is the published one.
        weights: ``""`` (random), ``"imagenet"`` (downloaded by Keras) or a file of weights. With weights, batch
            normalisation keeps its statistics: a clip's frames are too alike to renew them.
        minimalistic: V3 without squeeze-and-excite, hard swish and 5x5 convolutions.
    """
    if shape[2] != 3:
        raise InputError(
            f"encoder={encoder!r}: needs colour frames of 3 channels, got {shape[2]} (data.color='rgb')"
        )
    if min(shape[:2]) < SMALLEST:
        raise InputError(
            f"encoder={encoder!r}: needs frames of at least {SMALLEST}x{SMALLEST}, got {shape[0]}x{shape[1]}"
        )
    if minimalistic and encoder != "mobilenet_v3":
        raise InputError(f"minimalistic=True with encoder={encoder!r}: is for encoder='mobilenet_v3'")
    if weights not in ("", "imagenet") and not Path(weights).is_file():
        raise InputError(
            f"weights={weights!r}: is no file; must be a file of weights, 'imagenet' or '' (random)"
        )
    make, options = MOBILENETS[encoder]
    if minimalistic:
        options = {**options, "minimalistic": True}
    try:
        with warnings.catch_warnings():
            # A file that does not fit is one error, not a hundred warnings before it.
            warnings.simplefilter("ignore")
            model = make(
                input_shape=shape,
                alpha=alpha,
                include_top=False,
                weights=weights or None,
                pooling="avg",
                name=NAME,
                **options,
            )
    except Exception as error:
        # Whatever Keras met: an alpha without published weights, no download, a file of another model.
        raise InputError(
            f"weights={weights!r}: do not load into {encoder} with alpha={alpha}: {error}"
        ) from error
    if weights:
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    return model


def _normalised(x: Any, name: str) -> Any:
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
