"""The quantisation scheme: which range every site of a recurrent cell has, and the quantisers that hold them.

Three kinds of site:

* **fixed**: the ranges that the TFLite kernels of LOGISTIC and TANH require (scale 1/256 and 1/128,
  ``tensorflow/lite/kernels/activations.cc``), and the bounds that follow from them;
* **derived**: a gate's share of a learned site, such as ``f c``;
* **learned**: observed on calibration data, clipped where the gate that reads it is flat.

**Tie-free.** A product ``a b`` is requantised by ``s_a s_b / s_out``, and where the result falls half-way between two
integers, or within float32's own error of it, x86 and ARM kernels round differently. The ranges below make the factor
of every product in a cell ``1 / 255``, which keeps all results 1/510 away from a half (``roundings.py``), and they hold
exactly what the product of their gates can reach. Matrix products get such a factor from ``rewrite.finish``.

**Tied.** A cell's state is written and read at one site: one scale, so its int8 bytes carry over losslessly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

_quantizers: Any = tfmot.quantization.keras.quantizers

SIGMOID_RANGE = (0.0, 255 / 256)
TANH_RANGE = (-1.0, 127 / 128)
# The scale of sigmoid times tanh: levels -128..127 reach from -255/256 to 255/256 127/128 and a little.
_PRODUCT = 255 / 32768
_GATED = _PRODUCT * 255 / 256


def _levels(scale: float) -> tuple[float, float]:
    """The range of int8 with this scale and zero point 0."""
    return -128 * scale, 127 * scale


FIXED: dict[str, tuple[float, float]] = {
    "sigmoid": SIGMOID_RANGE,
    "tanh": TANH_RANGE,
    "h": _levels(_PRODUCT),
    "ig": _levels(_PRODUCT),
    "vn": _levels(_PRODUCT),
    "uh": _levels(_GATED),
    "rh": _levels(_GATED),
}
# Beyond these a sigmoid (8) or tanh (4) has reached its last int8 step; wider would only cost resolution.
LIMIT = {"z": 8.0, "n": 4.0, "c": 8.0, "keyed": 4.0}
# What a sigmoid gate lets through of a learned site: its scale times 255/256.
DERIVED = {"fc": ("c", 255 / 256), "rn": ("zh", 255 / 256)}
# The model's input, a little wider than seen: pixels from -1 to 1 would all lie half-way between two levels (whose step
# is that of the pixels, but of which one is zero), and training and the device round such ties differently.
_INPUT = 1 + 2.0**-10
# The share of observed values, at each end, that a learned range may clip.
TAIL = 1e-4


class SiteQuantizer(tfmot.quantization.keras.quantizers.MovingAverageQuantizer):
    """int8 fake quantisation of one learned site. Its range is set by ``observe`` and then stays as it is.

    tfmot's moving average would need thousands of steps to forget its initial ±6, and would update inside the time
    loop, where the last steps count most; a range that stands still also leaves the loop free of side effects.
    """

    def __init__(self, limit: float = np.inf) -> None:
        super().__init__(num_bits=8, per_axis=False, symmetric=False, narrow_range=False)
        self.limit = limit

    def __call__(
        self, inputs: tf.Tensor, training: Any, weights: dict[str, tf.Variable], **_: Any
    ) -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_vars(inputs, weights["min_var"], weights["max_var"])

    def get_config(self) -> dict[str, Any]:
        return {"limit": self.limit}


def weight_quantizer() -> tfmot.quantization.keras.quantizers.Quantizer:
    """Symmetric int8, one scale a tensor: FULLY_CONNECTED of tflite-runtime 2.14 takes no other."""
    return _quantizers.LastValueQuantizer(num_bits=8, per_axis=False, symmetric=True, narrow_range=True)


def fake_quantize(value: tf.Tensor, bounds: tuple[float, float]) -> tf.Tensor:
    """int8 fake quantisation of ``value`` with a fixed range."""
    return tf.quantization.fake_quant_with_min_max_args(value, *bounds)


@contextmanager
def observing() -> Iterator[None]:
    """Run a quantised model eagerly in float and let every quantiser take its range from what it sees.

    Inside, calls of tfmot's own quantisers and of ours pass values through unchanged; on leaving, each range is set:
    the extremes for tfmot's, the percentiles of ``TAIL`` within the site's limit for ours. Weights stay float.
    """
    seen: dict[int, tuple[Any, dict[str, tf.Variable], list[np.ndarray]]] = {}
    rng = np.random.default_rng(0)

    def observe(
        self: Any, inputs: tf.Tensor, training: Any, weights: dict[str, tf.Variable], **_: Any
    ) -> tf.Tensor:
        values = np.ravel(inputs.numpy())
        record = seen.setdefault(id(weights["min_var"]), (self, weights, []))[2]
        extremes = [values.min(), values.max()]
        if isinstance(self, SiteQuantizer):  # a bounded sample of a time step, and its extremes
            sample = values if values.size <= 8192 else rng.choice(values, 8192, replace=False)
            record.append(np.concatenate([sample, extremes]))
        else:
            record.append(np.asarray(extremes))
        return inputs

    classes: tuple[Any, ...] = (
        SiteQuantizer,
        _quantizers.MovingAverageQuantizer,
        _quantizers.AllValuesQuantizer,
    )
    originals = [(cls, cls.__call__) for cls in classes]
    last_value = _quantizers.LastValueQuantizer.__call__
    for cls in classes:
        cls.__call__ = observe

    def take_weights(
        self: Any, inputs: tf.Tensor, training: Any, weights: dict[str, tf.Variable], **_: Any
    ) -> tf.Tensor:
        last_value(self, inputs, True, weights)
        return inputs

    _quantizers.LastValueQuantizer.__call__ = take_weights
    try:
        yield
    finally:
        for cls, call in originals:
            cls.__call__ = call
        _quantizers.LastValueQuantizer.__call__ = last_value
    for quantizer, variables, records in seen.values():
        low, high = _range(quantizer, np.concatenate(records))
        variables["min_var"].assign(low)
        variables["max_var"].assign(high)


def _range(quantizer: Any, values: np.ndarray) -> tuple[float, float]:
    """The range of one site: it holds zero, and is never empty."""
    if isinstance(quantizer, SiteQuantizer):
        low, high = np.clip(np.quantile(values, [TAIL, 1 - TAIL]), -quantizer.limit, quantizer.limit)
    else:
        low, high = values.min(), values.max()
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    if isinstance(quantizer, _quantizers.AllValuesQuantizer):
        low, high = low * _INPUT, high * _INPUT
    return (low, high) if high - low > 1e-6 else (low, low + 1.0)
