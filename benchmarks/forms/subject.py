"""What is measured: one recurrent layer over 28 rows of 28 and a Dense(10), and random frames for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

ROWS, FEATURES, CLASSES = 28, 28, 10
GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
SAMPLES = 256
INPUT_GAIN = 4.0
_LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "simple_rnn": keras.layers.SimpleRNN}


@dataclass(frozen=True)
class Subject:
    """One model, its frames and what it answers to them.

    Args:
        cell: ``lstm``, ``gru`` or ``simple_rnn``.
        units: of the layer.
        model: the Keras 3 model; its weights are those of every candidate.
        frames: float32 ``[N, 28, 28]``, -1 to 1, random and never zero: some kernels skip zeros.
        logits: the Keras model's own answers, float32 ``[N, 10]``.
    """

    cell: str
    units: int
    model: Any
    frames: np.ndarray
    logits: np.ndarray

    @property
    def weights(self) -> list[np.ndarray]:
        """``kernel [28, G units]``, ``recurrent [units, G units]``, ``bias``, Dense's ``[units, 10]`` and ``[10]``."""
        return [np.asarray(weight) for weight in self.model.get_weights()]


def make_subject(cell: str, units: int, seed: int = 0) -> Subject:
    """A model with Keras's initial weights, livened up so that its answers depend on the frame."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((ROWS, FEATURES)), _LAYERS[cell](units), keras.layers.Dense(CLASSES)]
    model = keras.Sequential(layers)
    random = np.random.default_rng(seed)
    kernel, recurrent, bias, dense, dense_bias = model.get_weights()
    # A forgotten bias, or one that a runtime adds twice, must show in the numbers.
    bias, dense_bias = (b + random.normal(0, 0.1, b.shape) for b in (bias, dense_bias))
    model.set_weights([INPUT_GAIN * kernel, recurrent, bias, dense, dense_bias])
    frames = random.uniform(-1, 1, (SAMPLES, ROWS, FEATURES)).astype(np.float32)
    return Subject(cell, units, model, frames, np.asarray(model.predict(frames, verbose=0)))
