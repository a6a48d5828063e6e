"""PerFrame: one layer for every frame, and normalisation that does not see padding."""

import keras
import numpy as np
import pytest

from rnnedge.models import PerFrame, clip_rnn
from rnnedge.models.encoders import cnn_encoder, row_encoder
from rnnedge_device.errors import InputError


def frames(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize("length", [5, None])
def test_it_is_time_distributed(length):
    inner = cnn_encoder((12, 10, 1), (4, 6))
    clip = keras.Input((length, 12, 10, 1))
    ours = keras.Model(clip, PerFrame(inner)(clip))
    keras_own = keras.layers.TimeDistributed(inner)
    x = frames(3, 5, 12, 10, 1)
    assert ours.output_shape == (None, length, 6)
    assert isinstance(ours.layers[1], keras.layers.TimeDistributed)
    assert np.allclose(ours(x), keras_own(x), atol=1e-6)
    assert np.allclose(np.asarray(ours(x))[1, 3], np.asarray(inner(x[1, 3:4]))[0], atol=1e-6)


def test_it_wraps_a_single_layer():
    assert np.asarray(PerFrame(keras.layers.Dense(3))(frames(2, 4, 5))).shape == (2, 4, 3)


def statistics(layer, x, mask=None):
    """The outputs in training, and what normalisation remembers of them."""
    y = np.asarray(layer(x, training=True, mask=mask))
    return y, [np.asarray(w) for w in layer.non_trainable_weights]


@pytest.mark.parametrize("padding", ["repeat", "noise"])
def test_padding_changes_no_statistic_and_no_valid_output(padding):
    inner = cnn_encoder((12, 10, 1), (4, 6))
    start = inner.get_weights()
    x = frames(3, 4, 12, 10, 1)
    more = np.repeat(x[:, -1:], 3, axis=1) if padding == "repeat" else 9 * frames(3, 3, 12, 10, 1)
    padded = np.concatenate([x, more], axis=1)
    mask = np.arange(7)[None] < np.full((3, 1), 4)
    plain, expected = statistics(PerFrame(inner), x)
    inner.set_weights(start)
    masked, found = statistics(PerFrame(inner), padded, mask)
    inner.set_weights(start)
    _, wrong = statistics(PerFrame(inner), padded)
    assert len(expected) == 6  # mean and variance of three normalisations
    for a, b, c in zip(expected, found, wrong, strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=1e-7)
        assert not np.allclose(a, c, rtol=1e-5, atol=1e-7)  # without the mask they differ
    assert np.allclose(plain, masked[:, :4], atol=1e-5)


def test_the_mask_goes_no_further():
    clip = keras.Input((5, 12, 10, 1))
    mask = keras.Input((5,), dtype="bool")
    for inner in (cnn_encoder((12, 10, 1), (4,)), row_encoder((12, 10, 1), "gru", 3, 1)):
        model = keras.Model((clip, mask), PerFrame(inner)(clip, mask=mask))
        x, valid = frames(2, 5, 12, 10, 1), np.arange(5)[None] < [[2], [5]]
        y = model((x, valid))
        assert getattr(y, "_keras_mask", None) is None
        # A row encoder would take it for a mask of its rows.
        assert np.array_equal(y, model((x, np.ones((2, 5), bool))))


def test_recurrence_and_normalisation_in_one_encoder_are_refused():
    frame = keras.Input((6, 4))
    x = keras.layers.BatchNormalization()(keras.layers.GRU(3)(frame))
    with pytest.raises(InputError, match=r"layer='both'.*recurrent and normalisation"):
        PerFrame(keras.Model(frame, x, name="both"))


def test_it_is_saved_and_loaded_with_its_masking(tmp_path):
    model = clip_rnn((12, 10, 1), 3, filters=(4, 6), units=5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x, mask = frames(2, 6, 12, 10, 1), np.arange(6)[None] < [[6], [4]]
    assert np.array_equal(loaded(x), model(x))
    ours, theirs = (statistics(m.get_layer("encoder"), x, mask) for m in (model, loaded))
    assert np.array_equal(ours[0], theirs[0])
    assert all(np.array_equal(a, b) for a, b in zip(ours[1], theirs[1], strict=True))
