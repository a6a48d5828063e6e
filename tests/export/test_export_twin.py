"""The tf_keras twin equals the Keras 3 model, and what cannot be quantised is refused by name, type and place."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from models import MODELS, inputs, one_layer

from rnnedge_device.errors import InputError
from rnnedge_export.twin import build_twin, twin_error

L = keras.layers


def _nested() -> keras.Model:
    image = keras.Input((8, 8, 1))
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(4, 3, activation="relu"), L.ZeroPadding2D(1)]
    )
    x = L.AveragePooling2D(2)(encoder(image))
    x = L.Reshape((4, 16))(x)
    x = L.Bidirectional(L.SimpleRNN(5), backward_layer=L.SimpleRNN(5, go_backwards=True))(x)
    return keras.Model(image, L.Softmax()(L.Dense(3)(x)))


def _same_names() -> keras.Model:
    """Layers of one name, inside a nested model and around it: each model's own names are unique."""
    inner = keras.Sequential([keras.Input((6, 8)), L.Dropout(0.5, name="drop"), L.Dense(8, name="dense")])
    outer = keras.Sequential([keras.Input((6, 8)), L.Dropout(0.5, name="drop"), inner], name="middle")
    return keras.Sequential([outer, L.Dropout(0.5, name="drop"), L.GRU(4), L.Dense(3, name="dense")])


def _mixed_precision() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6, 8)),
            L.LSTM(8, dtype="mixed_bfloat16"),
            L.Dense(4, dtype="float32", activation="relu"),
        ]
    )


@pytest.mark.parametrize("build", [*MODELS.values(), _nested, _same_names], ids=lambda f: f.__name__)
def test_twin_gives_the_same_outputs(build) -> None:
    model = build()
    for weight in model.weights:  # BatchNorm's statistics and zero biases away from their start values
        weight.assign(
            np.asarray(weight) + np.random.default_rng(0).random(weight.shape).astype(np.float32) * 0.1
        )
    assert twin_error(model, build_twin(model), inputs(model, 16)) <= 1e-5


def test_twin_of_a_mixed_precision_model_computes_in_float32() -> None:
    model = _mixed_precision()
    twin = build_twin(model)
    assert {layer.compute_dtype for layer in twin.layers} == {"float32"}
    assert twin_error(model, twin, inputs(model, 16)) < 0.05  # bfloat16's own error, not the twin's


def _with(*layers: keras.layers.Layer, shape: tuple = (6, 8)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers, L.Dense(3)])


def _shared() -> keras.Model:
    rows = keras.Input((6, 8))
    layer = L.LSTM(4, name="twice")
    return keras.Model(rows, L.Dense(2)(L.Add()([layer(rows), layer(rows)])))


def _operation() -> keras.Model:
    rows = keras.Input((6, 8))
    return keras.Model(rows, L.Dense(2)(L.LSTM(4)(keras.ops.maximum(rows, 0.5))))


def _with_state() -> keras.Model:
    rows = keras.Input((6, 8))
    state = L.Dense(4)(L.Flatten()(rows))
    return keras.Model(rows, L.GRU(4, name="fed")(rows, initial_state=state))


def _inside() -> keras.Model:
    inner = keras.Sequential([keras.Input((6, 8)), L.LayerNormalization(name="norm")], name="block")
    return keras.Sequential([keras.Input((6, 8)), inner, L.LSTM(4)])


REFUSED = {
    "unsupported": (
        lambda: _with(L.LayerNormalization(name="norm"), L.LSTM(4)),
        "'norm' (LayerNormalization)",
        "drop it",
    ),
    "its place": (_inside, "block/'norm' (LayerNormalization)", "drop it"),
    "activation": (
        lambda: _with(L.LSTM(4, activation="relu", name="l")),
        "'l' (LSTM) with activation 'relu'",
        "'tanh'",
    ),
    "gates": (
        lambda: _with(L.GRU(4, recurrent_activation="hard_sigmoid", name="g")),
        "'g' (GRU) with recurrent_activation 'hard_sigmoid'",
        "'sigmoid'",
    ),
    "rnn activation": (
        lambda: _with(L.SimpleRNN(4, activation="sigmoid", name="r")),
        "'r' (SimpleRNN)",
        "'relu'",
    ),
    "stateful": (
        lambda: keras.Sequential([keras.Input((6, 8), batch_size=1), L.GRU(4, stateful=True, name="s")]),
        "'s' (GRU) with stateful=True",
        "'step' form",
    ),
    "shared": (_shared, "'twice' (LSTM), called more than once", "a layer of its own"),
    "operation": (_operation, "(Maximum)", "keras.layers"),
    "initial state": (_with_state, "'fed' (GRU) with initial_state", "start from zeros"),
    "merge": (
        lambda: _merge_none(),
        "'b' (Bidirectional) with merge_mode None",
        "'concat'",
    ),
    "convolution": (
        lambda: _with(L.Conv2D(4, 3, activation="tanh", name="c"), L.Flatten(), shape=(8, 8, 1)),
        "'c' (Conv2D) with activation 'tanh'",
        "'relu'",
    ),
    "relu": (lambda: _with(L.ReLU(max_value=3.0, name="capped"), L.LSTM(4)), "'capped' (ReLU)", "ReLU(6)"),
}


def _merge_none() -> keras.Model:
    rows = keras.Input((6, 8))
    a, b = L.Bidirectional(L.LSTM(4), merge_mode=None, name="b")(rows)
    return keras.Model(rows, L.Add()([a, b]))


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_layer_type_and_remedy(case: str) -> None:
    build, where, remedy = REFUSED[case]
    with pytest.raises(InputError) as error:
        build_twin(build())
    assert where in str(error.value)
    assert remedy in str(error.value)


def test_variable_length_is_refused() -> None:
    model = keras.Sequential([keras.Input((None, 8)), L.LSTM(4)])
    with pytest.raises(InputError, match="fixed sizes"):
        build_twin(model)


def test_twin_holds_weights_of_its_own() -> None:
    model = one_layer("lstm")
    twin = build_twin(model)
    x = inputs(model, 4)
    before = twin(x).numpy()
    model.set_weights([w * 0 for w in model.get_weights()])
    np.testing.assert_array_equal(twin(x).numpy(), before)
