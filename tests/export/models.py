"""Models for the exporter's tests; each of a shape that no recipe has."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import reference

L = keras.layers

# kind: (layer of `units`, the NumPy step, states)
CELLS: dict[str, tuple[Callable[..., keras.layers.Layer], Callable, int]] = {
    "lstm": (L.LSTM, reference.lstm, 2),
    "gru": (L.GRU, reference.gru_after, 1),
    "gru-reset-before": (lambda units, **k: L.GRU(units, reset_after=False, **k), reference.gru_before, 1),
    "rnn-tanh": (L.SimpleRNN, reference.rnn_tanh, 1),
    "rnn-relu": (
        lambda units, **k: L.SimpleRNN(units, activation="relu", recurrent_initializer="identity", **k),
        reference.rnn_relu,
        1,
    ),
}


def one_layer(kind: str, units: int = 12, steps: int = 8, features: int = 8) -> keras.Model:
    """One recurrent layer over rows, and logits."""
    keras.utils.set_random_seed(3)
    image = keras.Input((steps, features), name="rows")
    # Biases away from zero, so that one left out shows.
    layer = CELLS[kind][0](
        units, bias_initializer=keras.initializers.RandomNormal(stddev=0.3, seed=5), name="cell"
    )
    return keras.Model(image, L.Dense(10, name="logits")(layer(image)))


def crnn_colour() -> keras.Model:
    """Convolutions on a colour image, then both directions over what is left of its rows, and a softmax."""
    x = image = keras.Input((16, 24, 3))
    x = L.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = L.BatchNormalization()(x)
    x = L.ReLU(max_value=6.0)(x)
    y = L.DepthwiseConv2D(3, padding="same")(x)
    x = L.Add()([x, y])
    x = L.MaxPooling2D(2)(x)
    x = L.Reshape((4, 48))(x)
    x = L.Bidirectional(L.LSTM(10))(x)
    x = L.Dropout(0.2)(x)
    return keras.Model(image, L.Dense(5, activation="softmax")(x))


def stacked_bidirectional_gru() -> keras.Model:
    """Two bidirectional layers, merged in two ways, with the mean over time as the answer."""
    return keras.Sequential(
        [
            keras.Input((9, 7)),
            L.Bidirectional(L.GRU(8, return_sequences=True)),
            L.Bidirectional(L.GRU(6, return_sequences=True), merge_mode="sum"),
            L.GlobalAveragePooling1D(),
            L.Dense(4),
        ]
    )


def columns() -> keras.Model:
    """An image read column by column by two stacked layers."""
    image = keras.Input((10, 6, 1))
    x = L.Permute((2, 1, 3))(image)
    x = L.Reshape((6, 10))(x)
    x = L.LSTM(9, return_sequences=True)(x)
    x = L.GRU(8, reset_after=False)(x)
    return keras.Model(image, L.Dense(10)(x))


def label_every_step() -> keras.Model:
    """An answer at every step: ``return_sequences`` up to the head."""
    return keras.Sequential(
        [
            keras.Input((7, 5)),
            L.SimpleRNN(11, return_sequences=True),
            L.LSTM(6, return_sequences=True),
            L.Dense(3),
        ]
    )


def two_branches() -> keras.Model:
    """Two layers with different scales side by side, one of them backwards, joined and flattened."""
    rows = keras.Input((6, 8))
    a = L.LSTM(5, go_backwards=True)(rows)
    b = L.SimpleRNN(7, activation="relu")(rows)
    c = L.Flatten()(L.SimpleRNN(4, return_sequences=True, go_backwards=True)(rows))
    x = L.Concatenate()([a, b, c])
    return keras.Model(rows, L.Dense(4)(L.Dense(12, activation="relu")(x)))


MODELS = {
    f.__name__: f for f in (crnn_colour, stacked_bidirectional_gru, columns, label_every_step, two_branches)
}


def inputs(model: keras.Model, count: int, seed: int = 0) -> np.ndarray:
    """Random inputs with the model's shape; images as bytes where it rescales them."""
    x = np.random.default_rng(seed).random((count, *model.input_shape[1:])).astype(np.float32)
    return x * 255 if any(isinstance(layer, L.Rescaling) for layer in model.layers) else x
