"""``QuantRescaling``: ``x scale + offset`` in int8."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from rnnedge_export.scheme import SiteQuantizer


class QuantRescaling(tf_keras.layers.Layer):
    """Keras's Rescaling, which tfmot does not know, with a range behind the product and one behind the sum."""

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}

    def build(self, input_shape: Any) -> None:
        self.sites = {name: SiteQuantizer() for name in ("product", *(("sum",) if self.offset else ()))}
        self.bounds = {name: site.build(None, name, self) for name, site in self.sites.items()}
        super().build(input_shape)

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        """A tensor of any shape -> one of the same."""
        value = self._quantize("product", inputs * self.scale)
        return self._quantize("sum", value + self.offset) if self.offset else value

    def _quantize(self, site: str, value: tf.Tensor) -> tf.Tensor:
        return self.sites[site](value, False, weights=self.bounds[site])
