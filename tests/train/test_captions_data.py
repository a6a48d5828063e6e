"""Caption sets: what they hold, how they are chosen from, and the one door to all of them."""

import cv2
import numpy as np
import pytest

from rnnedge.data.captions import CaptionSet, load_captions
from rnnedge.data.scenes import Scene, Thing
from rnnedge_device.errors import InputError

PIXELS = [np.full((2, 3, 3), i, np.uint8) for i in range(4)]
SAID = [("a wall",), ("A door .", "a red door"), ("a dog",), ("grass",)]
IDS = ["a", "b", "c", "d"]


def test_a_part_keeps_what_belongs_together():
    scenes = tuple(Scene((Thing("red", "small", "circle"),), count) for count in (1, 2, 3, 1))
    whole = CaptionSet(PIXELS, SAID, IDS, "walls", "val", ("missing photo: e",), scenes)
    part = whole.take([2, 1])
    assert len(part) == len(part.images) == 2
    assert [int(image[0, 0, 0]) for image in part.images] == [2, 1]
    assert part.captions == [("a dog",), ("A door .", "a red door")]
    assert part.ids == ["c", "b"]
    assert [scene.count for scene in part.scenes] == [3, 2]
    assert (part.name, part.split, part.skipped) == ("walls", "val", ("missing photo: e",))
    assert part.take(np.array([1])).ids == ["b"]
    assert len(whole.take([])) == 0
    assert CaptionSet(PIXELS, SAID, IDS, "walls", "val").take([0]).scenes == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((PIXELS[:3], SAID, IDS), ["3 images, 4 captions, 4 ids"]),
        ((PIXELS, SAID[:3], IDS), ["4 images, 3 captions"]),
        ((PIXELS, [*SAID[:3], ()], IDS), ["d", "()", "none empty"]),
        ((PIXELS, [*SAID[:3], (" ",)], IDS), ["d", "none empty"]),
        ((PIXELS, [*SAID[:3], "grass"], IDS), ["d", "'grass'", "must be sentences"]),
    ],
)
def test_what_does_not_belong_together_is_refused(arguments, words):
    with pytest.raises(InputError) as error:
        CaptionSet(*arguments, "walls", "val")
    for word in ["walls: ", *words]:
        assert word in str(error.value)


def test_photos_are_decoded_when_they_are_asked_for(tmp_path):
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"{i}.png"), PIXELS[0] + i)
    rows = "".join(f"{i}.png,number {i}\n" for i in range(12))
    (tmp_path / "captions.csv").write_text("image,caption\n" + rows)
    data = load_captions(f"captions:{tmp_path}", "all").take(range(8))
    cv2.imwrite(str(tmp_path / data.ids[3]), PIXELS[0] + 99)
    assert data.images[3][0, 0].tolist() == [99, 99, 99]
    assert data.images[2:5][1][0, 0].tolist() == [99, 99, 99]


def test_no_image_lies_in_two_splits():
    parts = [set(load_captions("shapes", split).ids) for split in ("train", "val", "test")]
    assert set.union(*parts) == set(load_captions("shapes", "all").ids)
    assert sum(map(len, parts)) == len(set.union(*parts))


@pytest.mark.parametrize(
    ("spec", "split", "words"),
    [
        ("shape", "train", ["data='shape'", "shapes, flickr8k:PATH, coco_captions:PATH, captions:PATH"]),
        ("shapes:here", "train", ["data='shapes:here'", "must be one of"]),
        ("", "train", ["data=''", "must be one of"]),
        ("flickr8k", "train", ["data='flickr8k'", "flickr8k:/data/flickr8k"]),
        ("captions:", "train", ["data='captions:'", "needs its path"]),
        ("captions:/no/such/folder", "train", ["data=captions:/no/such/folder", "is not a folder"]),
        ("shapes", "dev", ["split='dev'", "train, val, test, all"]),
    ],
)
def test_bad_names_are_refused(spec, split, words):
    with pytest.raises(InputError) as error:
        load_captions(spec, split)
    for word in words:
        assert word in str(error.value)
