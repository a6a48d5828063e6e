"""Between real numbers and int8: real = scale · (int8 − zero point)."""

import numpy as np
from numpy.typing import NDArray


def quantize(x: NDArray[np.floating], scale: float, zero_point: int) -> NDArray[np.int8]:
    """Round half to even, clip to [-128, 127].

    The division is IEEE float32, so every machine gets the same int8.

    Args:
        x: real values, any shape.
        scale: above zero.
        zero_point: the int8 of the real value 0.
    """
    steps = np.rint(np.asarray(x, np.float32) / np.float32(scale)) + np.float32(zero_point)
    clipped: NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
    return clipped


def dequantize(q: NDArray[np.int8], scale: float, zero_point: int) -> NDArray[np.float32]:
    """The real values (float32, same shape) that the int8 values stand for."""
    real: NDArray[np.float32] = (np.asarray(q, np.float32) - np.float32(zero_point)) * np.float32(scale)
    return real
