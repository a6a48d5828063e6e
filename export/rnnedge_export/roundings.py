"""Rescaling factors under which an int8 kernel rounds alike on every machine.

A product kernel computes ``round(a m)`` of an integer accumulator ``a`` and a factor ``m``: XNNPACK on x86 in float32,
on ARM in fixed point. The two stay within ``NEAR`` of ``a m``, so they can only differ where some ``a m`` comes that
near to a half. With ``m = p / q`` and ``q`` odd none does: ``a m`` is a multiple of ``1 / q`` and at least ``1 / 2q``
away from any half.
"""

from __future__ import annotations

import numpy as np

# Float32 has 24 bits; results beyond 127 saturate: 2**7 * 2**-24, and as much again for the factor's own rounding.
NEAR = 2.0**-16
# 1 / 2q stays well above NEAR.
_LARGEST_Q = 8191
# For factors smaller than all of those; 1 / 2q is still above NEAR.
_LAST_Q = 16383
_SATURATED = 130.0


def snapped(factor: float) -> float:
    """The nearest ``p / q`` with ``q`` odd and not too large; off by a few millionths as a rule.

    Factors too small for any become the smallest of them.
    """
    if factor < 1 / _LARGEST_Q:
        return 1 / min(2 * round((1 / max(factor, 1e-9) - 1) / 2) + 1, _LAST_Q)
    q = np.arange(1, _LARGEST_Q + 1, 2)
    p = np.maximum(np.rint(factor * q), 1)
    ratio = p / q
    return float(ratio[np.argmin(np.abs(ratio - factor))])


def margin(factor: float, limit: int) -> float:
    """How near to a half ``a factor`` comes for integers ``a`` up to ``limit`` whose result does not saturate."""
    exact = float(np.float32(factor))
    nearest = 0.5
    last = int(min(limit, _SATURATED / exact)) if exact else 0
    for start in range(0, last + 1, 1 << 20):
        values = np.arange(start, min(start + (1 << 20), last + 1)) * exact
        nearest = min(nearest, float(np.abs(values - np.floor(values) - 0.5).min()))
    return nearest
