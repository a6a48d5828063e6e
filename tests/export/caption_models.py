"""A small caption model with weights that matter, and what quantises it."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np

from rnnedge.models.captioner import captioner, encoder_of
from rnnedge_device.vocabulary import END, PAD, SPECIALS, START, Vocabulary
from rnnedge_export.captions.qat import quantize_captioner
from rnnedge_export.captions.settings import DecoderSettings

WORDS, LENGTH, SIDE = 24, 7, 24
VOCABULARY = Vocabulary((*SPECIALS, *(f"word{i}" for i in range(WORDS - len(SPECIALS)))))


def model(image: str, cell: str, layers: int = 1, side: int = SIDE, **encoder: Any) -> Any:
    """An untrained captioner whose sentences depend on the image and on the words before."""
    keras.utils.set_random_seed(3)
    built = captioner(
        (side, side, 3),
        WORDS,
        image=image,
        cell=cell,
        layers=layers,
        units=20,
        embedding=16,
        attention=8,
        **(encoder or {"filters": [8, 12]}),
    )
    decoder = built.get_layer("decoder")
    rng = np.random.default_rng(3)
    if image == "attention":
        decoder.places.assign(rng.normal(0, 0.5, decoder.places.shape))
    for layer in (decoder.words, decoder.logits):
        layer.set_weights([rng.normal(0, 0.7, w.shape).astype(np.float32) for w in layer.get_weights()])
    if encoder:
        _normalise(built, side)
    else:
        for _ in range(40):  # normalisation learns what is there, so that images differ in their features
            built([images(), sentences()[:, :-1]], training=True)
    return built


def _normalise(built: Any, side: int) -> None:
    """Normalisation takes what is there at once: a deep network's would need thousands of passes to learn it."""
    for part in ("encoder", "projection"):
        for layer in built.get_layer(part).layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.0
    encoder_of(built)(images(side=side), training=True)


def images(count: int = 48, side: int = SIDE) -> np.ndarray:
    """Smooth pictures, float32 ``[count, side, side, 3]`` from 0 to 1; ``side`` is a multiple of 3."""
    rng = np.random.default_rng(5)
    coarse = rng.random((count, 3, 3, 3), np.float32)
    return np.kron(coarse, np.ones((1, side // 3, side // 3, 1), np.float32))


def sentences(count: int = 48) -> np.ndarray:
    """Rows of words of different lengths, int32 ``[count, LENGTH + 2]``."""
    rng = np.random.default_rng(7)
    rows = np.full((count, LENGTH + 2), PAD, np.int32)
    for row in rows:
        words = rng.integers(len(SPECIALS), WORDS, rng.integers(2, LENGTH + 1))
        row[: len(words) + 2] = [START, *words, END]
    return rows


def parts(built: Any) -> tuple[Any, DecoderSettings, dict]:
    """What ``quantize_captioner`` takes of a model."""
    decoder = built.get_layer("decoder")
    settings = DecoderSettings.of(decoder.settings)
    return encoder_of(built), settings, decoder.named_weights()


@cache
def quantized(image: str, cell: str, layers: int = 1, **options: Any) -> tuple[Any, Any]:
    """A model and what came of it; made once."""
    built = model(image, cell, layers)
    return built, quantize(built, **options)


def quantize(built: Any, side: int = SIDE, **options: Any) -> Any:
    """What comes of a model on :func:`images` of ``side``."""
    chosen = {"epochs": 1, "batch_size": 16, "distill": 1.0, **options}
    return quantize_captioner(*parts(built), images(side=side), sentences(), np.arange(48), **chosen)
