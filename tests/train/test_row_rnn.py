"""row_rnn: shapes of every option, initial weights, refused arguments."""

import numpy as np
import pytest

from rnnedge.models import row_rnn
from rnnedge_device.errors import InputError


def steps_and_features(model):
    """[T, F] of the first recurrent layer's input."""
    layer = next(x for x in model.layers if x.name.startswith(("both_", "lstm", "gru", "simple_rnn")))
    return tuple(layer.input.shape[1:])


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_cells_directions_and_layers(cell, bidirectional, layers):
    model = row_rnn((6, 5, 1), 3, cell=cell, units=4, layers=layers, bidirectional=bidirectional)
    y = np.asarray(model(np.random.default_rng(0).random((2, 6, 5, 1), np.float32)))
    assert y.shape == (2, 3)
    assert np.isfinite(y).all()
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[cell]
    kernels = [w for w in model.weights if w.path.endswith("/recurrent_kernel")]
    assert [tuple(w.shape) for w in kernels] == [(4, 4 * gates)] * layers * (2 if bidirectional else 1)


@pytest.mark.parametrize(
    ("shape", "scan", "rows_per_step", "expected"),
    [
        ((28, 28, 1), "rows", 1, (28, 28)),
        ((28, 28, 1), "rows", 4, (7, 112)),
        ((7, 5, 3), "rows", 1, (7, 15)),
        ((7, 5, 3), "rows", 2, (4, 30)),
        ((7, 5, 3), "columns", 1, (5, 21)),
        ((7, 5, 3), "columns", 3, (2, 63)),
        ((7, 5, 3), "pixels", 1, (35, 3)),
        ((7, 5, 1), "pixels", 5, (7, 5)),
        ((1, 9, 1), "rows", 1, (1, 9)),
    ],
)
def test_scans(shape, scan, rows_per_step, expected):
    model = row_rnn(shape, 2, units=3, scan=scan, rows_per_step=rows_per_step)
    assert steps_and_features(model) == expected
    assert np.asarray(model(np.ones((1, *shape), np.float32))).shape == (1, 2)


def sequence(image, **options):
    """What the recurrent layer receives for one image [h, w, c]."""
    import keras

    model = row_rnn(image.shape, 2, units=2, **options)
    layer = next(x for x in model.layers if x.name.startswith("lstm"))
    return np.asarray(keras.Model(model.input, layer.input)(image[None]))[0]


def test_scan_order():
    image = np.arange(24, dtype=np.float32).reshape(4, 3, 2).repeat(2, axis=2)[..., :3]
    assert np.array_equal(sequence(image), image.reshape(4, 9))
    assert np.array_equal(sequence(image, scan="columns"), image.transpose(1, 0, 2).reshape(3, 12))
    assert np.array_equal(sequence(image, scan="pixels"), image.reshape(12, 3))
    assert np.array_equal(sequence(image, rows_per_step=2), image.reshape(2, 18))


def test_rows_that_do_not_fill_the_last_step_are_padded_with_zeros():
    image = np.arange(1, 16, dtype=np.float32).reshape(5, 3, 1)
    x = sequence(image, rows_per_step=2)
    assert x.shape == (3, 6)
    assert np.array_equal(x.reshape(-1), np.append(image.reshape(-1), [0, 0, 0]))


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ([4], (9, 7 * 4)),
        ([4, "pool"], (4, 3 * 4)),
        ([4, "pool", 6, 6, "pool"], (2, 6)),
        (["pool"], (4, 3 * 3)),
    ],
)
def test_stem(stem, expected):
    model = row_rnn((9, 7, 3), 2, units=3, stem=stem)
    assert steps_and_features(model) == expected
    names = [type(x).__name__ for x in model.layers]
    blocks = sum(isinstance(x, int) for x in stem)
    assert names.count("Conv2D") == names.count("BatchNormalization") == names.count("ReLU") == blocks
    assert names.count("MaxPooling2D") == stem.count("pool")


def weight(model, end):
    return np.asarray(next(w for w in model.weights if w.path.endswith(end)))


def test_irnn_is_relu_and_identity():
    model = row_rnn((4, 4, 1), 2, cell="simple_rnn", units=5, irnn=True)
    assert np.array_equal(weight(model, "/recurrent_kernel"), np.eye(5, dtype=np.float32))
    assert model.get_layer("simple_rnn_0").activation.__name__ == "relu"
    plain = row_rnn((4, 4, 1), 2, cell="simple_rnn", units=5)
    assert plain.get_layer("simple_rnn_0").activation.__name__ == "tanh"


def test_forget_bias_is_one():
    bias = weight(row_rnn((4, 4, 1), 2, cell="lstm", units=5), "lstm_cell/bias")
    assert np.array_equal(bias, np.repeat([0, 1, 0, 0], 5))  # gates i, f, c, o


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_recurrent_kernels_are_orthogonal(cell):
    kernel = weight(row_rnn((4, 4, 1), 2, cell=cell, units=6), "/recurrent_kernel")
    assert np.allclose(kernel @ kernel.T, np.eye(6), atol=1e-5)


def test_dropout_works_in_training_only():
    model = row_rnn((4, 4, 1), 2, units=32, layers=2, dropout=0.5)
    x = np.ones((1, 4, 4, 1), np.float32)
    assert np.array_equal(model(x), model(x))
    assert not np.array_equal(model(x, training=True), model(x, training=True))
    assert sum(type(layer).__name__ == "Dropout" for layer in model.layers) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (28, 28)}, ["input_shape=(28, 28)", "height"]),
        ({"input_shape": (28, 28, 2)}, ["input_shape=(28, 28, 2)", "1 (grey) or 3"]),
        ({"input_shape": (0, 28, 1)}, ["input_shape=(0, 28, 1)"]),
        ({"input_shape": "28"}, ["input_shape='28'"]),
        ({"classes": 1}, ["classes=1", "at least 2"]),
        ({"units": 0}, ["units=0", "at least 1"]),
        ({"units": 2.5}, ["units=2.5", "whole number"]),
        ({"units": True}, ["units=True"]),
        ({"layers": 0}, ["layers=0"]),
        ({"rows_per_step": 0}, ["rows_per_step=0"]),
        ({"scan": "pixels", "rows_per_step": 5}, ["rows_per_step=5", "64 pixels"]),
        ({"cell": "rnn"}, ["cell='rnn'", "simple_rnn, lstm, gru"]),
        ({"scan": "spiral"}, ["scan='spiral'", "rows, columns, pixels"]),
        ({"dropout": 1.0}, ["dropout=1.0", "below 1"]),
        ({"dropout": -0.1}, ["dropout=-0.1"]),
        ({"irnn": True}, ["irnn=True", "simple_rnn"]),
        ({"stem": ["max"]}, ["stem=['max']", "'pool'"]),
        ({"stem": [0]}, ["stem=[0]", "filter count"]),
        ({"stem": "pool"}, ["stem='pool'", "list"]),
        ({"stem": ["pool"] * 4}, ["block 3", "1x1"]),
    ],
)
def test_bad_arguments_are_named(arguments, words):
    options = {"input_shape": (8, 8, 1), "classes": 2, "units": 2} | arguments
    with pytest.raises(InputError) as error:
        row_rnn(**options)
    for word in words:
        assert word in str(error.value)
