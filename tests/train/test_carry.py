"""Windows of clips: padding that moves nothing, and state carried from window to window."""

import itertools

import keras
import numpy as np
import pytest

from rnnedge.data import Clip, ClipOptions, ClipSet
from rnnedge.data.clip_batches import ClipBatches
from rnnedge.models import clip_rnn
from rnnedge.training.carry import windowed
from rnnedge_device.preprocess import Preprocess

SHAPE = (6, 5, 1)
CELLS = ("simple_rnn", "lstm", "gru")


def clips(*shape):
    return np.random.default_rng(2).random(shape, np.float32)


def model(cell="gru", layers=1, encoder="row_rnn", classes=3):
    return clip_rnn(
        SHAPE, classes, encoder=encoder, encoder_units=4, filters=[4, 5], cell=cell, units=6, layers=layers
    )


def run(training, frames, keep, mask=None):
    """Logits of one batch of windows, as a training step sees them."""
    size, length = frames.shape[:2]
    valid = np.ones((size, length), bool) if mask is None else mask
    return np.asarray(training((frames, valid, np.float32(keep)[:, None]), training=True))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_window_by_window_is_the_whole_clip_at_once(cell, layers):
    whole = model(cell, layers)
    training = windowed(whole, 2, 5, carry=True)
    x = clips(2, 20, *SHAPE)
    parts = [run(training, x[:, i : i + 5], [i > 0] * 2) for i in range(0, 20, 5)]
    assert np.allclose(np.concatenate(parts, axis=1), whole(x), atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_row_that_is_not_kept_begins_anew_and_the_others_go_on(cell):
    whole = model(cell)
    training = windowed(whole, 2, 5, carry=True)
    x = clips(2, 10, *SHAPE)
    run(training, x[:, :5], [0, 0])
    second = run(training, x[:, 5:], [0, 1])
    assert np.allclose(second[0], np.asarray(whole(x[:1, 5:]))[0], atol=1e-5)
    assert np.allclose(second[1], np.asarray(whole(x[1:]))[0, 5:], atol=1e-5)
    assert not np.allclose(second[1], np.asarray(whole(x[1:, 5:]))[0], atol=1e-3)


def test_a_state_that_is_not_finite_does_not_outlive_its_clip():
    training = windowed(model(), 1, 5, carry=True)
    x = clips(1, 5, *SHAPE)
    fresh = run(training, x, [0])
    run(training, x * np.nan, [1])
    assert np.array_equal(run(training, x, [0]), fresh)


def test_without_carry_every_window_begins_anew():
    whole = model()
    training = windowed(whole, 2, 5)
    x = clips(2, 5, *SHAPE)
    assert np.allclose(run(training, x, [1, 1]), run(training, x, [1, 1]), atol=0)
    assert np.allclose(run(training, x, [1, 1]), whole(x), atol=1e-6)


def test_looking_at_a_batch_moves_no_state():
    training = windowed(model(), 2, 5, carry=True)
    x = clips(2, 5, *SHAPE)
    batch = (x, np.ones((2, 5), bool), np.zeros((2, 1), np.float32))
    run(training, x, [0, 0])
    states = [np.asarray(w) for w in training.non_trainable_weights]
    training(batch, training=False)
    assert len(states) == 1
    assert states[0].any()
    assert np.array_equal(training.non_trainable_weights[0], states[0])


def test_it_trains_the_clip_models_own_weights():
    whole = model("lstm", 2)
    training = windowed(whole, 2, 5, carry=True)
    assert {id(w) for w in training.trainable_weights} == {id(w) for w in whole.trainable_weights}
    assert not any(layer.return_state for layer in whole.layers if isinstance(layer, keras.layers.RNN))


def gradients(training, batch, y, w):
    """One step of plain gradient descent, seen as the change of every weight, and the figures of the step."""
    training.compile(
        keras.optimizers.SGD(1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight"),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    before = [np.asarray(v) for v in training.weights]
    figures = training.train_on_batch(batch, y, w, return_dict=True)
    _ = training.weights
    return [np.asarray(v) - b for v, b in zip(training.weights, before, strict=True)], figures


@pytest.mark.parametrize("encoder", ["row_rnn", "cnn"])
@pytest.mark.parametrize("head", ["last", "every"])
def test_padding_leaves_loss_metrics_gradients_and_statistics_alone(encoder, head):
    x, y = clips(4, 5, *SHAPE), np.random.default_rng(0).integers(0, 3, (4, 5))
    w = np.ones((4, 5), np.float32) if head == "every" else np.float32(np.eye(5)[[4] * 4])
    keep = np.zeros((4, 1), np.float32)
    whole = model(encoder=encoder)
    start = whole.get_weights()
    plain = gradients(windowed(whole, 4, 5), (x, np.ones((4, 5), bool), keep), y, w)
    whole.set_weights(start)
    padding = ((0, 0), (0, 3))
    batch = (
        np.pad(x, (*padding, *[(0, 0)] * 3), constant_values=7.0),
        np.pad(np.ones((4, 5), bool), padding),
        keep,
    )
    padded = gradients(windowed(whole, 4, 8), batch, np.pad(y, padding), np.pad(w, padding))
    assert plain[1].keys() == padded[1].keys() == {"loss", "accuracy"}
    for name in plain[1]:
        assert padded[1][name] == pytest.approx(plain[1][name], rel=1e-5)
    assert sum(np.abs(change).max() > 1e-3 for change in plain[0]) > 5
    for one, other in zip(plain[0], padded[0], strict=True):
        assert np.allclose(one, other, atol=1e-5)


def test_the_window_behind_padding_begins_anew():
    """The state has seen the padding then; no batch carries it on."""
    lengths = [3, 11, 7, 16, 5, 9, 2, 13]
    made = [
        Clip(f"{i}", i % 3, np.zeros((n, *SHAPE), np.uint8), np.arange(n) * 100.0)
        for i, n in enumerate(lengths)
    ]
    data = ClipSet(made, ["a", "b", "c"], "made")
    found = ClipBatches(data, Preprocess(SHAPE[:2]), 3, ClipOptions(length=4, head="every"), carry=True)
    batches = [found[i][0] for i in range(len(found))]
    padded = kept = 0
    for (_, mask, _), (_, _, keep) in itertools.pairwise(batches):
        padded += int((~mask[:, -1]).sum())
        kept += int(keep.sum())
        assert not keep[~mask[:, -1]].any()
    assert padded > 3
    assert kept > 3
