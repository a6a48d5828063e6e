"""Preprocessing: colour, geometry and values, each against a figure worked out by hand."""

import json

import cv2
import numpy as np
import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.quantization import quantize


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(28, 28), (9, 40), (64, 10, 3), (1, 1), (300, 200, 3)])
@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
@pytest.mark.parametrize(("color", "channels"), [("gray", 1), ("rgb", 3)])
def test_any_frame_becomes_the_declared_shape(shape, fit, color, channels):
    found = Preprocess((12, 20), color, fit)(noise(*shape))
    assert found.shape == (12, 20, channels)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert 0.0 <= found.min() <= found.max() <= 1.0


def test_gray_weighs_the_channels_of_a_bgr_frame():
    for channel, weight in enumerate((0.114, 0.587, 0.299)):
        image = np.zeros((4, 4, 3), np.uint8)
        image[..., channel] = 200
        assert Preprocess((4, 4))(image) == pytest.approx(200 * weight / 255, abs=1 / 255)


def test_rgb_turns_the_channels_of_a_bgr_frame():
    image = np.zeros((4, 4, 3), np.uint8)
    image[...] = (10, 20, 30)
    assert Preprocess((4, 4), "rgb", scale=1.0)(image)[0, 0].tolist() == [30, 20, 10]


def test_a_gray_frame_has_three_equal_channels_in_rgb():
    found = Preprocess((6, 5), "rgb")(noise(9, 9))
    assert (found[..., 0] == found[..., 1]).all()
    assert (found[..., 1] == found[..., 2]).all()
    assert found.std() > 0


def test_scale_mean_and_std_by_channel_in_rgb_order():
    image = np.zeros((2, 2, 3), np.uint8)
    image[...] = (10, 20, 30)
    found = Preprocess((2, 2), "rgb", scale=0.1, mean=(1, 2, 3), std=(2, 4, 8))(image)
    assert found[1, 1] == pytest.approx([(3 - 1) / 2, (2 - 2) / 4, (1 - 3) / 8], abs=1e-6)


def test_one_mean_serves_every_channel():
    image = noise(4, 4, 3)
    one = Preprocess((4, 4), "rgb", mean=(0.5,), std=(0.25,))(image)
    assert (one == Preprocess((4, 4), "rgb", mean=(0.5,) * 3, std=(0.25,) * 3)(image)).all()


def test_pad_keeps_proportions_and_centres():
    found = Preprocess((8, 8), fit="pad")(np.full((40, 20), 255, np.uint8))[..., 0]
    assert (found[:, 2:6] == 1).all()
    assert (found[:, :2] == 0).all()
    assert (found[:, 6:] == 0).all()


def test_the_border_of_pad_is_zero_after_inversion():
    found = Preprocess((8, 8), fit="pad", invert=True)(np.full((20, 40), 55, np.uint8))[..., 0]
    assert found[2:6] == pytest.approx(200 / 255)
    assert (found[:2] == 0).all()
    assert (found[6:] == 0).all()


def test_crop_takes_the_middle():
    image = np.zeros((10, 30), np.uint8)
    image[:, 10:20] = 255
    assert (Preprocess((5, 5), fit="crop")(image) == 1).all()
    assert (Preprocess((5, 5), fit="crop")(image.T) == 1).all()
    stretched = Preprocess((5, 5), fit="stretch")(image)
    assert stretched.min() == 0


def test_the_fast_path_equals_the_general_path():
    image = noise(16, 16)
    doubled = np.kron(image, np.ones((2, 2), np.uint8))  # shrinking it averages four equal pixels
    for invert in (False, True):
        take = Preprocess((16, 16), invert=invert, mean=(0.4,), std=(0.3,))
        fast, general = take(image), take(doubled)
        assert (fast == general).all()
        pixel = (255 - image if invert else image).astype(np.float32)
        assert fast[..., 0] == pytest.approx((pixel / 255 - 0.4) / 0.3, abs=1e-5)


def test_shrinking_averages_and_enlarging_interpolates():
    board = np.indices((8, 8)).sum(0) % 2 * np.uint8(255)
    assert Preprocess((4, 4))(board.astype(np.uint8)) == pytest.approx(0.5, abs=1 / 255)
    edge = np.array([[0, 255]], np.uint8)
    row = Preprocess((1, 8))(edge)[0, :, 0]
    assert (np.diff(row) >= 0).all()
    assert 0 < row[3] < row[4] < 1


def test_the_table_quantised_once_equals_quantising_every_frame():
    take = Preprocess((16, 12), "rgb", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    image = noise(40, 30, 3)
    once = take.look_up(take.pixels(image), quantize(take.table, 0.031, 7))
    assert once.dtype == np.int8
    assert (once == quantize(take(image), 0.031, 7)).all()


def test_a_view_that_is_not_contiguous_is_read_rightly():
    image = noise(32, 32, 3)
    view = image[::2, ::-2]
    take = Preprocess((8, 8), "rgb")
    assert (take(view) == take(view.copy())).all()


def test_the_frame_is_left_as_it_was():
    for image in (noise(8, 8), noise(20, 8, 3)):
        before = image.copy()
        Preprocess((8, 8), "rgb", "pad", invert=True)(image)
        assert (image == before).all()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.float32),
        np.zeros((8, 8), np.int64),
        np.zeros((8,), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8), np.uint8),
        np.zeros((8, 0, 3), np.uint8),
        [[1, 2], [3, 4]],
        None,
    ],
)
def test_what_is_not_a_frame_is_refused(image):
    with pytest.raises(InputError, match=r"^image: .*must be"):
        Preprocess((8, 8))(image)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("size", (0, 8)),
        ("size", (8,)),
        ("size", 8),
        ("size", (8.0, 8)),
        ("color", "bgr"),
        ("fit", "squash"),
        ("scale", 0),
        ("scale", float("nan")),
        ("mean", (1, 2)),
        ("mean", ("a",)),
        ("std", (0,)),
        ("std", (float("inf"),)),
        ("invert", 1),
        ("equalize", "yes"),
    ],
)
def test_a_bad_parameter_is_named(name, value):
    with pytest.raises(InputError, match=f"preprocess: {name} = "):
        Preprocess(**{"size": (8, 8), name: value})


def test_parameters_survive_json():
    for made in (
        Preprocess((8, 6), "rgb", "crop", 1 / 127.5, (1.0, 1.0, 1.0), (0.5, 0.25, 0.125), True),
        Preprocess((8, 6), equalize=True),
    ):
        assert Preprocess.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    "change",
    [{"colour": "gray"}, {"size": [8, "8"]}, {"size": None}, {"scale": "1"}, {"invert": 0}, {"scale": True}],
)
def test_a_bad_record_names_key_and_value(change):
    with pytest.raises(InputError) as caught:
        Preprocess.from_dict({**Preprocess((8, 8)).to_dict(), **change})
    ((key, value),) = change.items()
    assert key in str(caught.value)
    assert repr(value) in str(caught.value)


def test_gray_equals_what_opencv_calls_gray():
    image = noise(20, 20, 3)
    expected = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert (Preprocess((20, 20)).pixels(image)[..., 0] == expected).all()


def test_equalised_pixels_are_the_same_in_any_even_light():
    """A scene seen at a third of the light and lifted by a constant: after equalisation the same picture."""
    scene = (noise(24, 32) // 4 * 3).astype(np.uint8)
    dim = (scene // 3 + 40).astype(np.uint8)
    plain, even = Preprocess((24, 32)), Preprocess((24, 32), equalize=True)
    assert np.abs(plain(scene) - plain(dim)).mean() > 0.1
    assert (even(scene) == even(dim)).all()
    found = even.pixels(dim)
    assert (found.min(), found.max()) == (0, 255)
    assert np.histogram(found, 4, (0, 256))[0] == pytest.approx([192] * 4, abs=12)


def test_equalisation_comes_after_the_size_and_before_inversion_and_border():
    image = noise(40, 20)
    small = cv2.resize(image, (8, 16), interpolation=cv2.INTER_AREA)
    expected = 255 - cv2.equalizeHist(small)
    found = Preprocess((16, 16), fit="pad", invert=True, equalize=True).pixels(image)[..., 0]
    assert (found[:, 4:12] == expected).all()
    assert not found[:, :4].any()
    assert not found[:, 12:].any()
    # The path of a frame that has the size already.
    same = Preprocess((16, 8), invert=True, equalize=True).pixels(small)[..., 0]
    assert (same == expected).all()


def test_equalisation_is_for_grey():
    with pytest.raises(InputError, match="equalize = True: must be false where color is 'rgb'"):
        Preprocess((8, 8), "rgb", equalize=True)


def test_an_even_frame_stays_even():
    assert len(np.unique(Preprocess((8, 8), equalize=True).pixels(np.full((9, 9), 77, np.uint8)))) == 1


def test_a_record_from_before_equalisation_is_read():
    record = Preprocess((8, 8)).to_dict()
    del record["equalize"]
    assert Preprocess.from_dict(record) == Preprocess((8, 8))
