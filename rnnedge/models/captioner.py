"""``captioner``: an image encoder and a recurrent decoder that writes a sentence about what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.models.arguments import check_choice, check_share, check_whole, checked_shape
from rnnedge.models.caption_decoder import IMAGES, CaptionDecoder
from rnnedge.models.image_encoders import ENCODERS, image_encoder

use_backend()

import keras  # noqa: E402 - the backend is chosen first


def captioner(
    input_shape: Sequence[int],
    words: int,
    *,
    encoder: str = "cnn",
    image: str = "first",
    cell: str = "lstm",
    units: int = 256,
    layers: int = 1,
    embedding: int = 256,
    attention: int = 128,
    dropout: float = 0.0,
    filters: Sequence[int] = (16, 32, 48, 64),
    first_stride: int = 2,
    alpha: float = 1.0,
    weights: str = "",
    name: str = "captioner",
) -> keras.Model:
    """Build the model. Inputs float32 ``[B, h, w, c]`` and int32 ``[B, L]``, output logits ``[B, L, words]``.

    It is a chain: ``encoder`` (pixels to a grid ``[B, rows, columns, C]``), ``projection`` (the grid, or its average,
    through a 1x1 convolution and batch normalisation to ``embedding`` features), ``decoder``
    (:class:`CaptionDecoder`). The input words are ``<start> w1 w2 ...``; the output at each place is the next word.

    Args:
        input_shape: ``(h, w, c)`` of a preprocessed image; c is 1 (grey) or 3 (colour).
        words: of the vocabulary.
        encoder: ``cnn`` (small, of ours), ``mobilenet_v2``, ``mobilenet_v3`` (small), ``efficientnet_lite`` or
            ``resnet50``.
        image: how the image enters the decoder: ``first``, ``state`` or ``attention``.
        cell: ``lstm`` or ``gru``.
        units, layers: of the recurrent network; embedding, attention, dropout: see :class:`CaptionDecoder`.
        filters: of ``cnn``: the filters of each block; every block halves the image.
        first_stride: of ``cnn``: 1 lets the first block keep the image's size, for small images.
        alpha: of ``mobilenet_*``: the width.
        weights: of the encoder: ``""``, ``"imagenet"`` or a file.

    Raises:
        InputError: an argument is out of range; the message names it, its value and what is allowed.
    """
    shape = checked_shape(input_shape)
    for argument, value in (
        ("units", units),
        ("layers", layers),
        ("attention", attention),
    ):
        check_whole(argument, value, 1)
    check_whole("embedding", embedding, 1)
    check_whole("words", words, 5)
    check_choice("encoder", encoder, ENCODERS)
    check_choice("image", image, IMAGES)
    check_choice("cell", cell, ("lstm", "gru"))
    check_share("dropout", dropout)

    check_choice("first_stride", first_stride, (1, 2))
    grid = image_encoder(
        encoder, shape, filters=filters, first_stride=first_stride, alpha=alpha, weights=weights
    )
    projection = _projection(grid.output_shape[1:], embedding, places=image == "attention")
    decoder = CaptionDecoder(words, image, cell, units, layers, embedding, attention, dropout, name="decoder")
    pixels = keras.Input(shape, name="image")
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    return keras.Model([pixels, tokens], decoder(projection(grid(pixels)), tokens), name=name)


def _projection(shape: tuple[int, ...], embedding: int, places: bool) -> keras.Model:
    """``[B, rows, columns, C]`` to ``[B, E]``, or to ``[B, rows columns, E]`` for ``places``."""
    grid = keras.Input(shape, name="grid")
    x: Any = grid if places else keras.layers.GlobalAveragePooling2D(keepdims=True, name="average")(grid)
    x = keras.layers.Conv2D(embedding, 1, use_bias=False, name="project")(x)
    x = keras.layers.BatchNormalization(momentum=0.9, name="project_norm")(x)
    if places:
        x = keras.layers.Reshape((shape[0] * shape[1], embedding), name="places")(x)
    else:
        x = keras.layers.Flatten(name="flatten")(x)
    return keras.Model(grid, x, name="projection")


def encoder_of(model: keras.Model) -> keras.Model:
    """The encoder and projection of a captioner as one model, pixels to features."""
    return keras.Model(
        model.inputs[0],
        model.get_layer("projection")(model.get_layer("encoder")(model.inputs[0])),
        name="image_features",
    )
