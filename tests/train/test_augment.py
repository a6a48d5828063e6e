"""Augmentation and batches: nothing changes at zero, everything is a function of (seed, epoch, index)."""

import numpy as np
import pytest

from rnnedge.data import Augment
from rnnedge.data.augment import DRAWS
from rnnedge.data.batches import Batches
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

EVERYTHING = {
    "shift": 0.2,
    "rotate": 30.0,
    "scale": 0.3,
    "shear": 0.2,
    "brightness": 0.3,
    "contrast": 0.5,
    "blur": 1.5,
    "erase": 0.5,
}


def picture(h=12, w=9, c=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, c), np.uint8)


@pytest.mark.parametrize("c", [1, 3])
def test_zero_draws_and_zero_limits_change_nothing(c):
    image = picture(c=c)
    assert np.array_equal(Augment(**EVERYTHING).apply(image, np.zeros(DRAWS)), image)
    assert np.array_equal(Augment().apply(image, np.ones(DRAWS)), image)
    assert not Augment()


def test_erasing_paints_one_rectangle_in_its_share_of_the_images():
    augment = Augment(erase=0.4)
    image = np.random.default_rng(1).integers(1, 3, (24, 36, 3), np.uint8)
    shares = []
    for draw in augment.draw(0, 0, 500):
        changed = (augment.apply(image, draw) != image).any(axis=-1)
        if not changed.any():
            continue
        y, x = np.nonzero(changed)
        hole = augment.apply(image, draw)[y.min() : y.max() + 1, x.min() : x.max() + 1]
        assert 4 <= hole.shape[0] <= 12
        assert 6 <= hole.shape[1] <= 18
        assert len(np.unique(hole)) == 1
        shares.append(hole.shape[0] / 24)
    assert 0.33 < len(shares) / 500 < 0.47
    assert 0.3 < np.mean(shares) < 0.37


@pytest.mark.parametrize("kind", sorted(EVERYTHING))
@pytest.mark.parametrize("c", [1, 3])
def test_each_kind_alone_changes_the_image(kind, c):
    augment = Augment(**{kind: EVERYTHING[kind]})
    image = picture(c=c)
    changed = augment.apply(image, np.full(DRAWS, 0.9))
    assert augment
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image)


def test_draws_are_a_function_of_seed_epoch_and_index():
    augment = Augment(**EVERYTHING)
    draws = augment.draw(1, 2, 50)
    assert np.array_equal(draws, augment.draw(1, 2, 50))
    assert np.array_equal(draws[:20], augment.draw(1, 2, 20))  # more images move nothing
    assert not np.array_equal(draws, augment.draw(1, 3, 50))
    assert not np.array_equal(draws, augment.draw(2, 2, 50))
    assert np.abs(draws).max() <= 1
    assert np.abs(augment.draw(0, 0, 5000).mean(axis=0)).max() < 0.05


def test_shift_moves_by_its_share_of_the_side():
    image = np.zeros((10, 20, 1), np.uint8)
    image[5, 10] = 200
    augment = Augment(shift=0.2, border="constant")
    right_down = augment.apply(image, np.array([1.0, 0.5] + [0.0] * (DRAWS - 2)))
    assert np.argwhere(right_down[..., 0]).tolist() == [[6, 14]]  # 1 of 10 down, 4 of 20 right


def test_rotation_and_scale_are_bounded():
    image = np.zeros((21, 21, 1), np.uint8)
    image[10, 18] = 255

    def angle_and_radius(augment, draw):
        y, x = np.unravel_index(augment.apply(image, draw)[..., 0].argmax(), (21, 21))
        return np.degrees(np.arctan2(y - 10, x - 10)), np.hypot(y - 10, x - 10)

    unit = np.eye(DRAWS)
    assert angle_and_radius(Augment(rotate=90), unit[2]) == pytest.approx((90, 8))
    assert angle_and_radius(Augment(rotate=90), -unit[2]) == pytest.approx((-90, 8))
    assert angle_and_radius(Augment(scale=0.25), unit[3]) == pytest.approx((0, 10))
    assert angle_and_radius(Augment(scale=0.25), -unit[3])[1] == pytest.approx(6.4, abs=0.6)


def test_brightness_and_contrast_are_exact_and_do_not_wrap():
    image = np.array([[[0], [100], [250], [50]]], np.uint8)  # mean 100
    unit = np.eye(DRAWS)
    assert Augment(brightness=0.2).apply(image, unit[5]).ravel().tolist() == [51, 151, 255, 101]
    assert Augment(brightness=0.2).apply(image, -unit[5]).ravel().tolist() == [0, 49, 199, 0]
    assert Augment(contrast=0.5).apply(image, unit[6]).ravel().tolist() == [0, 100, 255, 25]
    assert Augment(contrast=0.5).apply(image, -unit[6]).ravel().tolist() == [33, 100, 200, 67]


def test_blur_keeps_the_mean_and_flattens():
    image = picture(40, 40)
    soft = Augment(blur=2.0).apply(image, np.ones(DRAWS))
    assert soft.std() < image.std() / 2
    assert abs(float(soft.mean()) - image.mean()) < 3


@pytest.mark.parametrize("border", ["constant", "replicate", "reflect"])
def test_border(border):
    image = np.full((8, 8, 1), 77, np.uint8)
    moved = Augment(shift=0.5, border=border).apply(image, np.array([1.0] + [0.0] * (DRAWS - 1)))
    assert moved[0, 0, 0] == (0 if border == "constant" else 77)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shift": 1.5}, ["shift=1.5", "0 to 1"]),
        ({"rotate": -1}, ["rotate=-1", "degrees"]),
        ({"contrast": "high"}, ["contrast='high'"]),
        ({"border": "wrap"}, ["border='wrap'", "constant, replicate, reflect"]),
    ],
)
def test_bad_limits_are_named(arguments, words):
    with pytest.raises(InputError) as error:
        Augment(**arguments)
    for word in words:
        assert word in str(error.value)


PIXELS = np.random.default_rng(5).integers(0, 256, (50, 6, 5, 1), np.uint8)
LABELS = np.arange(50)


def batches(epoch=0, start=0, seed=0, augment=None, size=8):
    return Batches(
        PIXELS, LABELS, Preprocess((6, 5)), size, augment=augment, seed=seed, epoch=epoch, start=start
    )


def test_an_epoch_sees_each_image_once_in_batches_of_one_size():
    parts = [batches()[i] for i in range(len(batches()))]
    assert [len(y) for _, y in parts] == [8] * 6
    assert parts[0][0].shape == (8, 6, 5, 1)
    assert parts[0][0].dtype == np.float32
    seen = np.concatenate([y for _, y in parts])
    assert len(set(seen)) == 48
    x, y = parts[2]
    assert np.array_equal(x[3], Preprocess((6, 5))(PIXELS[y[3], ..., 0]))


def test_the_order_differs_by_epoch_and_seed():
    def order(**options):
        return np.concatenate([batches(**options)[i][1] for i in range(6)]).tolist()

    assert order(epoch=1) == order(epoch=1)
    assert order(epoch=1) != order(epoch=2)
    assert order(seed=1) != order(seed=2)
    dropped = [set(range(50)) - set(order(epoch=e)) for e in range(10)]
    assert len(set.union(*dropped)) > 2  # it is not always the same images that do not fit


def test_an_epoch_entered_in_its_middle_goes_on_alike():
    augment = Augment(**EVERYTHING)
    whole, rest = batches(3, augment=augment), batches(3, start=4, augment=augment)
    assert len(rest) == len(whole) - 4
    for i in range(len(rest)):
        assert np.array_equal(rest[i][0], whole[4 + i][0])
        assert np.array_equal(rest[i][1], whole[4 + i][1])


def test_augmentation_leaves_the_cached_images_alone():
    before = PIXELS.copy()
    x, _ = batches(augment=Augment(**EVERYTHING))[0]
    plain, _ = batches()[0]
    assert not np.array_equal(x, plain)
    assert np.array_equal(PIXELS, before)


def test_fewer_images_than_a_batch():
    small = Batches(PIXELS[:3], LABELS[:3], Preprocess((6, 5)), 8)
    assert len(small) == 1
    assert sorted(small[0][1]) == [0, 1, 2]
