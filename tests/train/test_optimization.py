"""Optimisers, clipping and schedules: what one step really does to a weight."""

import numpy as np
import pytest

from rnnedge.training.optimizers import OPTIMIZERS, make_optimizer
from rnnedge.training.schedules import make_schedule
from rnnedge_device.errors import InputError


def one_step(gradients, **options):
    """The change of each weight by one step of plain gradient descent at rate 1."""
    import keras

    weights = [keras.Variable(np.zeros(np.shape(g), np.float32)) for g in gradients]
    optimizer = make_optimizer("sgd", 1.0, **options)
    optimizer.apply([keras.ops.convert_to_tensor(np.float32(g)) for g in gradients], weights)
    return [np.asarray(keras.ops.convert_to_numpy(w)) for w in weights]


BIG = [np.array([300.0, -400.0, 0.001]), np.array([[6.0, 8.0]]), np.array([0.3, 0.4])]


def test_no_clip_is_no_bound():
    change = one_step(BIG)
    assert np.allclose(change[0], -BIG[0])


def test_norm_bounds_each_weight_and_keeps_its_direction():
    change = one_step(BIG, clip="norm", clip_at=2.0)
    assert np.linalg.norm(change[0]) == pytest.approx(2.0, rel=1e-5)
    assert np.allclose(change[0][:2], [-1.2, 1.6], atol=1e-4)
    assert np.linalg.norm(change[1]) == pytest.approx(2.0, rel=1e-5)
    assert np.allclose(change[2], [-0.3, -0.4])  # below the bound: untouched


def test_global_norm_bounds_all_weights_together():
    change = one_step(BIG, clip="global_norm", clip_at=2.0)
    total = np.sqrt(sum(np.sum(c**2) for c in change))
    assert total == pytest.approx(2.0, rel=1e-4)
    assert np.linalg.norm(change[1]) == pytest.approx(2.0 * 10 / np.sqrt(500**2 + 10**2 + 0.5**2), rel=1e-3)


def test_value_bounds_each_entry():
    change = one_step(BIG, clip="value", clip_at=0.5)
    assert np.allclose(change[0], [-0.5, 0.5, -0.001])
    assert np.allclose(change[1], [[-0.5, -0.5]])
    assert np.allclose(change[2], [-0.3, -0.4])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_goes_downhill(name):
    import keras

    weight = keras.Variable(np.float32([1.0, -2.0]))
    optimizer = make_optimizer(name, 0.05, clip="norm", clip_at=1.0)
    for _ in range(30):
        optimizer.apply([2 * keras.ops.convert_to_tensor(weight)], [weight])
    assert np.abs(keras.ops.convert_to_numpy(weight)).sum() < 2.9


def test_momentum_is_not_sgd():
    import keras

    ends = []
    for name in ("sgd", "momentum"):
        weight = keras.Variable(np.float32([1.0]))
        optimizer = make_optimizer(name, 0.01)
        for _ in range(20):
            optimizer.apply([keras.ops.ones(1)], [weight])
        ends.append(float(keras.ops.convert_to_numpy(weight)[0]))
    assert ends[0] == pytest.approx(0.8, abs=1e-4)
    assert ends[1] < 0


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("beta_2", [0.5, 0.999])
def test_adam_forgets_the_size_of_gradients_as_it_is_told(name, beta_2):
    """Kingma and Ba 2015, algorithm 1, for gradients of 1 and 3."""
    import keras

    weight = keras.Variable(np.float32([0.0]))
    optimizer = make_optimizer(name, 0.1, beta_2=beta_2)
    for gradient in (1.0, 3.0):
        optimizer.apply([keras.ops.convert_to_tensor(np.float32([gradient]))], [weight])
    mean = (0.9 * 0.1 * 1 + 0.1 * 3) / (1 - 0.9**2)
    square = (beta_2 * (1 - beta_2) * 1 + (1 - beta_2) * 9) / (1 - beta_2**2)
    assert float(keras.ops.convert_to_numpy(weight)[0]) == pytest.approx(
        -0.1 - 0.1 * mean / square**0.5, rel=1e-4
    )


def test_weight_decay_spares_biases():
    import keras

    kernel, bias = (
        keras.Variable(np.ones(2, np.float32), name="kernel"),
        keras.Variable(np.ones(2), name="bias"),
    )
    optimizer = make_optimizer("adamw", 0.1, weight_decay=0.5)
    zero = keras.ops.zeros(2)
    optimizer.build([kernel, bias])
    optimizer.apply([zero, zero], [kernel, bias])
    assert np.allclose(keras.ops.convert_to_numpy(kernel), 0.95)
    assert np.allclose(keras.ops.convert_to_numpy(bias), 1.0)


def rates(name, steps, **options):
    import keras

    schedule = make_schedule(name, 0.8, steps=steps, **options)
    return [float(keras.ops.convert_to_numpy(schedule(s))) for s in range(steps + 1)]


def test_constant():
    assert rates("constant", 10) == pytest.approx([0.8] * 11)


def test_cosine_falls_to_zero():
    found = rates("cosine", 100)
    expected = 0.4 * (1 + np.cos(np.pi * np.arange(101) / 100))
    assert found == pytest.approx(expected.tolist(), abs=1e-6)


def test_step():
    found = rates("step", 9, step_every=3, decay=0.5)
    assert found == pytest.approx([0.8] * 3 + [0.4] * 3 + [0.2] * 3 + [0.1])


def test_exponential():
    found = rates("exponential", 8, step_every=4, decay=0.5)
    assert found == pytest.approx([0.8 * 0.5 ** (s / 4) for s in range(9)], rel=1e-5)


@pytest.mark.parametrize("name", ["constant", "cosine", "step", "exponential"])
def test_warmup_rises_then_the_schedule_starts_at_its_beginning(name):
    found = rates(name, 20, warmup=4, step_every=8, decay=0.5)
    assert found[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert found[4:] == pytest.approx(rates(name, 16, step_every=8, decay=0.5), abs=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_optimizer("lion", 0.1), ["optimizer='lion'", "adamw"]),
        (lambda: make_optimizer("sgd", 0.1, clip="l1"), ["clip='l1'", "global_norm"]),
        (lambda: make_optimizer("sgd", 0.1, clip="norm", clip_at=0), ["clip_at=0", "above 0"]),
        (lambda: make_optimizer("adam", 0.1, beta_2=1.0), ["beta_2=1.0", "below 1"]),
        (lambda: make_schedule("triangle", 0.1, steps=5), ["schedule='triangle'", "cosine"]),
    ],
)
def test_bad_names_are_refused(call, words):
    with pytest.raises(InputError) as error:
        call()
    for word in words:
        assert word in str(error.value)
