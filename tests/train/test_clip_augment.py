"""Clip augmentation: one change for all frames, a pace, an order, and labels that follow a reversal."""

import numpy as np
import pytest

from rnnedge.data import Augment, ClipAugment
from rnnedge.data.augment import DRAWS
from rnnedge.data.clips import nearest
from rnnedge_device.errors import InputError

IMAGE = Augment(shift=0.2, rotate=20.0, scale=0.2, brightness=0.2, contrast=0.4)
ZERO = np.zeros(DRAWS + 6)


def picks(augment, count, draw, key=(0,)):
    """The frames that are shown of a clip that has no others."""
    return nearest(augment.positions(count, draw, key), count)


def still(count=6, seed=0):
    """One picture, `count` times."""
    return np.repeat(np.random.default_rng(seed).integers(0, 256, (1, 12, 9, 1), np.uint8), count, axis=0)


def test_nothing_changes_at_zero():
    augment = ClipAugment()
    assert not augment
    assert picks(augment, 7, augment.draw(0, 0, 1)[0]).tolist() == list(range(7))
    assert np.array_equal(augment.apply(still(), augment.draw(0, 0, 1)[0], 0.0), still())
    assert not augment.backwards(-np.ones(DRAWS + 6))
    assert np.array_equal(ClipAugment(IMAGE, True, 0.5, 0.5).apply(still(), ZERO, 99.0), still())


@pytest.mark.parametrize(
    "arguments", [{"image": IMAGE}, {"flip": True}, {"jitter": 0.1}, {"speed": 0.1}, {"reverse": {"a": "a"}}]
)
def test_each_kind_counts_as_a_change(arguments):
    assert ClipAugment(**arguments)


def test_every_frame_changes_alike():
    augment = ClipAugment(IMAGE, flip=True)
    for draw in augment.draw(0, 0, 8):
        changed = augment.apply(still(), draw, 120.0)
        assert not np.array_equal(changed, still())
        assert np.array_equal(changed, np.repeat(changed[:1], 6, axis=0))


def test_contrast_turns_about_one_value():
    # A bright and a dark frame: the same pixel value stays the same value in both.
    frames = np.stack([np.full((4, 4, 1), 40, np.uint8), np.full((4, 4, 1), 200, np.uint8)])
    frames[:, 0, 0] = 100
    draw = ZERO.copy()
    draw[6] = 1.0
    changed = ClipAugment(Augment(contrast=0.5)).apply(frames, draw, 100.0)
    assert changed[:, 0, 0, 0].tolist() == [100, 100]
    assert changed[:, 3, 3, 0].tolist() == [10, 250]


def test_flip_mirrors_half_of_the_clips():
    augment = ClipAugment(flip=True)
    flipped = [
        np.array_equal(augment.apply(still(), d, 0.0), still()[:, :, ::-1]) for d in augment.draw(0, 0, 400)
    ]
    assert 150 < sum(flipped) < 250


def test_a_pace_makes_clips_longer_and_shorter():
    augment = ClipAugment(speed=0.5)
    draw = ZERO.copy()
    draw[DRAWS + 2] = 1.0
    assert picks(augment, 10, draw).tolist() == [0, 2, 3, 4, 6, 8, 9]
    draw[DRAWS + 2] = -1.0
    slow = picks(augment, 10, draw)
    assert len(slow) == 14
    assert slow.tolist() == sorted(slow)
    assert set(slow) == set(range(10))
    for draw in augment.draw(0, 0, 100):
        assert len(picks(augment, 24, draw)) == augment.paced(24, draw)
        assert 16 <= augment.paced(24, draw) <= 35
    assert picks(augment, 1, draw).tolist() == [0]


def test_jitter_takes_frames_early_or_late_in_order():
    augment = ClipAugment(jitter=1.0)
    found = np.array([picks(augment, 20, ZERO, (0, i)) for i in range(200)])
    assert np.all(np.diff(found, axis=1) >= 0)
    assert np.all(abs(found - np.arange(20)) <= 2)
    assert len({tuple(row) for row in found}) > 190
    assert np.array_equal(found[3], picks(augment, 20, ZERO, (0, 3)))
    assert abs((found - np.arange(20)).mean()) < 0.3


def test_draws_are_a_function_of_seed_epoch_and_index():
    augment = ClipAugment(IMAGE)
    draws = augment.draw(1, 2, 50)
    assert draws.shape == (50, DRAWS + 6)
    assert np.array_equal(draws[:20], augment.draw(1, 2, 20))
    assert not np.array_equal(draws, augment.draw(1, 3, 50))
    assert not np.array_equal(draws[:, DRAWS:], augment.draw(2, 2, 50)[:, DRAWS:])


def test_reversal_maps_labels():
    augment = ClipAugment(reverse={"left": "right", "right": "left", "jump": "jump"})
    names = ["jump", "left", "fall", "right", "none"]
    assert augment.reversal(names).tolist() == [0, 3, -1, 1, -1]
    assert augment.reversal(names, "none").tolist() == [0, 3, -1, 1, 4]
    assert ClipAugment().reversal(names, "none").tolist() == [-1] * 5
    backwards = [augment.backwards(draw) for draw in augment.draw(0, 0, 400)]
    assert 150 < sum(backwards) < 250


@pytest.mark.parametrize("reverse", [{"up": "left"}, {"left": "up"}])
def test_reversal_of_an_unknown_class(reverse):
    with pytest.raises(InputError, match="reverse: 'up' is no class; the classes are left, right"):
        ClipAugment(reverse=reverse).reversal(["left", "right"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"jitter": 1.5}, "jitter=1.5"), ({"speed": -0.1}, "speed=-0.1"), ({"speed": True}, "speed=True")],
)
def test_values_out_of_range(arguments, words):
    with pytest.raises(InputError, match=words):
        ClipAugment(**arguments)


def test_trimming_leaves_out_frames_at_both_ends_and_never_more_than_its_share():
    augment = ClipAugment(trim=0.2)
    shown = [picks(augment, 50, draw, (0, 0, row)) for row, draw in enumerate(augment.draw(1, 1, 200))]
    firsts, lasts = np.array([(at[0], at[-1]) for at in shown]).T
    assert (firsts.min(), lasts.max()) == (0, 49)
    assert 8 <= firsts.max() <= 10
    assert 39 <= lasts.min() <= 41
    assert all(np.array_equal(np.diff(at), np.ones(len(at) - 1)) for at in shown)
    assert len(picks(ClipAugment(trim=0.4), 1, np.ones(DRAWS + 6))) == 1


def test_extending_moves_the_ends_outwards_as_well():
    augment = ClipAugment(trim=0.1, extend=3.0)
    shown = [augment.positions(20, draw, (0,)) for draw in augment.draw(1, 1, 400)]
    firsts, lasts = np.array([(at[0], at[-1]) for at in shown]).T
    assert -3 <= firsts.min() < -2.8
    assert 1.8 < firsts.max() <= 2
    assert 16 <= lasts.min() < 17.2
    assert 21.5 < lasts.max() <= 22
    assert len(set(np.round(firsts % 1, 1))) > 9  # between the steps, too
    assert all(np.allclose(np.diff(at), 1) for at in shown)
    assert all(len(at) == augment.paced(20, d) for at, d in zip(shown, augment.draw(1, 1, 400), strict=True))
    inwards = ClipAugment(extend=3.0).positions(1, np.ones(DRAWS + 6), (0,))
    assert inwards.tolist() == [0]
    with pytest.raises(InputError, match=r"extend=101: must be from 0 to 100 \(steps\)"):
        ClipAugment(extend=101)


def test_upside_down_mirrors_half_of_the_clips_top_to_bottom():
    augment = ClipAugment(upside_down=True)
    frames = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3, 1)
    results = [augment.apply(frames, draw, 0.0) for draw in augment.draw(2, 1, 200)]
    turned = [np.array_equal(result, frames[:, ::-1]) for result in results]
    assert all(a or np.array_equal(result, frames) for a, result in zip(turned, results, strict=True))
    assert 70 <= sum(turned) <= 130
