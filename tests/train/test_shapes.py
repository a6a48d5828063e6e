"""The data set ``shapes``: pictures that show what their sentences say, and a grammar that reads back."""

from itertools import product

import cv2
import numpy as np
import pytest

from rnnedge.data.captions import load_captions
from rnnedge.data.scenes import COLOURS, RELATIONS, SHAPES, SIZES
from rnnedge.data.shapes import BGR, SIDE, UNSEEN, Drawing, Scene, Thing, attribute_accuracy, parse, sentences

RED, BLUE = Thing("red", "small", "circle"), Thing("blue", "large", "square")


@pytest.fixture(scope="module")
def parts():
    return {split: load_captions("shapes", split) for split in ("train", "val", "test")}


def boxes(picture):
    """The bounding boxes of what is brighter than the ground, ``[n, 4]`` as x, y, width and height."""
    bright = (picture.max(axis=-1) > 115).astype(np.uint8)
    found = cv2.connectedComponentsWithStats(bright)[2][1:]
    return found[found[:, cv2.CC_STAT_AREA] > 12, :4]


# Pictures


def test_splits_have_their_sizes_and_names(parts):
    assert {split: len(part) for split, part in parts.items()} == {"train": 40000, "val": 400, "test": 500}
    everything = load_captions("shapes", "all")
    assert len(everything) == len(set(everything.ids)) == 40900
    assert everything.ids[40000] == "shapes/val/0000"
    assert everything.scenes[40000] == parts["val"].scenes[0]
    assert np.array_equal(everything.images[40400], parts["test"].images[0])


def test_pictures_and_sentences_never_change(parts):
    again = load_captions("shapes", "train")
    assert again.captions == parts["train"].captions
    last, first = again.images[9999], again.images[0]  # in another order
    assert np.array_equal(first, parts["train"].images[0])
    assert np.array_equal(last, parts["train"].images[9999])
    assert parts["train"].captions[0][0] == "a picture of two white squares that are small"
    assert parts["test"].captions[1][0] == "a small white cross is left of a large green circle"


def test_pictures_are_small_colour_frames_that_differ(parts):
    pictures = [parts["train"].images[i] for i in range(60)]
    assert {picture.shape for picture in pictures} == {(SIDE, SIDE, 3)}
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}
    assert len({picture.tobytes() for picture in pictures}) == 60
    grounds = np.array([np.median(picture, axis=(0, 1)) for picture in pictures])
    assert np.all(grounds.std(axis=0) > 8)


def test_a_picture_shows_as_many_things_as_it_says_and_where(parts):
    for i in range(300):
        for part in parts.values():
            scene = part.scenes[i % len(part)]
            found = boxes(part.images[i % len(part)])
            assert len(found) == len(scene.things) * scene.count, part.ids[i % len(part)]


def test_things_are_where_the_relation_says(parts):
    seen = set()
    for scene, picture in zip(parts["test"].scenes, parts["test"].images, strict=True):
        first, second = scene.things[0], scene.things[-1]
        if first.colour != second.colour:
            x, y = middle(picture, first.colour) - middle(picture, second.colour)
            along, across = {"left": (-x, y), "right": (x, y), "above": (-y, x), "below": (y, x)}[
                scene.relation
            ]
            assert along > 11
            assert abs(across) < 0.5 * along
            seen.add(scene.relation)
    assert seen == set(RELATIONS)


def middle(picture, colour):
    """The middle of all that has a colour, ``[2]`` as x and y."""
    away = np.linalg.norm(picture + 8.0 - np.array(BGR[colour]), axis=-1)
    return np.argwhere(away < 45).mean(axis=0)[::-1]


def test_small_and_large_are_far_apart_whatever_the_shape():
    sides = {"small": [], "large": []}
    for size, shape, seed in product(SIZES, SHAPES, range(20)):
        picture = Drawing(Scene((Thing("white", size, shape),)), (9, seed)).draw()
        sides[size].append(boxes(picture)[0][2:].max())
    assert max(sides["small"]) + 4 < min(sides["large"])
    assert max(sides["large"]) < 28


# Combinations


def test_only_the_test_split_shows_the_unseen_combinations(parts):
    def unseen(scene):
        return any(thing in UNSEEN for thing in scene.things)

    assert not any(unseen(scene) for split in ("train", "val") for scene in parts[split].scenes)
    assert all(unseen(scene) for scene in parts["test"].scenes)
    assert {thing for scene in parts["test"].scenes for thing in scene.things} >= UNSEEN
    trained = {thing for scene in parts["train"].scenes for thing in scene.things}
    assert len(trained) == len(COLOURS) * len(SIZES) * len(SHAPES) - len(UNSEEN)
    # Any two of a kept-back thing's attributes are known together.
    for thing in UNSEEN:
        assert {other.alike(thing) for other in trained if other.colour == thing.colour} >= {2}
        assert {other.alike(thing) for other in trained if other.shape == thing.shape} >= {2}


def test_every_word_is_in_training_and_sentences_are_short(parts):
    words = {
        split: {word for group in part.captions for caption in group for word in caption.split()}
        for split, part in parts.items()
    }
    assert words["test"] <= words["train"]
    assert words["val"] <= words["train"]
    assert len(words["train"]) == 42
    captions = [caption for part in parts.values() for group in part.captions for caption in group]
    assert max(len(caption.split()) for caption in captions) <= 16
    assert all(caption.replace(" ", "").isalpha() and caption == caption.lower() for caption in captions)


# The grammar


def test_a_picture_has_different_sentences_that_read_back_to_it(parts):
    for split, part in parts.items():
        for scene, group in zip(part.scenes[:250], part.captions[:250], strict=True):
            assert len(set(group)) == (1 if split == "train" else 5)
            for caption in group:
                assert parse(caption).matches(scene), caption
                right, total = attribute_accuracy(caption, scene)
                assert right == total == (7 if scene.relation else 4)


def test_no_sentence_is_said_of_two_scenes():
    said = {}
    things = [
        Thing("red", "small", "circle"),
        Thing("red", "large", "circle"),
        Thing("blue", "small", "cross"),
    ]
    scenes = [Scene((thing,), count) for thing in things for count in (1, 2, 3)]
    scenes += [Scene((a, b), relation=r) for a, b in product(things, things) if a != b for r in RELATIONS]
    for scene in scenes:
        for sentence in sentences(scene):
            assert said.setdefault(sentence, scene).matches(scene), sentence
    assert len(said) > 400


@pytest.mark.parametrize(
    ("sentence", "scene"),
    [
        ("two small red circles", Scene((RED,), 2)),
        ("There are two small red circles.", Scene((RED,), 2)),
        ("a picture of one red circle that is small", Scene((RED,), 1)),
        ("a large blue square is left of a small red circle", Scene((BLUE, RED), relation="left")),
        ("a small red circle with a large blue square to its left", Scene((RED, BLUE), relation="right")),
        ("above a large blue square there is a small red circle", Scene((BLUE, RED), relation="below")),
    ],
)
def test_sentences_are_read(sentence, scene):
    assert parse(sentence) == scene


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "a dog runs on the grass",
        "two small red circle",
        "there is two small red circles",
        "a small red",
        "small red circle",
        "two small red circles are left of a large blue square",
        "a small red circle is left of",
        "a small red circle left left of a large blue square",
        "a small red circle and a large blue square",
        "two two small red circles",
        "a small red circle a small red circle",
    ],
)
def test_what_is_not_in_the_grammar_is_not_read(sentence):
    assert parse(sentence) is None
    assert attribute_accuracy(sentence, Scene((RED,), 2)) == (0, 4)
    assert attribute_accuracy(sentence, Scene((RED, BLUE), relation="left")) == (0, 7)


def test_left_of_is_right_of_the_other_way_round():
    scene = Scene((RED, BLUE), relation="left")
    assert scene.matches(Scene((BLUE, RED), relation="right"))
    assert scene.turned().turned() == scene
    assert not scene.matches(Scene((BLUE, RED), relation="left"))
    assert not scene.matches(Scene((RED, BLUE), relation="above"))
    assert not Scene((RED,), 1).matches(Scene((RED,), 2))


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("three large red squares", 1),
        ("two large red circles", 3),
        ("two small red circles", 4),
        ("a small red circle", 3),
        ("a small red circle is left of a large blue square", 3),
    ],
)
def test_right_attributes_of_equal_things(sentence, right):
    assert attribute_accuracy(sentence, Scene((RED,), 2)) == (right, 4)


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("a small red circle is left of a large blue square", 7),
        ("a large blue square is right of a small red circle", 7),
        ("a small red circle is right of a large blue square", 6),
        ("a small green circle is left of a large blue square", 6),
        ("a large green cross is above a large white triangle", 1),
        ("two small red circles", 3),
        ("three large blue circles", 2),
    ],
)
def test_right_attributes_of_two_things(sentence, right):
    assert attribute_accuracy(sentence, Scene((RED, BLUE), relation="left")) == (right, 7)
