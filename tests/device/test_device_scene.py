"""The scene detector: cuts between real pictures, none within a moving one."""

import json

import cv2
import numpy as np
import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneCut, SceneDetector, difference, thumbnail
from rnnedge_device.sources import open_source


def test_the_difference_is_a_share_of_the_range():
    black, white = np.zeros((40, 60, 1), np.uint8), np.full((40, 60, 1), 255, np.uint8)
    grey = np.full((40, 60, 1), 51, np.uint8)
    assert difference(black, white) == 1.0
    assert difference(black, black) == 0.0
    assert difference(black, grey) == difference(grey, black) == pytest.approx(0.2, abs=0.002)


def test_what_fills_less_than_half_of_the_picture_is_no_new_scene():
    ground = np.random.default_rng(2).integers(0, 200, (64, 64, 1), np.uint8)
    near = ground.copy()
    near[4:44, 10:52] = 255  # 41 % of the picture
    assert difference(ground, near) == 0.0
    near[:] = 255
    assert difference(ground, near) > 0.4


def test_a_small_change_of_light_is_a_small_difference():
    dark, light = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 110, np.uint8)
    assert difference(dark, light) == pytest.approx(10 / 255, abs=1 / 255)


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 1), (48, 64, 1), (96, 96, 3), (5, 200, 3)])
def test_thumbnails_of_any_model_frame(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert thumbnail(pixels).shape == (16, 16)
    assert thumbnail(pixels).dtype == np.uint8
    assert difference(pixels, pixels) == 0


def test_the_channels_of_a_colour_frame_are_red_green_blue():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert difference(red, np.zeros_like(red)) == pytest.approx(0.299, abs=0.002)


def test_the_first_frame_is_no_cut_nor_the_first_after_a_reset():
    detector = SceneDetector(SceneCut(0.2))
    black, white = np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 1), 255, np.uint8)
    assert [detector.cut(frame) for frame in (black, black, white, white, black)] == [0, 0, 1, 0, 1]
    detector.reset()
    assert not detector.cut(white)
    assert detector.cut(black)


def test_it_finds_the_cuts_between_scenes_and_none_in_motion(tmp_path):
    """Three moving scenes spliced into one real video."""
    rng = np.random.default_rng(5)
    grounds = [cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (160, 120)) for _ in range(3)]
    path = tmp_path / "spliced.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (160, 120))
    for ground in grounds:
        for number in range(20):
            picture = np.roll(ground, number, axis=1)
            cv2.circle(picture, (8 * number, 60), 20, (255, 255, 255), -1)
            writer.write(picture)
    writer.release()
    take, detector = Preprocess((32, 32)), SceneDetector(SceneCut(0.1))
    with open_source(str(path)) as source:
        cuts = [frame.index for frame in source if detector.cut(take.pixels(frame.image))]
    assert cuts == [20, 40]


@pytest.mark.parametrize("threshold", [0, -0.1, 1.5, float("nan"), "0.2", True, None])
def test_a_bad_threshold_is_named(threshold):
    with pytest.raises(InputError, match="scene_cut: threshold = "):
        SceneCut(threshold)


def test_it_survives_json_and_refuses_what_it_does_not_know():
    assert SceneCut.from_dict(json.loads(json.dumps(SceneCut(0.125).to_dict()))) == SceneCut(0.125)
    for data in ({}, {"threshold": 0.1, "side": 16}, {"threshold": "0.1"}, {"threshold": 2.0}, 0.1):
        with pytest.raises(InputError, match=r"^scene_cut: "):
            SceneCut.from_dict(data)
