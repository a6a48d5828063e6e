"""``image_encoder``: what a captioner sees with, an image as a grid of features."""

from __future__ import annotations

from collections.abc import Sequence

from rnnedge.backend import use_backend
from rnnedge.models.applications import APPLICATIONS, application_encoder
from rnnedge.models.encoders import cnn_encoder

use_backend()

import keras  # noqa: E402 - the backend is chosen first

ENCODERS = ("cnn", *APPLICATIONS)


def image_encoder(
    encoder: str,
    shape: tuple[int, int, int],
    *,
    filters: Sequence[int],
    first_stride: int,
    alpha: float,
    weights: str,
) -> keras.Model:
    """``[B, h, w, c]`` to ``[B, rows, columns, C]``; the model is called ``encoder``."""
    if encoder == "cnn":
        inner = cnn_encoder(shape, list(filters), separable=False, first_stride=first_stride, grid=True)
    else:
        inner = application_encoder(encoder, shape, alpha=alpha, weights=weights)
    return keras.Model(inner.input, inner.output, name="encoder")
