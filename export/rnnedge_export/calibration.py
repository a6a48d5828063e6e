"""Calibration: a float pass over samples sets every range, a quantised one takes off what rounded weights shift.

A convolution's outputs often have a mean that is large beside their spread; BatchNorm takes it away. Rounded weights
shift that mean, and the shift stays: of MobileNetV2's features it left 5 dB over the noise. So what each channel is
shifted by on average is taken off its bias (Nagel et al. 2019, "bias correction"): 17 dB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_export.annotate import tracing
from rnnedge_export.frames import bare, is_clip, walk
from rnnedge_export.graphs import replay, states_of
from rnnedge_export.scheme import observing

CLIPS_AT_ONCE = 8
# Numbers of the images that go through a model together: what its layers make of them is some thirty times as many, and
# 512 photos of 224x224 at once took 10 GB.
_NUMBERS_AT_ONCE = 2**23
_CORRECTED_IMAGES = 128
_L = tf_keras.layers


def calibrate(student: tf_keras.Model, twin: tf_keras.Model, sample: np.ndarray) -> None:
    """Set the ranges of ``student`` from ``sample [N, ...]``, and its convolutions' biases to keep the twin's means.

    Clips ``[N, T, ...]`` follow one another in ``CLIPS_AT_ONCE`` streams whose states are carried: a stream goes on for
    longer than a clip, and a range that only held what T frames can build up would saturate in it.
    """
    with observing(), tracing(student, "float"):
        if is_clip(student):
            _stream(student, sample)
        else:
            for images in _parts(sample):
                student(tf.constant(images), training=False)
    if any(isinstance(layer, (_L.Conv2D, _L.DepthwiseConv2D)) for layer in twin.layers):
        _correct_biases(student, twin, sample[: CLIPS_AT_ONCE if is_clip(student) else _CORRECTED_IMAGES])


def _parts(sample: np.ndarray) -> Iterator[np.ndarray]:
    """The sample in pieces of about ``_NUMBERS_AT_ONCE``."""
    count = max(1, _NUMBERS_AT_ONCE // max(1, int(np.prod(sample.shape[1:]))))
    yield from (sample[start : start + count] for start in range(0, len(sample), count))


def _stream(student: tf_keras.Model, sample: np.ndarray) -> None:
    before: dict[str, tf.Tensor] = {}
    for start in range(0, len(sample), CLIPS_AT_ONCE):
        x = tf.constant(sample[start : start + CLIPS_AT_ONCE])
        carried, bound = states_of(student, "sequence", x.shape[1], x.shape[0])
        names = {**carried, **bound}
        given = {
            name: before[name][: x.shape[0]] if name in before else tf.zeros(shape)
            for name, shape in names.values()
        }
        _, final = replay(student, {"x": x, **given}, names, "sequence")
        before = {name: final[key] for key, (name, _) in carried.items()}


def _correct_biases(student: tf_keras.Model, twin: tf_keras.Model, sample: np.ndarray) -> None:
    """Walk both models side by side, so that each layer is corrected for inputs that are corrected already."""

    floats = {layer.name: layer for layer in twin.layers}

    def call(layer: Any, inputs: list[tuple[tf.Tensor, tf.Tensor]]) -> tuple[tf.Tensor, tf.Tensor]:
        ours, theirs = (_one([pair[side] for pair in inputs]) for side in (0, 1))
        inner = bare(layer)
        source = floats.get(inner.name)
        if source is None:  # the quantiser of the input
            return layer(ours, training=False), theirs
        target = source(theirs, training=False)
        bias = _bias(inner, source)
        if bias is not None:
            # BatchNorm by itself: behind its wrapper's quantiser the means would be clipped ones.
            shifted = (inner if isinstance(inner, _L.BatchNormalization) else layer)(ours, training=False)
            axes = tuple(range(shifted.shape.rank - 1))
            bias.assign_sub(tf.reduce_mean(shifted, axes) - tf.reduce_mean(target, axes))
        return layer(ours, training=False), target

    x = tf.constant(sample)
    walk(student, (x, x), call)


def _one(values: list) -> Any:
    return values if len(values) > 1 else values[0]


def _bias(layer: Any, source: Any) -> tf.Variable | None:
    """What shifts the channels of a convolution, or of the BatchNorm behind it."""
    if isinstance(layer, _L.BatchNormalization):
        return layer.beta
    linear = (
        isinstance(source, (_L.Conv2D, _L.DepthwiseConv2D))
        and source.activation is tf_keras.activations.linear
    )
    return layer.bias if linear and layer.use_bias else None
