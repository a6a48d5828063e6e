"""``clip_rnn``: a frame encoder, then a recurrent network over time, with class scores at every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.applications import application_encoder
from rnnedge.models.arguments import STREAM_CHANNELS, check_choice, check_share, check_whole, checked_shape
from rnnedge.models.encoders import cnn_encoder, row_encoder
from rnnedge.models.per_frame import PerFrame
from rnnedge.models.recurrent import CELLS, recurrent_layer
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first

POOLS = ("average", "both")
ENCODERS = ("row_rnn", "cnn", "mobilenet_v2", "mobilenet_v3")


def clip_rnn(
    input_shape: Sequence[int],
    classes: int,
    *,
    length: int | None = None,
    encoder: str = "cnn",
    cell: str = "gru",
    units: int = 64,
    layers: int = 1,
    dropout: float = 0.0,
    encoder_cell: str = "gru",
    encoder_units: int = 64,
    rows_per_step: int = 1,
    filters: Sequence[int] = (16, 24, 32, 48),
    features: int = 0,
    separable: bool = True,
    first_stride: int = 2,
    pool: str = "average",
    place: int = 0,
    alpha: float = 0.35,
    minimalistic: bool = False,
    weights: str = "",
    name: str = "clip_rnn",
) -> keras.Model:
    """Build the model. Input float32 ``[B, T, h, w, c]``, output logits ``[B, T, classes]``.

    The model is causal: the logits at a frame depend on that frame and those before it. It is a chain of layers:
    ``encoder`` (a :class:`PerFrame`), ``dropout``, then ``gru_0``, ``dropout_0``, ... and ``logits``.

    Args:
        input_shape: ``(h, w, c)`` of a preprocessed frame; c is 1 (grey), 2 (foreground and motion) or 3
            (colour).
        classes: number of classes, at least 2.
        length: T, or None for clips of any length.
        encoder: ``row_rnn`` (a recurrent network over the frame's rows), ``cnn`` (small, depthwise-separable),
            ``mobilenet_v2`` or ``mobilenet_v3`` (small; RGB from -1 to 1).
        cell: ``simple_rnn``, ``lstm`` or ``gru`` of the recurrent layers over time.
        units: state size of each of them.
        layers: how many are stacked; 0 is a model without a memory, the baseline that a single frame allows.
        dropout: rate behind the encoder and behind each of them, and before ``features``, 0 to below 1.
        encoder_cell, encoder_units, rows_per_step: of ``row_rnn``: its cell, its state size and the rows that make
            one of its steps.
        filters: of ``cnn``: the filters of each block; every block halves the frame.
        first_stride: of ``cnn``: 1 lets the first block keep the frame's size, for small frames.
        features: of ``cnn``: 0 averages what is left of the frame, which forgets where things are; else a dense layer
            of so many units over all of it.
        pool: of ``cnn`` without ``features``: ``average``, or ``both``, the average and the maximum.
        place: of ``cnn``: so many units over the frame itself, halved, beside what the blocks find: where things are,
            apart from what they look like, which few clips can teach. 0 for none.
        separable: of ``cnn``: False makes every block a plain 3x3 convolution.
        alpha: of ``mobilenet_*``: the width.
        minimalistic: of ``mobilenet_v3``: no squeeze-and-excite, no hard swish.
        weights: of ``mobilenet_*``: ``""``, ``"imagenet"`` or a file; with weights, normalisation is frozen.

    Raises:
        InputError: an argument is out of range; the message names it, its value and what is allowed.

    Example:
        >>> clip_rnn((32, 32, 1), 5, encoder="row_rnn", units=32).output_shape
        (None, None, 5)
    """
    shape = checked_shape(input_shape, STREAM_CHANNELS)
    for argument, value in (
        ("units", units),
        ("encoder_units", encoder_units),
        ("rows_per_step", rows_per_step),
    ):
        check_whole(argument, value, 1)
    check_whole("classes", classes, 2)
    check_whole("layers", layers, 0)
    check_whole("features", features, 0)
    check_whole("place", place, 0)
    check_choice("pool", pool, POOLS)
    if pool != "average" and (encoder != "cnn" or features):
        # Not in silence: with features the map is flattened, and other encoders have a pooling of their own.
        raise InputError(
            f"pool={pool!r}: is for encoder='cnn' with features=0, not {encoder!r} with {features}"
        )
    check_choice("first_stride", first_stride, (1, 2))
    if length is not None:
        check_whole("length", length, 1)
    check_choice("encoder", encoder, ENCODERS)
    check_choice("cell", cell, CELLS)
    check_choice("encoder_cell", encoder_cell, CELLS)
    check_share("dropout", dropout)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not alpha > 0:
        raise InputError(f"alpha={alpha!r}: must be a number above 0")

    if encoder == "row_rnn":
        inner = row_encoder(shape, encoder_cell, encoder_units, rows_per_step)
    elif encoder == "cnn":
        inner = cnn_encoder(
            shape,
            _checked_filters(filters),
            features,
            separable,
            first_stride,
            dropout,
            pool=pool,
            place=place,
        )
    else:
        inner = application_encoder(
            encoder, shape, alpha=alpha, weights=weights, minimalistic=minimalistic, pooling="avg"
        )
    chain: list[Any] = [PerFrame(inner, name="encoder")]
    if dropout:
        chain.append(keras.layers.Dropout(dropout, name="dropout"))
    for index in range(layers):
        chain.append(recurrent_layer(cell, units, sequences=True, name=f"{cell}_{index}"))
        if dropout:
            chain.append(keras.layers.Dropout(dropout, name=f"dropout_{index}"))
    # float32 under mixed precision too: a softmax of half-precision logits loses the small classes.
    chain.append(keras.layers.Dense(classes, dtype="float32", name="logits"))
    return _chained(chain, (length, *shape), name)


def fixed_length(model: keras.Model, length: int) -> keras.Model:
    """The same layers and weights for clips of ``length`` frames: ``[B, length, h, w, c]`` to ``[B, length, K]``."""
    check_whole("length", length, 1)
    return _chained(model.layers[1:], (length, *model.input_shape[2:]), model.name)


def _chained(layers: Sequence[Any], shape: tuple[int | None, ...], name: str) -> keras.Model:
    frames = keras.Input(shape, name="frames")
    x = frames
    for layer in layers:
        x = layer(x)
    return keras.Model(frames, x, name=name)


def _checked_filters(filters: Sequence[int]) -> list[int]:
    if isinstance(filters, str) or not isinstance(filters, Sequence) or not filters:
        raise InputError(f"filters={filters!r}: must be a list of filter counts, one a block")
    for index, count in enumerate(filters):
        check_whole(f"filters[{index}]", count, 1)
    return list(filters)
