"""The cells once more, in NumPy and straight from their published equations, to hold the exporter against.

Weights are Keras's own arrays in Keras's own gate order. ``q(site, value)`` quantises a named intermediate value;
the default does nothing, which makes the float cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Q = Callable[[str, np.ndarray], np.ndarray]


def exact(site: str, value: np.ndarray) -> np.ndarray:
    return value


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(
    x: np.ndarray, states: Sequence[np.ndarray], weights: Sequence[np.ndarray], q: Q = exact
) -> list[np.ndarray]:
    """Hochreiter & Schmidhuber with forget gates (Gers et al. 2000), gates i, f, g, o: ``-> [h, c]``."""
    h, c = states
    w, u, b = weights
    i, f, g, o = np.split(q("z", q("zx", x @ w + b) + q("zh", h @ u)), 4, axis=-1)
    i, f, o = (q("sigmoid", sigmoid(gate)) for gate in (i, f, o))
    c = q("c", q("fc", f * c) + q("ig", i * q("tanh", np.tanh(g))))
    return [q("h", o * q("tanh", np.tanh(c))), c]


def gru_after(
    x: np.ndarray, states: Sequence[np.ndarray], weights: Sequence[np.ndarray], q: Q = exact
) -> list[np.ndarray]:
    """GRU with the reset gate behind the recurrent product, as cuDNN has it, gates u, r, n: ``-> [h]``."""
    (h,) = states
    w, u, b = weights
    zx, zh = q("zx", x @ w + b[0]), q("zh", h @ u + b[1])
    xu, xr, xn = np.split(zx, 3, axis=-1)
    hu, hr, hn = np.split(zh, 3, axis=-1)
    update, reset = q("sigmoid", sigmoid(q("z", xu + hu))), q("sigmoid", sigmoid(q("z", xr + hr)))
    n = q("tanh", np.tanh(q("n", xn + q("rn", reset * hn))))
    return [q("h", q("uh", update * h) + q("vn", q("sigmoid", 1 - update) * n))]


def gru_before(
    x: np.ndarray, states: Sequence[np.ndarray], weights: Sequence[np.ndarray], q: Q = exact
) -> list[np.ndarray]:
    """Cho et al. 2014: the reset gate in front of the recurrent product: ``-> [h]``."""
    (h,) = states
    w, u, b = weights
    units = h.shape[-1]
    xu, xr, xn = np.split(q("zx", x @ w + b), 3, axis=-1)
    hu, hr = np.split(q("zh", h @ u[:, : 2 * units]), 2, axis=-1)
    update, reset = q("sigmoid", sigmoid(q("z", xu + hu))), q("sigmoid", sigmoid(q("z", xr + hr)))
    n = q("tanh", np.tanh(q("n", xn + q("nh", q("rh", reset * h) @ u[:, 2 * units :]))))
    return [q("h", q("uh", update * h) + q("vn", q("sigmoid", 1 - update) * n))]


def rnn_tanh(
    x: np.ndarray, states: Sequence[np.ndarray], weights: Sequence[np.ndarray], q: Q = exact
) -> list[np.ndarray]:
    """Elman 1990: ``-> [h]``."""
    (h,) = states
    w, u, b = weights
    return [q("h", np.tanh(q("z", q("zx", x @ w + b) + q("zh", h @ u))))]


def rnn_relu(
    x: np.ndarray, states: Sequence[np.ndarray], weights: Sequence[np.ndarray], q: Q = exact
) -> list[np.ndarray]:
    """Le et al. 2015 (IRNN): ``-> [h]``."""
    (h,) = states
    w, u, b = weights
    return [q("h", np.maximum(q("zx", x @ w + b) + q("zh", h @ u), 0))]


def quantizer(ranges: dict[str, tuple[float, float]]) -> Q:
    """int8 fake quantisation by range, with the zero point nudged to a whole level as TFLite demands."""

    def q(site: str, value: np.ndarray) -> np.ndarray:
        low, high = (np.float32(bound) for bound in ranges[site])
        scale = (high - low) / np.float32(255)
        zero = np.clip(np.floor(-low / scale + np.float32(0.5)), 0, 255)
        level = np.clip(np.floor(value / scale + np.float32(0.5)) + zero, 0, 255)
        return ((level - zero) * scale).astype(np.float32)

    return q
