"""Captioned photos in folders: official layouts, pairs that no order of lines can change, damaged and odd files."""

import json
import random

import cv2
import numpy as np
import pytest

from rnnedge.captions.quantize import held_out
from rnnedge.data.caption_files import load_caption_csv, load_coco_captions, load_flickr8k, looks_whole
from rnnedge.data.captions import load_captions
from rnnedge.recipes import load_recipe
from rnnedge.runs import Run
from rnnedge_device.errors import InputError, SourceError

SPLITS = ("train", "val", "test")


def photo(path, number):
    """A photo that shows its number: in its grey level, and in its width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((9, 8 + number, 3), 10 + 4 * number, np.uint8))


def check_pairs(data):
    """Each photo's sentences name the number that it shows."""
    assert len(data)
    for image, captions, name in zip(data.images, data.captions, data.ids, strict=True):
        number = image.shape[1] - 8
        assert abs(image.mean() - (10 + 4 * number)) < 2
        assert all(caption.startswith(f"Photo {number} ,") for caption in captions)
        assert name.endswith(f"{number:02d}.jpg")


def pairs(data):
    return dict(zip(data.ids, data.captions, strict=True))


def lines(path):
    return path.read_text().splitlines()


def shuffle(path, seed=1):
    found = lines(path)
    random.Random(seed).shuffle(found)
    path.write_text("\n".join(found) + "\n")


def flickr(root, photos="Flicker8k_Dataset"):
    """24 photos in Flickr8k's layout, two sentences each: 12 in train, 6 in val, 6 in test."""
    text = root / "Flickr8k_text"
    text.mkdir()
    names = [f"photo_{i:02d}.jpg" for i in range(24)]
    for i, name in enumerate(names):
        photo(root / photos / name, i)
    said = [f"{name}#{k}\tPhoto {i} , wording {k} ." for i, name in enumerate(names) for k in (0, 1)]
    (text / "Flickr8k.token.txt").write_text("\n".join(said) + "\n")
    for part, chosen in {"train": names[:12], "dev": names[12:18], "test": names[18:]}.items():
        (text / f"Flickr_8k.{part}Images.txt").write_text("\n".join(chosen) + "\n")
    return root


def coco(root, year=2017, parts=(("train", 10), ("val", 20))):
    """Photos in COCO's layout, two sentences each."""
    for part, count in parts:
        images = [{"id": 500 + i, "file_name": f"{part}_{i:02d}.jpg"} for i in range(count)]
        for i, image in enumerate(images):
            photo(root / f"{part}{year}" / image["file_name"], i)
        said = [
            {"id": 10 * i + k, "image_id": 500 + i, "caption": f"Photo {i} , wording {k} .\n"}
            for i in range(count)
            for k in (0, 1)
        ]
        random.Random(0).shuffle(said)
        random.Random(1).shuffle(images)
        (root / "annotations").mkdir(exist_ok=True)
        file = root / "annotations" / f"captions_{part}{year}.json"
        file.write_text(json.dumps({"info": {}, "images": images, "annotations": said}))
    return root


def table(root, count=30):
    """Photos with a ``captions.csv``, two sentences each."""
    for i in range(count):
        photo(root / "photos" / f"{i:02d}.jpg", i)
    said = [f'photos/{i:02d}.jpg,"Photo {i} , wording {k} ."' for k in (0, 1) for i in range(count)]
    (root / "captions.csv").write_text("\n".join(["image,caption", *said]) + "\n")
    return root


# Official layouts


@pytest.mark.parametrize("photos", ["Flicker8k_Dataset", "Flickr8k_Dataset"])
def test_flickr8k_has_its_official_splits(tmp_path, photos):
    root = flickr(tmp_path, photos)
    parts = {split: load_flickr8k(root, split, strict=True) for split in SPLITS}
    assert {split: len(part) for split, part in parts.items()} == {"train": 12, "val": 6, "test": 6}
    for split, part in parts.items():
        check_pairs(part)
        assert (part.name, part.split, part.skipped) == (f"flickr8k:{root}", split, ())
    everything = load_flickr8k(root, "all")
    assert pairs(everything) == {k: v for part in parts.values() for k, v in pairs(part).items()}
    assert parts["val"].captions[0] == ("Photo 12 , wording 0 .", "Photo 12 , wording 1 .")


def test_flickr8k_without_a_list_says_which(tmp_path):
    root = flickr(tmp_path)
    (root / "Flickr8k_text" / "Flickr_8k.testImages.txt").unlink()
    with pytest.raises(InputError, match=r"Flickr_8k\.testImages\.txt: there is no such file"):
        load_flickr8k(root, "test")
    assert len(load_flickr8k(root, "all")) == 18


def test_val_is_held_out_where_there_is_no_test_split_alone(tmp_path):
    root = flickr(tmp_path)

    def found(strict=False):
        recipe = load_recipe("flickr8k", [f"data.name=flickr8k:{root}"])
        return held_out(Run(tmp_path, recipe, None, strict)).split

    assert found(strict=True) == "test"
    (root / "Flicker8k_Dataset" / "photo_20.jpg").write_bytes(b"")
    assert found() == "test"
    with pytest.raises(InputError, match=r"damaged photo: 1 of them, first .*photo_20\.jpg"):
        found(strict=True)
    (root / "Flickr8k_text" / "Flickr_8k.testImages.txt").unlink()
    assert found(strict=True) == "val"


def test_the_real_flickr8k(real_data):
    root = real_data / "flickr8k"
    if not root.is_dir():
        pytest.skip("RNNEDGE_DATA has no folder flickr8k")
    val = load_captions(f"flickr8k:{root}", "val", strict=True)
    assert len(val) == 1000
    assert {len(group) for group in val.captions} == {5}
    said = dict(line.split("\t") for line in lines(root / "Flickr8k_text" / "Flickr8k.token.txt"))
    for index in range(0, 1000, 100):
        name = val.ids[index]
        assert val.captions[index] == tuple(said[f"{name}#{k}"].strip() for k in range(5))
        folder = root / "Flicker8k_Dataset"
        assert np.array_equal(val.images[index], cv2.imread(str(folder / name)))
    listed = lines(root / "Flickr8k_text" / "Flickr_8k.devImages.txt")
    assert val.ids == sorted(listed)


@pytest.mark.parametrize("year", [2014, 2017])
def test_coco_halves_its_val(tmp_path, year):
    root = coco(tmp_path, year)
    parts = {split: load_coco_captions(root, split, strict=True) for split in SPLITS}
    for part in parts.values():
        check_pairs(part)
        assert all(len(group) == 2 and group[0].endswith("wording 0 .") for group in part.captions)
    assert len(parts["train"]) == 10
    assert len(parts["val"]) + len(parts["test"]) == 20
    assert min(len(parts["val"]), len(parts["test"])) >= 5
    assert not set(parts["val"].ids) & set(parts["test"].ids)
    assert len(load_coco_captions(root, "all")) == 30


def test_coco_keeps_to_one_year(tmp_path):
    # 2014's val photos are in 2017's train: a mixture would test on what was trained.
    root = coco(coco(tmp_path, 2014), 2017, parts=(("train", 10),))
    with pytest.raises(InputError, match=r"captions_val2017\.json: there is no such file"):
        load_coco_captions(root, "val")
    assert len(load_coco_captions(root, "all")) == 10


def test_a_table_is_split_by_photo(tmp_path):
    root = table(tmp_path, 60)
    parts = {split: pairs(load_caption_csv(root, split, strict=True)) for split in SPLITS}
    for split in SPLITS:
        check_pairs(load_caption_csv(root, split))
    assert sum(map(len, parts.values())) == 60
    assert len(parts["train"]) > 30
    photo(root / "photos" / "60.jpg", 60)
    with (root / "captions.csv").open("a") as file:
        file.write('./photos/60.jpg,"Photo 60 , more"\nphotos/60.jpg,"Photo 60 , again"\n')
    more = {split: pairs(load_caption_csv(root, split)) for split in SPLITS}
    assert [split for split in SPLITS if more[split] != parts[split]] == ["train"]
    assert more["train"]["photos/60.jpg"] == ("Photo 60 , more", "Photo 60 , again")


# Pairs


def test_the_order_of_lines_changes_no_pair_of_flickr8k(tmp_path):
    root = flickr(tmp_path)
    before = {split: pairs(load_flickr8k(root, split)) for split in SPLITS}
    for path in (root / "Flickr8k_text").iterdir():
        shuffle(path)
    for split in SPLITS:
        after = load_flickr8k(root, split)
        check_pairs(after)
        assert list(pairs(after).items()) == list(before[split].items())


def test_the_order_of_entries_changes_no_pair_of_coco(tmp_path):
    root = coco(tmp_path)
    before = {split: pairs(load_coco_captions(root, split)) for split in SPLITS}
    for path in (root / "annotations").iterdir():
        content = json.loads(path.read_text())
        for key in ("images", "annotations"):
            random.Random(7).shuffle(content[key])
        path.write_text(json.dumps(content))
    for split in SPLITS:
        assert pairs(load_coco_captions(root, split)) == before[split]


def test_the_order_of_rows_changes_no_pair_of_a_table(tmp_path):
    root = table(tmp_path)
    before = {split: pairs(load_caption_csv(root, split)) for split in SPLITS}
    header, *rows = lines(root / "captions.csv")
    random.Random(3).shuffle(rows)
    (root / "captions.csv").write_text("\r\n".join(["\ufeff" + header, *rows]))
    for split in SPLITS:
        after = load_caption_csv(root, split)
        check_pairs(after)
        assert {k: sorted(v) for k, v in pairs(after).items()} == {
            k: sorted(v) for k, v in before[split].items()
        }


# Missing and damaged


def test_missing_photos_are_counted_or_refused(tmp_path):
    root = flickr(tmp_path)
    for i in (3, 5):
        (root / "Flicker8k_Dataset" / f"photo_{i:02d}.jpg").unlink()
    data = load_flickr8k(root)
    check_pairs(data)
    assert len(data) == 10
    assert [reason.rpartition("/")[2] for reason in data.skipped] == ["photo_03.jpg", "photo_05.jpg"]
    assert all(reason.startswith("missing photo: ") for reason in data.skipped)
    with pytest.raises(InputError, match=r"data=flickr8k:.*missing photo: 2 of them, first .*photo_03\.jpg"):
        load_flickr8k(root, strict=True)
    assert len(load_flickr8k(root, "val", strict=True)) == 6


def test_damaged_photos_are_counted_or_refused(tmp_path):
    root = flickr(tmp_path)
    folder = root / "Flicker8k_Dataset"
    whole = (folder / "photo_03.jpg").read_bytes()
    (folder / "photo_00.jpg").write_bytes(b"")
    (folder / "photo_01.jpg").write_text("<html>404</html>")
    (folder / "photo_02.jpg").write_bytes(whole[: len(whole) // 2])
    data = load_flickr8k(root)
    check_pairs(data)
    assert data.ids[0] == "photo_03.jpg"
    assert len(data.skipped) == 3
    with pytest.raises(InputError, match=r"damaged photo: 3 of them, first .*photo_00\.jpg"):
        load_flickr8k(root, strict=True)


def test_a_photo_that_breaks_while_it_is_read_names_its_file(tmp_path):
    root = flickr(tmp_path)
    inner = root / "Flicker8k_Dataset" / "photo_04.jpg"
    content = inner.read_bytes()
    # Its beginning and its end are those of a photo; what lies between is not.
    inner.write_bytes(content[:4] + bytes(200) + content[-2:])
    data = load_flickr8k(root, strict=True)
    with pytest.raises(SourceError, match=r"photo_04\.jpg"):
        data.images[4]
    assert data.images[5].shape == (9, 13, 3)


def test_empty_captions_are_counted_or_refused_by_line(tmp_path):
    root = table(tmp_path)
    with (root / "captions.csv").open("a") as file:
        file.write("photos/00.jpg,\nphotos/01.jpg,  \n")
    data = load_caption_csv(root, "all")
    check_pairs(data)
    assert [len(group) for group in data.captions] == [2] * 30
    assert data.skipped == tuple(
        f"empty caption: {root}/captions.csv: line {line} (photos/{name}.jpg)"
        for line, name in ((62, "00"), (63, "01"))
    )
    with pytest.raises(InputError, match=r"empty caption: 2 of them, first .*captions\.csv: line 62"):
        load_caption_csv(root, "all", strict=True)


def test_a_photo_without_a_caption_is_left_out(tmp_path):
    root = flickr(tmp_path)
    tokens = root / "Flickr8k_text" / "Flickr8k.token.txt"
    tokens.write_text("\n".join(line for line in lines(tokens) if not line.startswith("photo_07")))
    data = load_flickr8k(root)
    assert len(data) == 11
    assert data.skipped[0].startswith("photo without a caption: ")
    with pytest.raises(InputError, match=r"photo without a caption: 1 of them, first .*photo_07\.jpg"):
        load_flickr8k(root, strict=True)


def test_photos_of_absurd_sizes_and_kinds_load(tmp_path):
    cv2.imwrite(str(tmp_path / "dot.png"), np.full((1, 1, 3), 200, np.uint8))
    cv2.imwrite(str(tmp_path / "huge.jpg"), np.full((9000, 12000), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((5, 6), 30, np.uint8))
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((5, 6, 4), 30 * 256, np.uint16))
    names = ["deep.png", "dot.png", "grey.png", "huge.jpg"]
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(f"{name},a wall\n" for name in names))
    data = load_caption_csv(tmp_path, "all", strict=True)
    assert data.ids == names
    assert [image.shape for image in data.images] == [(5, 6, 3), (1, 1, 3), (5, 6, 3), (9000, 12000, 3)]
    assert {image.dtype for image in data.images} == {np.dtype(np.uint8)}


def test_a_file_is_looked_at_without_being_decoded(tmp_path):
    photo(tmp_path / "a.png", 3)
    photo(tmp_path / "b.jpg", 3)
    assert looks_whole(tmp_path / "a.png")
    assert looks_whole(tmp_path / "b.jpg")
    assert not looks_whole(tmp_path / "c.jpg")
    (tmp_path / "c.jpg").write_bytes((tmp_path / "a.png").read_bytes()[:-12])
    assert not looks_whole(tmp_path / "c.jpg")


# Lines that cannot be understood


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("photo_00.jpg a wall", ["line 49", "'photo_00.jpg a wall'", "NAME.jpg#NUMBER"]),
        ("photo_00.jpg\ta wall", ["line 49", "NAME.jpg#NUMBER"]),
        ("photo_00.jpg#x\ta wall", ["line 49", "NAME.jpg#NUMBER"]),
        ("#0\ta wall", ["line 49", "NAME.jpg#NUMBER"]),
        ("photo_00.jpg#1\ta wall", ["line 49", "photo_00.jpg#1 is there twice"]),
    ],
)
def test_a_malformed_line_of_flickr8k_is_named(tmp_path, line, words):
    root = flickr(tmp_path)
    with (root / "Flickr8k_text" / "Flickr8k.token.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(InputError) as error:
        load_flickr8k(root)
    for word in ["Flickr8k.token.txt", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["line 1", "no column image, caption"]),
        ("file,caption\na.jpg,a wall\n", ["line 1", "no column image"]),
        ("image,caption\na.jpg,a wall, a door\n", ["line 2", "quote a caption"]),
        ("image,caption\na.jpg\n", ["line 2", "must have an image and a caption"]),
        ("image,caption\n,a wall\n", ["line 2", "must have an image and a caption"]),
        ('image,caption\na.jpg,"a wall\n', ["line 2", "CSV"]),
        ("image,caption\n", ["split 'train' has no photos with captions (0 listed)"]),
        ("image,caption\na.jpg,a wall\n", ["has no photos", "1 listed", "missing photo", "a.jpg"]),
    ],
)
def test_a_malformed_table_is_named(tmp_path, text, words):
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(InputError) as error:
        load_caption_csv(tmp_path)
    for word in words:
        assert word in str(error.value)


IMAGES = [{"id": 1, "file_name": "a.jpg"}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", ["is not JSON"]),
        ("[]", ["has no list 'images'"]),
        (json.dumps({"images": IMAGES}), ["has no list 'annotations'"]),
        (json.dumps({"images": [{"id": "1"}], "annotations": []}), ["images[0]", "id must be a number"]),
        (
            json.dumps({"images": IMAGES, "annotations": [{"id": 1, "image_id": 1}]}),
            ["annotations[0]", "caption must be a text"],
        ),
        (
            json.dumps({"images": IMAGES, "annotations": [{"id": 1, "image_id": 2, "caption": "a wall"}]}),
            ["annotations[0]", "image_id=2"],
        ),
    ],
)
def test_a_malformed_coco_file_is_named(tmp_path, content, words):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "captions_train2017.json").write_text(content)
    with pytest.raises(InputError) as error:
        load_coco_captions(tmp_path)
    for word in ["captions_train2017.json", *words]:
        assert word in str(error.value)


def test_folders_that_are_not_what_they_should_be(tmp_path):
    for load, words in (
        (load_flickr8k, ["flickr8k:", "no folder Flicker8k_Dataset or Flickr8k_Dataset"]),
        (load_coco_captions, ["captions_train2017.json: there is no such file"]),
        (load_caption_csv, ["captions.csv: there is no such file"]),
    ):
        with pytest.raises(InputError) as error:
            load(tmp_path)
        assert all(word in str(error.value) for word in words)
        with pytest.raises(InputError, match="is not a folder"):
            load(tmp_path / "nothing")
        with pytest.raises(InputError, match="split='dev'"):
            load(tmp_path, "dev")
    (tmp_path / "captions.csv").write_bytes(b"image,caption\na.jpg,caf\xe9\n")
    with pytest.raises(InputError, match=r"captions\.csv: cannot be read as text in UTF-8"):
        load_caption_csv(tmp_path)
