"""``recurrent_layer``: one of Keras's own recurrent layers, so that cuDNN and XLA kernels are used."""

from __future__ import annotations

from typing import Any

from rnnedge.backend import use_backend

use_backend()

import keras  # noqa: E402 - the backend is chosen first

CELLS = ("simple_rnn", "lstm", "gru")


def recurrent_layer(cell: str, units: int, *, sequences: bool, name: str, irnn: bool = False) -> Any:
    """A layer of ``units`` with an orthogonal recurrent kernel.

    Args:
        cell: one of :data:`CELLS`; an ``lstm`` starts with a forget-gate bias of one, a ``gru`` is
            ``reset_after``, as cuDNN has it.
        units: size of the state.
        sequences: return ``[B, T, units]`` instead of the last ``[B, units]``.
        name: of the layer.
        irnn: for ``simple_rnn``: ReLU and an identity recurrent kernel (Le, Jaitly and Hinton 2015).
    """
    options: dict[str, Any] = {"return_sequences": sequences, "name": name}
    if cell == "lstm":
        return keras.layers.LSTM(units, recurrent_initializer="orthogonal", unit_forget_bias=True, **options)
    if cell == "gru":
        return keras.layers.GRU(units, recurrent_initializer="orthogonal", reset_after=True, **options)
    if irnn:
        return keras.layers.SimpleRNN(units, activation="relu", recurrent_initializer="identity", **options)
    return keras.layers.SimpleRNN(units, recurrent_initializer="orthogonal", **options)
