"""``row_rnn``: an image read as a sequence of rows, columns or pixels by a recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.arguments import check_choice, check_share, check_whole, checked_shape
from rnnedge.models.recurrent import CELLS, recurrent_layer
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first

SCANS = ("rows", "columns", "pixels")
POOL = "pool"


def row_rnn(
    input_shape: Sequence[int],
    classes: int,
    *,
    cell: str = "lstm",
    units: int = 128,
    layers: int = 1,
    bidirectional: bool = False,
    scan: str = "rows",
    rows_per_step: int = 1,
    dropout: float = 0.0,
    irnn: bool = False,
    stem: Sequence[int | str] = (),
    name: str = "row_rnn",
) -> keras.Model:
    """Build the classifier. Input float32 ``[B, h, w, c]``, output logits ``[B, classes]``.

    Args:
        input_shape: ``(h, w, c)`` of a preprocessed image; c is 1 (grey) or 3 (colour), any h and w.
        classes: number of classes, at least 2.
        cell: ``simple_rnn``, ``lstm`` or ``gru`` (``reset_after``, as cuDNN has it).
        units: state size of each layer and direction.
        layers: stacked recurrent layers; only the last returns its final state alone.
        bidirectional: read the sequence in both directions and concatenate them.
        scan: ``rows`` (h steps of w·c), ``columns`` (w steps of h·c) or ``pixels`` (h·w steps of c, raster
            order).
        rows_per_step: rows (columns, pixels) that make one time step. Rows or columns that do not fill the
            last step are padded with zeros; pixels must divide evenly.
        dropout: rate between the recurrent layers and before the logits, 0 to below 1.
        irnn: for ``simple_rnn``: ReLU and an identity recurrent kernel (Le, Jaitly and Hinton 2015).
        stem: convolutions before the scan: a number is a 3x3 convolution of that many filters with batch
            normalisation and ReLU, ``"pool"`` is a 2x2 max pooling.

    Raises:
        InputError: an argument is out of range; the message names it, its value and what is allowed.

    Example:
        >>> row_rnn((28, 28, 1), 10, cell="lstm", units=32).output_shape
        (None, 10)
    """
    h, w, c = checked_shape(input_shape)
    check_whole("classes", classes, 2)
    check_whole("units", units, 1)
    check_whole("layers", layers, 1)
    check_whole("rows_per_step", rows_per_step, 1)
    check_choice("cell", cell, CELLS)
    check_choice("scan", scan, SCANS)
    check_share("dropout", dropout)
    if irnn and cell != "simple_rnn":
        raise InputError(f"irnn=True with cell={cell!r}: identity initialisation is for cell='simple_rnn'")

    image = keras.Input((h, w, c), name="image")
    x = _stem(image, stem)
    x = scanned(x, scan, rows_per_step)
    for index in range(layers):
        layer = recurrent_layer(cell, units, irnn=irnn, sequences=index + 1 < layers, name=f"{cell}_{index}")
        x = keras.layers.Bidirectional(layer, name=f"both_{index}")(x) if bidirectional else layer(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{index}")(x)
    # The logits stay float32 under mixed precision: a softmax of half-precision logits loses the small
    # classes.
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


def _stem(x: Any, stem: Sequence[int | str]) -> Any:
    """The convolutional stem: ``[B, h, w, c]`` to ``[B, h', w', filters]``."""
    if isinstance(stem, str) or not isinstance(stem, Sequence):
        raise InputError(f"stem={stem!r}: must be a list of filter counts and {POOL!r}")
    for index, block in enumerate(stem):
        if block == POOL:
            if min(x.shape[1:3]) < 2:
                raise InputError(
                    f"stem={list(stem)!r}: block {index} pools an image of {x.shape[1]}x{x.shape[2]}"
                )
            x = keras.layers.MaxPooling2D(2, name=f"stem_pool_{index}")(x)
            continue
        if isinstance(block, bool) or not isinstance(block, int) or block < 1:
            raise InputError(
                f"stem={list(stem)!r}: block {index} is {block!r}; allowed: a filter count or {POOL!r}"
            )
        x = keras.layers.Conv2D(block, 3, padding="same", use_bias=False, name=f"stem_conv_{index}")(x)
        x = keras.layers.BatchNormalization(name=f"stem_norm_{index}")(x)
        x = keras.layers.ReLU(name=f"stem_relu_{index}")(x)
    return x


def scanned(x: Any, scan: str, rows_per_step: int) -> Any:
    """Order the image ``[B, h, w, c]`` as time steps ``[B, T, F]``."""
    if scan == "pixels":
        _, h, w, c = x.shape
        if h * w % rows_per_step:
            raise InputError(
                f"rows_per_step={rows_per_step}: does not divide the {h * w} pixels of scan='pixels'"
            )
        return keras.layers.Reshape((h * w // rows_per_step, rows_per_step * c), name="pixels")(x)
    if scan == "columns":
        x = keras.layers.Permute((2, 1, 3), name="transpose")(x)
    steps = -(-x.shape[1] // rows_per_step)
    missing = steps * rows_per_step - x.shape[1]
    if missing:
        x = keras.layers.ZeroPadding2D(((0, missing), (0, 0)), name="pad")(x)
    _, _, width, channels = x.shape
    return keras.layers.Reshape((steps, rows_per_step * width * channels), name=scan)(x)
