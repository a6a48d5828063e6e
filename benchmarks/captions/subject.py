"""What is measured: a captioner's float twin, images and states of real ranges for it, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from rnnedge.models.captioner import encoder_of
from rnnedge_device.bundle import Bundle
from rnnedge_device.errors import InputError
from rnnedge_device.golden import GOLDEN, Golden
from rnnedge_device.vocabulary import START
from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.captions.finetune import NEVER
from rnnedge_export.captions.quantized import float_engines
from rnnedge_export.captions.settings import DecoderSettings
from rnnedge_export.twin import build_twin

SAMPLES = 32
MAX_SECOND, NOISE = 0.3, 3.0  # of a random picture: the second image's share, noise in steps of a pixel
MAX_WORDS = 8  # written before the step that is measured
MAX_TWIN_ERROR = 1e-3  # of the largest logit
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Subject:
    """One captioner and a few inputs of each half.

    Args:
        twin: the encoder in tf_keras, pixels to features.
        decoder: in mode ``exact``.
        weights: the decoder's, by Keras's layers, as ``CaptionDecoder`` takes them.
        images: what ``encode`` is given, ``{"x" [1, h, w, c]}`` each.
        encoded: what the float twin makes of them, ``{"h0" [1, units], ...}`` each.
        steps: what ``decode`` is given, ``{"token" [1], "h0" [1, units], ...}`` each.
        decoded: what the float twin makes of them, ``{"y" [1, words], "h0_next", ...}`` each.
    """

    twin: tf_keras.Model
    decoder: CaptionDecoder
    weights: Mapping[str, Sequence[np.ndarray]]
    images: list[Arrays]
    encoded: list[Arrays]
    steps: list[Arrays]
    decoded: list[Arrays]

    def given(self, half: str) -> list[Arrays]:
        """The inputs of ``encode`` or of ``decode``."""
        return self.images if half == "encode" else self.steps

    def answers(self, half: str) -> list[Arrays]:
        """The float twin's outputs for :meth:`given`."""
        return self.encoded if half == "encode" else self.decoded


def make_subject(model: Any, images: np.ndarray, seed: int = 0) -> Subject:
    """The twin of a Keras captioner, and what it answers to ``images`` float32 ``[N, h, w, c]``.

    The states of ``decode`` are those that the model itself reaches on the images while it writes 1 to ``MAX_WORDS``
    words, drawn from its own distribution.

    Raises:
        InputError: the twin does not compute what the model computes.
    """
    layer = model.get_layer("decoder")
    settings = DecoderSettings.of(layer.settings)
    weights = layer.named_weights()
    twin, decoder = build_twin(encoder_of(model)), CaptionDecoder(settings, weights)
    decoder.mode = "exact"
    _check_twin(model, twin, decoder, images[:4])

    encode, decode = float_engines(twin, decoder)
    random = np.random.default_rng(seed)
    given = [{"x": image[np.newaxis]} for image in images]
    encoded = [encode.run(feed) for feed in given]
    steps, decoded = [], []
    for index, state in enumerate(encoded):
        token, found = START, {}
        for _ in range(2 + index % MAX_WORDS):
            feed = {"token": np.array([token], np.int32), **state}
            found = decode.run(feed)
            state = {**state, **{link.input: found[link.output] for link in decode.form.states}}
            token = _drawn(found["y"][0], random)
        steps.append(feed)
        decoded.append(found)
    return Subject(twin, decoder, weights, given, encoded, steps, decoded)


def pictures(bundle: Bundle, count: int = SAMPLES, seed: int = 0) -> np.ndarray:
    """Random pictures as a model is given them, float32 ``[count, h, w, c]``, of the ranges that its data have.

    Each is one of the bundle's real images, mirrored or not, with some of another shining through, and noise. (Noise
    alone drives a trained encoder far out of the range that it was quantised for.)

    Raises:
        InputError: a bundle without golden images.
    """
    if GOLDEN not in bundle.members:
        raise InputError(f"{bundle.manifest.name}: has no {GOLDEN}, whose images the inputs are made of")
    preprocess, random = bundle.manifest.preprocess, np.random.default_rng(seed)
    frames = Golden.from_bytes(bundle.members[GOLDEN]).images
    real = np.stack([preprocess.pixels(frame) for frame in frames]).astype(np.float32)
    found = []
    for index in range(count):
        first, second = real[index % len(real)], real[random.integers(len(real))]
        share = random.uniform(0, MAX_SECOND)
        mixed = (1 - share) * first[:, :: random.choice((1, -1))] + share * second
        noisy = mixed + random.normal(0, NOISE, mixed.shape)
        found.append(preprocess.look_up(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), preprocess.table))
    return np.stack(found)


def _drawn(logits: np.ndarray, random: np.random.Generator) -> int:
    """A word from the distribution of ``logits [words]``, but none that a decoder never writes."""
    real = logits.astype(np.float64)
    real[list(NEVER)] = -np.inf
    shares = np.exp(real - real.max())
    return int(random.choice(len(shares), p=shares / shares.sum()))


def _check_twin(model: Any, twin: tf_keras.Model, decoder: CaptionDecoder, images: np.ndarray) -> None:
    """Keras's own answers behind random words beside the twin's: the twin is what all candidates are held to."""
    shape = len(images), MAX_WORDS
    tokens = np.random.default_rng(1).integers(START, decoder.settings.words, shape).astype(np.int32)
    theirs = np.asarray(model.predict([images, tokens], verbose=0))
    ours = decoder.teach(twin(images, training=False), tokens).numpy()
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if error > MAX_TWIN_ERROR:
        raise InputError(f"model: its twin differs by {error:.1e} of the largest logit")
