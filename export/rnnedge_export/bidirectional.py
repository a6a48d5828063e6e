"""``QuantBidirectional``: two ``QuantRecurrent`` layers, one of them backwards, and their merge."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from rnnedge_export.concatenate import join
from rnnedge_export.recurrent import QuantRecurrent
from rnnedge_export.scheme import SiteQuantizer

MERGE_MODES = ("concat", "sum", "mul", "ave")


class QuantBidirectional(tf_keras.layers.Layer):
    """Both directions of a recurrent layer: ``[B, T, F] -> [B, T, 2 units]`` or ``[B, 2 units]`` with ``concat``."""

    def __init__(
        self, forward: dict[str, Any], backward: dict[str, Any], merge_mode: str = "concat", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {"forward": forward, "backward": backward, "merge_mode": merge_mode}
        self.forward = QuantRecurrent(**{**forward, "name": f"{self.name}_forward"})
        self.backward = QuantRecurrent(**{**backward, "name": f"{self.name}_backward"})
        self.merge_mode = merge_mode

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}

    def compute_output_shape(self, input_shape: Any) -> tuple:
        *lead, units = self.forward.compute_output_shape(input_shape)
        return (*lead, 2 * units if self.merge_mode == "concat" else units)

    def build(self, input_shape: Any) -> None:
        self.forward.build(input_shape)
        self.backward.build(input_shape)
        # Both directions of a bounded cell share one fixed scale; any other merge needs a range of its own.
        self.site = None if self.merge_mode == "concat" and "h" in self.forward.fixed else SiteQuantizer()
        self.bounds = self.site.build(None, "merged", self) if self.site else {}
        super().build(input_shape)

    @tf.autograph.experimental.do_not_convert
    def call(
        self,
        inputs: tf.Tensor,
        training: Any = None,
        initial_state: list[tf.Tensor] | None = None,
        return_state: bool = False,
    ) -> Any:
        """``[B, T, F]`` -> the merged outputs of both directions, with their states behind one another."""
        half = len(self.forward.cell.states)
        given = (initial_state[:half], initial_state[half:]) if initial_state else (None, None)
        y, states = self.forward.call(inputs, training, given[0], return_state=True)
        back, back_states = self.backward.call(inputs, training, given[1], return_state=True)
        merged = self._merge(y, back)
        return (merged, states + back_states) if return_state else merged

    def _merge(self, y: tf.Tensor, back: tf.Tensor) -> tf.Tensor:
        if self.merge_mode == "concat":
            return join([y, back], self.site, self.bounds, axis=-1)
        if self.merge_mode == "mul":
            merged = y * back
        else:
            merged = y + back if self.merge_mode == "sum" else (y + back) * 0.5
        assert self.site is not None
        return self.site(merged, False, weights=self.bounds)
