"""Arguments and data that do not fit are refused with the argument, the value and what is allowed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from models import one_layer

from rnnedge_device.errors import InputError
from rnnedge_export import ptq, quantize
from rnnedge_export.batches import Batches

X = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
Y = np.arange(40) % 10


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return one_layer("gru")


BAD = {
    "form": (dict(form="spiral"), "form: 'spiral'; expected 'auto'"),
    "auto with others": (dict(form=("auto", "loop")), "form: ('auto', 'loop')"),
    "form twice": (dict(form=("loop", "loop")), "each form once"),
    "io": (dict(io="int4"), "io: 'int4'; expected 'int8' or 'float32'"),
    "epochs": (dict(epochs=-1), "epochs: -1; expected a whole number"),
    "learning rate": (dict(learning_rate=0.0), "learning_rate: 0.0; expected more than 0"),
    "batch": (dict(batch_size=0), "batch_size: 0"),
    "distill": (dict(distill=1.5), "distill: 1.5; expected 0 to 1"),
    "fused weights": (dict(fused_weights="int4"), "fused_weights: 'int4'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_argument(case: str, model: keras.Model) -> None:
    arguments, message = BAD[case]
    with pytest.raises(InputError) as error:
        quantize(model, X, Y, **{"epochs": 1, **arguments})
    assert message in str(error.value)


DATA = {
    "shape": (X[:, :4], Y, "x: shape (40, 4, 8); the model takes (N, 8, 8)"),
    "dtype": (X.astype("U4"), Y, "x: dtype <U4; expected numbers"),
    "count": (X, Y[:30], "y: 30 targets for 40 samples"),
    "none": (X[:0], Y[:0], "x: no samples"),
    "label above": (X, Y + 1, "y: labels from 1 to 10; the model has 10 classes"),
    "label below": (X, Y - 1, "y: labels from -1 to 8; the model has 10 classes"),
    "type": (3.5, None, "x: float; expected arrays"),
    "y beside a dataset": (
        tf.data.Dataset.from_tensor_slices((X, Y)).batch(8),
        Y,
        "which yields its own targets",
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_data_that_do_not_fit(case: str, model: keras.Model) -> None:
    x, y, message = DATA[case]
    with pytest.raises(InputError) as error:
        quantize(model, x, y, epochs=1, batch_size=40)
    assert message in str(error.value)


def test_two_outputs_are_refused() -> None:
    rows = keras.Input((8, 8))
    state = keras.layers.LSTM(4)(rows)
    model = keras.Model(rows, [keras.layers.Dense(2)(state), keras.layers.Dense(3)(state)])
    with pytest.raises(InputError, match="1 inputs and 2 outputs"):
        quantize(model, X, epochs=0)


def test_unknown_baseline(model: keras.Model) -> None:
    with pytest.raises(InputError, match="method: 'magic'"):
        ptq(model, X, "magic")
    with pytest.raises(InputError, match="form: 'step'"):
        ptq(model, X, "static", "step")


class _Sequence(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int):
        return X[index * 8 : index * 8 + 8], Y[index * 8 : index * 8 + 8]


def _as_dict(batches: Batches) -> dict[bytes, int]:
    return {
        sample.tobytes(): int(label)
        for x, y, _ in batches.epoch()
        for sample, label in zip(x, y, strict=True)
    }


@pytest.mark.parametrize(
    "source",
    [
        lambda: (X, Y),
        lambda: (X.tolist(), Y.tolist()),
        lambda: (_Sequence(), None),
        lambda: (tf.data.Dataset.from_tensor_slices((X, Y)).batch(7), None),
        lambda: (_Twice(), None),
    ],
    ids=["arrays", "lists", "PyDataset", "tf.data", "iterable"],
)
def test_whatever_fit_takes_pairs_samples_with_their_labels(source) -> None:
    x, y = source()
    batches = Batches(x, y, 8, (8, 8))
    expected = {sample.tobytes(): int(label) for sample, label in zip(X, Y, strict=True)}
    assert _as_dict(batches) == expected
    assert _as_dict(batches) == expected  # a second epoch has them all again
    assert batches.sample(12).shape == (12, 8, 8)


class _Twice:
    """Batches without a length, anew on each pass."""

    def __iter__(self):
        return iter([(X[:20], Y[:20]), (X[20:], Y[20:])])


def test_arrays_are_shuffled_and_the_order_has_a_seed() -> None:
    first, same, other = (
        np.concatenate([x for x, *_ in Batches(X, Y, 8, (8, 8), seed).epoch()]) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, X)


def test_fine_tuning_learns_from_labels_and_from_the_teacher(scans) -> None:
    """From a model that is hardly trained: labels teach the student, and without labels it stays with its teacher."""
    images, labels = scans
    model = one_layer("lstm", units=24)
    taught = quantize(
        model,
        images[:1200],
        labels[:1200],
        epochs=12,
        learning_rate=1e-2,
        batch_size=32,
        distill=0.0,
        form="loop",
    )
    assert taught.report["history"][-1]["accuracy"] > 0.9
    right = taught.forms[0].runner().raw(images[1200:]).argmax(-1) == labels[1200:]
    assert right.mean() > 0.85
    untaught = quantize(model, images[:1200], epochs=2, learning_rate=1e-3, batch_size=32, form="loop")
    x = images[1200:1400]
    same = untaught.forms[0].runner().real(x).argmax(-1) == np.asarray(model(x)).argmax(-1)
    assert same.mean() > 0.9
    assert "accuracy" not in untaught.report["history"][0]
