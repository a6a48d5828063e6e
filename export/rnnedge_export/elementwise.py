"""Layers that act on each value by itself and that tfmot does not know, with a range behind each operation."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from rnnedge_export.scheme import SiteQuantizer


class HardSwish(tf_keras.layers.Layer):
    """``x relu6(x + 3) / 6``, which tf_keras lacks."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return inputs * tf.nn.relu6(inputs + 3.0) * (1 / 6)


class _Sited(tf_keras.layers.Layer):
    """A layer with learned ranges, one a name in ``names``."""

    names: tuple[str, ...] = ("output",)

    def build(self, input_shape: Any) -> None:
        self.sites = {name: SiteQuantizer() for name in self.names}
        self.bounds = {name: site.build(None, name, self) for name, site in self.sites.items()}
        super().build(input_shape)

    def _quantize(self, site: str, value: tf.Tensor) -> tf.Tensor:
        return self.sites[site](value, False, weights=self.bounds[site])


class QuantHardSwish(_Sited):
    """``HardSwish`` as an addition and two products.

    Faster than TFLite's own HARD_SWISH kernel, which XNNPACK has not in int8, and its roundings can be audited.
    """

    names = ("shifted", "gate", "output")

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        shifted = self._quantize("shifted", tf.nn.relu6(inputs + 3.0))
        gate = self._quantize("gate", shifted * (1 / 6))
        return self._quantize("output", inputs * gate)


class QuantMultiply(_Sited):
    """The product of tensors that broadcast, such as features ``[B, h, w, c]`` and their gates ``[B, 1, 1, c]``."""

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: list[tf.Tensor], training: Any = None) -> tf.Tensor:
        product = inputs[0]
        for factor in inputs[1:]:
            product = self._quantize("output", product * factor)
        return product


class QuantRescaling(_Sited):
    """Keras's Rescaling, ``x scale + offset``, with a range behind the product and one behind the sum."""

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.names = (*(("product",) if scale != 1 or not offset else ()), *(("sum",) if offset else ()))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        """A tensor of any shape -> one of the same."""
        value = self._quantize("product", inputs * self.scale) if "product" in self.names else inputs
        return self._quantize("sum", value + self.offset) if "sum" in self.names else value
