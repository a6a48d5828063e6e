"""Additive attention of a caption decoder over the places of an image, with its quantisation sites."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from rnnedge_export.captions.product import product
from rnnedge_export.captions.softmax import int16_softmax
from rnnedge_export.cells import Site, Weights
from rnnedge_export.sites import Sites

ATTENTION_SITES = tuple(
    ["features", "pooled", "keys", "query", "ask", "asked", "keyed", "energy", "seen", "x", "glimpse", "y"]
)


def attend(
    x: tf.Tensor,
    h: tf.Tensor,
    state: Mapping[str, tf.Tensor],
    w: Weights,
    q: Site,
    rounding: Sites | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Look at the image: weights of its places ``[B, P]``, and what they see ``[B, E]``.

    Args:
        x, h: the word that is read ``[B, E]`` and the state before ``[B, units]``; both say what to look for.
        state: ``features [B, P, E]`` and their ``keys [B, P, A]``.
        w: the matrices ``query``, ``ask`` and ``energy``.
        q: quantises a value at a named site.
        rounding: the sites; with them softmax and sum are rounded as their kernels do it.
    """
    places, size = state["keys"].shape[1:]
    asked = q("asked", q("query", product(h, "query", w)) + q("ask", product(x, "ask", w)))
    keyed = q("tanh", tf.tanh(q("keyed", state["keys"] + asked[:, tf.newaxis])))
    energy = product(tf.reshape(keyed, (-1, size)), "energy", w)
    energy = q("energy", tf.reshape(energy, (-1, places)))
    shares = int16_softmax(energy, rounding.step("energy")) if rounding else tf.nn.softmax(energy)
    looked = q("sigmoid", shares)
    seen = tf.matmul(looked[:, tf.newaxis], state["features"])
    seen = q("seen", rounded_twice(seen, rounding) if rounding else seen)
    return looked, tf.reshape(seen, (-1, x.shape[-1]))


def rounded_twice(seen: tf.Tensor, sites: Sites) -> tf.Tensor:
    """What attention sees, as BATCH_MATMUL's int8 kernel rounds it.

    The kernel multiplies its sums by a fixed-point number from 1/2 to 1, rounds, then shifts with a second rounding
    (``MultiplyByQuantizedMultiplier``, tensorflow/lite/kernels/internal/common.cc): 8.494 becomes 8.5 becomes 9.
    Float32 holds the sums, but not their products: one in a hundred steps had an element on the wrong side of a half.
    """
    step, features = (tf.cast(sites.step(site), tf.float64) for site in ("seen", "features"))
    unit = features * sites.scale("sigmoid")
    factor = unit / step
    power = tf.pow(tf.constant(2.0, tf.float64), tf.floor(-tf.math.log(factor) / np.log(2.0)))
    sums = tf.round(tf.cast(seen, tf.float64) / unit)
    once = tf.round(sums * factor * power) / power
    twice = tf.sign(once) * tf.floor(tf.abs(once) + 0.5)  # half-way cases go away from zero
    return seen + tf.stop_gradient(tf.cast(twice * step, seen.dtype) - seen)
