"""The arithmetic of one time step, with a quantisation site wherever the int8 graph requantises.

Every cell is two functions of tensors and of ``q(site, value)``, which fake-quantises a value at a named site:

* ``project(x, kernel, bias, q)``: the input's share of the pre-activations, for all time steps at once;
* ``step(zx, states, weights, q)``: one time step, ``-> (y, states)``.

The equations are those of Keras (``keras.layers.LSTMCell``, ``GRUCell``, ``SimpleRNNCell``) with the gates laid side
by side so that one LOGISTIC and one TANH serve all of them. ``scheme.py`` says which range each site has and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Site = Callable[[str, tf.Tensor], tf.Tensor]
Weights = dict[str, tf.Tensor]


@dataclass(frozen=True)
class LSTMCell:
    """LSTM with tanh and sigmoid; gates in the order i, f, o, g so that the three sigmoids are adjacent."""

    units: int
    states = ("h", "c")
    sites = ("zx", "zh", "z", "c")
    gates = 4

    def reorder(self, array: np.ndarray) -> np.ndarray:
        """Keras's gate order ``i, f, g, o`` on the last axis, as ours: ``i, f, o, g``."""
        i, f, g, o = np.split(array, 4, axis=-1)
        return np.concatenate([i, f, o, g], axis=-1)

    def from_keras(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        """``layer.get_weights()`` of a Keras LSTM, as this cell's named weights."""
        names = ("kernel", "recurrent_kernel", "bias")
        return {name: self.reorder(array) for name, array in zip(names, arrays, strict=False)}

    def step(self, zx: tf.Tensor, states: list[tf.Tensor], w: Weights, q: Site) -> tuple[tf.Tensor, list]:
        """``zx [B, 4 units]``, states ``h, c [B, units]`` -> ``h, [h, c]``."""
        h, c = states
        zh = q("zh", tf.matmul(h, w["recurrent_kernel"]))
        z = q("z", zx + zh)
        gates = q("sigmoid", tf.sigmoid(z[:, : 3 * self.units]))
        g = q("tanh", tf.tanh(z[:, 3 * self.units :]))
        i, f, o = tf.split(gates, 3, axis=1)
        c = q("c", q("fc", f * c) + q("ig", i * g))
        h = q("h", o * q("tanh", tf.tanh(c)))
        return h, [h, c]


@dataclass(frozen=True)
class GRUCell:
    """GRU, with the reset gate after (``reset_after=True``, cuDNN's form) or before the recurrent product."""

    units: int
    reset_after: bool = True
    states = ("h",)
    gates = 3

    @property
    def sites(self) -> tuple[str, ...]:
        return ("zx", "zh", "z", "n") if self.reset_after else ("zx", "zh", "z", "nh", "n")

    def from_keras(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        """``layer.get_weights()`` of a Keras GRU (gates u, r, n), as this cell's named weights."""
        kernel, recurrent = arrays[:2]
        named = {"kernel": kernel}
        if self.reset_after:
            named["recurrent_kernel"] = recurrent
            if len(arrays) == 3:
                named["bias"], named["recurrent_bias"] = arrays[2]
        else:
            # Two products at two times of the step: two matrices, each with a scale of its own.
            named["recurrent_kernel"] = recurrent[:, : 2 * self.units]
            named["candidate_kernel"] = recurrent[:, 2 * self.units :]
            if len(arrays) == 3:
                named["bias"] = arrays[2]
        return named

    def step(self, zx: tf.Tensor, states: list[tf.Tensor], w: Weights, q: Site) -> tuple[tf.Tensor, list]:
        """``zx [B, 3 units]``, state ``h [B, units]`` -> ``h, [h]``."""
        (h,) = states
        two = 2 * self.units
        zh = tf.matmul(h, w["recurrent_kernel"])
        if "recurrent_bias" in w:
            zh = zh + w["recurrent_bias"]
        zh = q("zh", zh)
        gates = q("sigmoid", tf.sigmoid(q("z", zx[:, :two] + zh[:, :two])))
        u, r = tf.split(gates, 2, axis=1)
        if self.reset_after:
            nh = q("rn", r * zh[:, two:])
        else:
            nh = q("nh", tf.matmul(q("rh", r * h), w["candidate_kernel"]))
        n = q("tanh", tf.tanh(q("n", zx[:, two:] + nh)))
        # u h + (1 - u) n, not n + u (h - n): the difference would need twice h's range, so lose a bit of it.
        h = q("h", q("uh", u * h) + q("vn", q("sigmoid", 1.0 - u) * n))
        return h, [h]


@dataclass(frozen=True)
class SimpleRNNCell:
    """Elman's cell with tanh, or ReLU as in an IRNN."""

    units: int
    activation: str = "tanh"
    states = ("h",)
    gates = 1

    @property
    def sites(self) -> tuple[str, ...]:
        return ("zx", "zh", "z") if self.activation == "tanh" else ("zx", "zh", "h")

    def from_keras(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        """``layer.get_weights()`` of a Keras SimpleRNN, as this cell's named weights."""
        return dict(zip(("kernel", "recurrent_kernel", "bias"), arrays, strict=False))

    def step(self, zx: tf.Tensor, states: list[tf.Tensor], w: Weights, q: Site) -> tuple[tf.Tensor, list]:
        """``zx [B, units]``, state ``h [B, units]`` -> ``h, [h]``."""
        (h,) = states
        z = zx + q("zh", tf.matmul(h, w["recurrent_kernel"]))
        # ReLU is fused into the addition, so its sum has no range of its own.
        h = q("h", tf.tanh(q("z", z)) if self.activation == "tanh" else tf.nn.relu(z))
        return h, [h]


Cell = LSTMCell | GRUCell | SimpleRNNCell


def project(x: tf.Tensor, w: Weights, q: Site) -> tf.Tensor:
    """The input's share of every pre-activation, all steps in one product: ``[B, T, F] -> [B, T, G units]``."""
    batch, steps, features = x.shape
    rows = tf.reshape(x, (-1, features))
    zx = tf.matmul(rows, w["kernel"])
    if "bias" in w:
        zx = zx + w["bias"]
    zx = q("zx", zx)
    return tf.reshape(zx, (-1 if batch is None else batch, steps, zx.shape[-1]))


def cell_of(config: dict[str, Any]) -> Cell:
    """The cell for a ``QuantRecurrent`` configuration."""
    units = config["units"]
    if config["cell"] == "lstm":
        return LSTMCell(units)
    if config["cell"] == "gru":
        return GRUCell(units, config["reset_after"])
    return SimpleRNNCell(units, config["activation"])
