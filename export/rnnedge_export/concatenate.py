"""``QuantConcatenate``: tensors brought to one scale, then joined."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from rnnedge_export.scheme import SiteQuantizer

# Not 1, or the converter would fold the product away: 2**-10 more, which training sees as well.
_NEARLY_ONE = 1.0 + 2.0**-10


def join(
    values: list[tf.Tensor], site: SiteQuantizer | None, bounds: dict[str, tf.Variable], axis: int
) -> tf.Tensor:
    """Concatenate in int8, where all inputs must have the scale of the result.

    With ``site``, each value is brought to its range by a product with (nearly) one. Two fake quantisations in a row
    would say the same, but the converter refuses them or leaves float operators behind.
    """
    if site is not None:
        values = [site(value * _NEARLY_ONE, False, weights=bounds) for value in values]
    return tf.concat(values, axis=axis)


class QuantConcatenate(tf_keras.layers.Layer):
    """Concatenate tensors that differ only along ``axis``.

    tfmot's own transform takes the range off the layers in front instead; a recurrent layer cannot give up the range
    of its state.

    Args:
        tied: the inputs have one scale already, such as the states of LSTM and GRU layers.
    """

    def __init__(self, axis: int = -1, tied: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.tied = tied

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "tied": self.tied}

    def build(self, input_shape: Any) -> None:
        self.site = None if self.tied else SiteQuantizer()
        self.bounds = self.site.build(None, "joined", self) if self.site else {}
        super().build(input_shape)

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: list[tf.Tensor], training: Any = None) -> tf.Tensor:
        """A list of tensors -> one tensor."""
        return join(inputs, self.site, self.bounds, self.axis)
