"""A softmax rounded as TFLite's int16 kernel and the QUANTIZE to int8 behind it do it (``softmaxes.py``).

Both are integers throughout: an exponential from a table of 512 steps between -10 and 0, interpolated; the reciprocal
of their sum from such a table of ``1 / (1 + x)``; a product in 15 bits; two roundings on the way to 8.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_ONE = 1 << 15  # 1.0 with 15 bits behind the point
_STEPS = 512
_LOWEST = 10.0  # exponentials of less than its negative count as that one


def int16_softmax(energy: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """The softmax over the last axis of energies that are whole numbers of ``step``, in 256ths.

    Its gradient is the softmax's own.
    """
    exact = tf.nn.softmax(energy)
    below = tf.round((energy - tf.reduce_max(energy, axis=-1, keepdims=True)) / step)
    factor = tf.cast(step, tf.float64) * ((2 * _ONE - 1) / _LOWEST)
    place = tf.cast(tf.floor(tf.cast(below, tf.float64) * factor + 0.5), tf.int32)
    powers = _look_up(_EXP, place + 2 * _ONE - 1)
    total = tf.reduce_sum(powers, axis=-1, keepdims=True)
    # The sum is 2**shift (1 + x).
    shift = tf.reduce_sum(tf.cast(total[..., tf.newaxis] >= _POWERS_OF_2, tf.int32), axis=-1)
    x = _shifted(tf.bitwise.left_shift(total, 30 - shift), 14) - 2 * _ONE
    share = tf.cast(powers, tf.int64) * tf.cast(_look_up(_RECIPROCAL, x), tf.int64)
    share = tf.cast(_shifted(share, tf.cast(shift, tf.int64)), tf.int32)
    levels = _shifted(_shifted(tf.minimum(share, _ONE - 1), 1), 6)
    rounded = tf.cast(tf.minimum(levels, 255), energy.dtype) / 256
    return exact + tf.stop_gradient(rounded - exact)


def _shifted(value: tf.Tensor, bits: int | tf.Tensor) -> tf.Tensor:
    """``value / 2**bits`` to the nearest, halves up."""
    half = tf.bitwise.left_shift(tf.ones_like(value), tf.cast(bits, value.dtype) - 1)
    return tf.bitwise.right_shift(value + half, tf.cast(bits, value.dtype) * tf.ones_like(value))


def _look_up(table: NDArray[np.int32], place: tf.Tensor) -> tf.Tensor:
    """The table at places of 16 bits, 128 from one entry to the next."""
    place = tf.clip_by_value(place, 0, 2 * _ONE - 1)
    index, rest = place // 128, place % 128
    low, high = tf.gather(table, index), tf.gather(table, index + 1)
    return low + _shifted((high - low) * rest, 7)


def _table(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], low: float, high: float
) -> NDArray[np.int32]:
    """``function`` from ``low`` to ``high`` in 15 bits; an entry makes up for half of what its step's middle is off."""
    places = np.linspace(low, high, _STEPS + 1)
    exact = function(places) * _ONE
    middles = _nearest(function((places[:-1] + places[1:]) / 2) * _ONE)
    off = _nearest((exact[1:] + _nearest(exact[:-1])) / 2) - middles
    entries = np.append(_nearest(exact[:-1]) - _nearest(off / 2), _nearest(exact[-1:]))
    return np.minimum(entries, _ONE - 1).astype(np.int32)


def _nearest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers, halves away from zero."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)


_EXP = _table(np.exp, -_LOWEST, 0.0)
_RECIPROCAL = _table(lambda x: 1 / (1 + x), 0.0, 1.0)
_POWERS_OF_2 = np.array([1 << bits for bits in range(1, 31)], np.int32)
