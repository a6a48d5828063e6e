"""``Sites``: the quantisation sites of one cell or layer, called by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rnnedge_export.scheme import DERIVED, FIXED, LIMIT, SiteQuantizer, fake_quantize


def fixed_sites(cell: str, activation: str = "tanh") -> Mapping[str, tuple[float, float]]:
    """The fixed sites of a cell. A tanh SimpleRNN's state is the TANH kernel's own output."""
    if cell != "simple_rnn":
        return FIXED
    return {"h": FIXED["tanh"]} if activation == "tanh" else {}


class Sites:
    """Fake-quantises values at named sites: ``sites(name, value)``.

    Args:
        owner: the tf_keras layer that holds the ranges of the learned ones.
        learned: their names, without those that ``fixed`` names.
        fixed: ``{name: (low, high)}``.
        prefix: in front of the names of the ranges' variables.

    Attributes:
        ranges: ``{learned name: {"min_var", "max_var"}}``.
    """

    def __init__(
        self,
        owner: Any,
        learned: Iterable[str],
        fixed: Mapping[str, tuple[float, float]],
        prefix: str = "",
    ) -> None:
        self.fixed = fixed
        self.quantizers = {
            name: SiteQuantizer(LIMIT.get(name, np.inf)) for name in learned if name not in fixed
        }
        self.ranges = {name: q.build(None, prefix + name, owner) for name, q in self.quantizers.items()}

    def __call__(self, name: str, value: tf.Tensor, exact: bool = False) -> tf.Tensor:
        """``value`` fake-quantised; ``exact`` leaves it be but for what ``scheme.observing`` does at learned sites."""
        if name in self.fixed:
            return value if exact else fake_quantize(value, self.fixed[name])
        if name in DERIVED:
            if exact:
                return value
            source, factor = DERIVED[name]
            bounds = self.ranges[source]
            low, high = bounds["min_var"] * factor, bounds["max_var"] * factor
            return tf.quantization.fake_quant_with_min_max_vars(value, low, high)
        return self.quantizers[name](value, False, weights=self.ranges[name])

    def step(self, name: str) -> tf.Tensor:
        """The step of a learned site in int8, as its range is when the graph runs."""
        bounds = self.ranges[name]
        return (bounds["max_var"] - bounds["min_var"]) / 255

    def scale(self, name: str) -> float:
        """The step of a fixed or learned site in int8."""
        bounds = self.ranges.get(name)
        low, high = (float(bounds["min_var"]), float(bounds["max_var"])) if bounds else self.fixed[name]
        return (high - low) / 255
