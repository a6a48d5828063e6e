"""Ranges of a caption decoder, taken on its own sentences, and its quantisation-aware fine-tuning.

The encoder is calibrated and stays as it is: what it gives for each image is computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from rnnedge_device.errors import InputError
from rnnedge_device.vocabulary import END, PAD, START, UNKNOWN
from rnnedge_export.captions.decoder import CaptionDecoder
from rnnedge_export.scheme import observing

NEVER = (PAD, START, UNKNOWN)  # words that a decoder must not say
# Logits are cut off so far (nats) below the best word of the least sure steps, this share of all: what lies lower has
# no chance, and int8 has 256 levels for the words that have one.
BELOW, UNSURE = 10.0, 0.01


def write(decoder: CaptionDecoder, features: np.ndarray, length: int) -> np.ndarray:
    """The sentences that a decoder writes by itself, greedily: int32 ``[N, length]``, behind END all END."""
    state = decoder.begin(tf.constant(features))
    token = tf.fill((len(features),), START)
    ended = np.zeros(len(features), bool)
    said = []
    for _ in range(length):
        logits, state, _ = decoder.step(token, state)
        scores = logits.numpy()
        scores[:, NEVER] = -np.inf
        word = np.where(ended, END, scores.argmax(-1)).astype(np.int32)
        ended |= word == END
        said.append(word)
        token = tf.constant(word)
    return np.stack(said, axis=1)


def calibrate_decoder(decoder: CaptionDecoder, features: np.ndarray, tokens: np.ndarray) -> None:
    """Set the ranges on the states that the decoder itself reaches while it writes, and on people's sentences.

    Args:
        features: of the quantised encoder, ``[N, ...]``.
        tokens: ``[M, L]`` sentences for the first M of them, ``START w1 ... wn END PAD ...``.
    """
    with observing(), decoder.as_mode("observed"):
        said = write(decoder, features, tokens.shape[1])
        decoder.teach(tf.constant(features[: len(tokens)]), tf.constant(tokens[:, :-1]))
    with decoder.as_mode("exact"):
        read = np.concatenate([np.full((len(said), 1), START, np.int32), said[:, :-1]], axis=1)
        logits = decoder.teach(tf.constant(features), tf.constant(read)).numpy()
    decoder.cut_logits(float(np.quantile(logits.max(-1), UNSURE)) - BELOW)


def finetune_decoder(
    student: CaptionDecoder,
    teacher: CaptionDecoder,
    features: np.ndarray,
    float_features: np.ndarray,
    tokens: np.ndarray,
    images: np.ndarray,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    distill: float,
    seed: int,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train the fake-quantised ``student`` in place with teacher forcing; one dict of figures an epoch.

    The loss of a word is ``(1 - distill) cross-entropy + distill KL(teacher || student)``; what pads a sentence counts
    nothing. Adam, gradients clipped to a norm of 1, a cosine from ``learning_rate`` to zero.

    Args:
        features, float_features: of the quantised and of the float encoder, ``[N, ...]``.
        tokens: ``[M, L]`` sentences, ``START w1 ... wn END PAD ...``.
        images: int ``[M]``, which image each sentence is of.

    Raises:
        InputError: the loss is no longer finite.
    """
    steps = max(1, epochs * math.ceil(len(tokens) / batch_size))
    schedule = tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = tf_keras.optimizers.Adam(schedule, clipnorm=1.0)
    variables = student.trainable_variables
    optimizer.build(variables)  # within a step it would have that traced twice

    @tf.function(reduce_retracing=True, autograph=False)
    def step(ours: tf.Tensor, theirs: tf.Tensor, sentences: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        before, after = sentences[:, :-1], sentences[:, 1:]
        target = teacher.teach(theirs, before)
        counts = tf.cast(after != PAD, tf.float32)
        with tf.GradientTape() as tape:
            logits = student.teach(ours, before, training=True)
            task = tf.nn.sparse_softmax_cross_entropy_with_logits(after, logits)
            apart = tf.reduce_sum(
                tf.nn.softmax(target) * (tf.nn.log_softmax(target) - tf.nn.log_softmax(logits)), axis=-1
            )
            loss = tf.reduce_sum(counts * ((1 - distill) * task + distill * apart)) / tf.reduce_sum(counts)
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(
            (gradient, variable)
            for gradient, variable in zip(gradients, variables, strict=True)
            if gradient is not None
        )
        same = tf.cast(tf.argmax(logits, -1) == tf.argmax(target, -1), tf.float32)
        return loss, tf.reduce_sum(counts * same) / tf.reduce_sum(counts)

    history = []
    for epoch in range(1, epochs + 1):
        order = np.random.default_rng([seed, epoch]).permutation(len(tokens))
        rows = []
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            of = images[chosen]
            loss, same = step(
                *(tf.constant(array) for array in (features[of], float_features[of], tokens[chosen]))
            )
            if not math.isfinite(float(loss)):
                raise InputError(
                    f"learning_rate: {learning_rate}: the loss is {float(loss)}; try a smaller one"
                )
            rows.append((float(loss), float(same)))
        mean = np.mean(rows, axis=0)
        history.append({"epoch": epoch, "loss": float(mean[0]), "agreement": float(mean[1])})
        if report:
            report(history[-1])
    return history
