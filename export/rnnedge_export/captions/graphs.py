"""The two graphs of a captioner: ``encode`` (pixels to a state) and ``decode`` (a word and a state to the next)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras

from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.captions.encoder import Given
from rnnedge_export.graphs import frozen

SIGNATURES = ("encode", "decode")


@dataclass(frozen=True)
class CaptionGraphs:
    """Concrete functions for a batch of one.

    Args:
        encode: ``x [1, h, w, c] -> {"h0", ..., "features", "keys"}``.
        decode: ``token [1], h0, ... -> {"y" [1, words], "h0_next", ..., "attention" [1, P]}``.
        states: the recurrent states' names.
        bound: inputs of ``encode`` to turn into zero constants, ``start_h0``, ...
    """

    encode: Any
    decode: Any
    states: list[str]
    bound: tuple[str, ...]


def trace(encoder: tf_keras.Model | Given, decoder: CaptionDecoder) -> CaptionGraphs:
    """Trace encoder and decoder, quantised or exact, as ``decoder.mode`` says."""
    shape = tuple(encoder.inputs[0].shape[1:])

    names = decoder.state_names
    first = decoder.settings.image == "first"
    zeros = [tf.TensorSpec((1, decoder.settings.units), name=f"start_{name}") for name in names if first]

    def encode(x: tf.Tensor, *starts: tf.Tensor) -> dict[str, tf.Tensor]:
        return decoder.begin(encoder(x, training=False), dict(zip(names, starts, strict=False)))

    pixels = {"x": tf.TensorSpec((1, *shape), name="x")}
    encoded = frozen(encode, {**pixels, **{spec.name: spec for spec in zeros}})
    specs = {"token": tf.TensorSpec((1,), tf.int32, name="token")}
    specs |= {
        name: tf.TensorSpec(tuple(value.shape), name=name)
        for name, value in encoded.structured_outputs.items()
    }

    def decode(token: tf.Tensor, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        state = dict(zip(list(specs)[1:], values, strict=True))
        logits, after, looked = decoder.step(token, state)
        found = {"y": logits, **{f"{name}_next": after[name] for name in names}}
        return found if looked is None else {**found, "attention": looked}

    return CaptionGraphs(encoded, frozen(decode, specs), names, tuple(spec.name for spec in zeros))
