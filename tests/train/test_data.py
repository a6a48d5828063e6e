"""Data sets: splits that stay put, damaged files, wrong arrays, Keras's own cache."""

import gzip
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest

from rnnedge.data import Dataset, load_data
from rnnedge.data.batches import to_inputs, to_pixels
from rnnedge.data.split import group_key, split_by_class, split_by_hash, stable_fraction
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

SPLITS = ("train", "val", "test")


def three(spec, **options):
    return {split: load_data(spec, split, **options) for split in SPLITS}


def folder(root, classes=("a", "b"), count=40, pattern="img_{:03d}.png"):
    """A folder of class sub-folders of small images; returns its data spec."""
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            cv2.imwrite(str(root / name / pattern.format(i)), rng.integers(0, 255, (6, 7, 3), np.uint8))
    return f"folder:{root}"


# digits


def test_digits_splits_are_disjoint_complete_and_stratified():
    parts = three("digits")
    ids = [set(part.ids) for part in parts.values()]
    assert sum(map(len, ids)) == len(set.union(*ids)) == 1797
    assert {k: len(v) for k, v in parts.items()} == {"train": 1258, "val": 180, "test": 359}
    for part in parts.values():
        share = np.bincount(part.labels, minlength=10) / len(part)
        assert np.all(abs(share - 0.1) < 0.02)
    image = parts["train"].images[0]
    assert image.shape == (8, 8)
    assert image.dtype == np.uint8
    assert max(im.max() for im in parts["train"].images) == 255


def test_digits_splits_never_change():
    # These very images: a change would put tested images into training without a notice.
    assert load_data("digits", "test").ids[:4] == DIGITS_TEST
    assert np.array_equal(load_data("digits", "val").images, load_data("digits", "val").images)
    assert stable_fraction("digits/0000") == pytest.approx(FRACTION, abs=1e-12)


DIGITS_TEST = ["digits/0005", "digits/0007", "digits/0016", "digits/0017"]
FRACTION = 0.4677098159473213


# folders


def test_folder_reads_classes_and_colour(tmp_path):
    spec = folder(tmp_path, ("cat", "dog"), 20)
    data = load_data(spec, "all")
    assert data.names == ["cat", "dog"]
    assert len(data) == 40
    index = data.ids.index("dog/img_003.png")
    assert data.labels[index] == 1
    assert np.array_equal(data.images[index], cv2.imread(str(tmp_path / "dog/img_003.png")))


def test_folder_splits_are_disjoint_and_complete(tmp_path):
    parts = three(folder(tmp_path))
    ids = [set(part.ids) for part in parts.values()]
    assert sum(map(len, ids)) == len(set.union(*ids)) == 80
    assert len(parts["train"]) > len(parts["test"]) > 0


def test_folder_split_stays_when_files_and_classes_are_added(tmp_path):
    spec = folder(tmp_path, ("b", "d"), 30)
    before = three(spec)
    folder(tmp_path, ("b", "d"), 60)
    folder(tmp_path, ("a", "c"), 10)
    after = three(spec)
    for split in SPLITS:
        assert set(before[split].ids) <= set(after[split].ids)
        assert len(after[split]) > len(before[split])


def test_groups_stay_on_one_side(tmp_path):
    folder(tmp_path, ("a", "b"), 60, "person{:03d}_x.png")
    for i in range(60):  # person000 .. person009 have twelve images in all
        for name in ("a", "b"):
            os.rename(
                tmp_path / name / f"person{i:03d}_x.png", tmp_path / name / f"person{i // 6:03d}_{i}.png"
            )
    parts = three(f"folder:{tmp_path}", group=r"person(\d+)_")
    people = {split: {p.split("/")[1][:9] for p in part.ids} for split, part in parts.items()}
    assert sum(len(p) for p in people.values()) == len(set.union(*people.values())) == 10
    assert sum(map(len, parts.values())) == 120


def test_without_groups_people_are_mixed():
    # The check above can fail: single images of one person do fall on different sides.
    names = [f"a/person{i // 6:03d}_{i}.png" for i in range(60)]
    sides = {split: split_by_hash(names, split, val=0.15, test=0.15) for split in SPLITS}
    people = [{names[i][2:11] for i in side} for side in sides.values()]
    assert sum(map(len, people)) > len(set.union(*people))


def test_group_patterns():
    assert group_key("a/IMG_1118_3.png", r"IMG_(\d+)\d_") == "111"
    assert group_key("a/IMG_1118_3.png", r"IMG_11") == "IMG_11"
    assert group_key("a/x_1_2.png", r"_(\d)_(\d)") != group_key("a/x_1_3.png", r"_(\d)_(\d)")
    with pytest.raises(InputError, match=r"group='\('.*regular expression"):
        group_key("a", "(")
    with pytest.raises(InputError, match=r"group='x'.*does not match 'a/b\.png'"):
        group_key("a/b.png", "x")


@pytest.fixture
def sign_digits():
    root = Path(os.environ.get("RNNEDGE_DATA", "")) / "sign_digits"
    if not os.environ.get("RNNEDGE_DATA") or not root.is_dir():
        pytest.skip("RNNEDGE_DATA is unset or has no sign_digits")
    return root


def test_sign_digits_by_block_of_numbers(sign_digits):
    parts = three(f"folder:{sign_digits}", group=r"IMG_(\d+)\d\d_")
    blocks = [{p.split("IMG_")[1][:2] for p in part.ids} for part in parts.values()]
    assert not set.intersection(*blocks)
    assert sum(map(len, blocks)) == len(set.union(*blocks))
    assert sum(map(len, parts.values())) == 1641
    assert all(set(part.labels) == set(range(10)) for part in parts.values())


def damage(root):
    """Three damaged files of class a, of three kinds."""
    files = sorted((root / "a").glob("*.png"))[:3]
    files[0].write_bytes(b"")
    files[1].write_bytes(b"not an image")
    files[2].write_bytes(files[2].read_bytes()[:-40])  # cut off
    return sorted(f"a/{f.name}" for f in files)


def test_damaged_images_are_skipped_reported_and_counted(tmp_path, caplog):
    spec = folder(tmp_path)
    bad = damage(tmp_path)
    data = load_data(spec, "all")
    assert sorted(data.skipped) == bad
    assert len(data) == 77
    assert all(str(tmp_path / path) in caplog.text for path in bad)
    assert not set(bad) & set(data.ids)


def test_strict_stops_at_a_damaged_image(tmp_path):
    spec = folder(tmp_path)
    bad = damage(tmp_path)
    with pytest.raises(InputError, match=f"{bad[0]}: cannot be decoded"):
        load_data(spec, "all", strict=True)


def test_cut_off_jpeg_is_damaged(tmp_path):
    spec = folder(tmp_path, count=10, pattern="{:02d}.jpg")
    path = tmp_path / "b" / "04.jpg"
    path.write_bytes(path.read_bytes()[:-30])
    assert load_data(spec, "all").skipped == ["b/04.jpg"]


@pytest.mark.parametrize("make", ["nothing", "no_images", "empty_classes"])
def test_empty_folder(tmp_path, make):
    if make == "no_images":
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "notes.txt").write_text("x")
    if make == "empty_classes":
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="no class sub-folder with images"):
        load_data(f"folder:{tmp_path}", "train")


def test_one_class_and_missing_folder(tmp_path):
    spec = folder(tmp_path, ("only",), 5)
    with pytest.raises(InputError, match=r"one class only \(only\)"):
        load_data(spec, "train")
    with pytest.raises(InputError, match="is not a folder"):
        load_data(f"folder:{tmp_path / 'nowhere'}", "train")


def test_split_without_images_says_so(tmp_path):
    spec = folder(tmp_path, count=1)
    counts = {}
    for split in SPLITS:
        try:
            counts[split] = len(load_data(spec, split))
        except InputError as error:
            counts[split] = str(error)
    told = [c for c in counts.values() if isinstance(c, str)]
    assert told
    assert all("has no images (2 files in all splits" in text for text in told)


# names


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("imagenet", {}, ["'imagenet'", "digits, mnist", "folder:PATH"]),
        ("folder", {}, ["'folder'", "path"]),
        ("digits:x", {}, ["'digits:x'"]),
        ("digits", {"split": "dev"}, ["split='dev'", "train, val, test, all"]),
        ("digits", {"group": "x"}, ["group='x'", "folder"]),
    ],
)
def test_bad_names(spec, options, words):
    with pytest.raises(InputError) as error:
        load_data(spec, **options)
    for word in words:
        assert word in str(error.value)


# arrays


def make(images=None, labels=None, names=("a", "b"), ids=None):
    images = np.zeros((3, 4, 4), np.uint8) if images is None else images
    labels = np.array([0, 1, 1]) if labels is None else labels
    return Dataset(images, labels, list(names), ids or ["0", "1", "2"], "set")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"images": np.zeros((3, 4, 4), np.float32)}, ["float32", "uint8"]),
        ({"images": np.zeros((3, 4, 4, 4), np.uint8)}, ["[4, 4, 4]", "[H, W, 3]"]),
        ({"images": np.zeros((3, 4), np.uint8)}, ["[4]", "[H, W]"]),
        ({"images": np.zeros((3, 0, 4), np.uint8)}, ["[0, 4]"]),
        ({"images": [np.zeros((4, 4), np.uint8)] * 2 + [np.zeros((4, 4))]}, ["float64", "uint8"]),
        ({"labels": np.array([0, 1, 2])}, ["label 2", "0 to 1"]),
        ({"labels": np.array([0, -1, 1])}, ["label -1", "0 to 1"]),
        ({"labels": np.array([0.0, 1.0, 1.0])}, ["float64", "integers"]),
        ({"labels": np.array([[0], [1], [1]])}, ["[3, 1]", "[N]"]),
        ({"labels": np.array([0, 1])}, ["3 images, 2 labels"]),
        ({"ids": ["0"]}, ["1 ids"]),
    ],
)
def test_wrong_arrays_are_named(arguments, words):
    assert len(make()) == 3
    with pytest.raises(InputError) as error:
        make(**arguments)
    for word in words:
        assert word in str(error.value)


def test_split_by_class_gives_equal_shares():
    labels = np.repeat([0, 1], [100, 50])
    names = [str(i) for i in range(150)]
    sides = {s: split_by_class(names, labels, s, val=0.1, test=0.2) for s in SPLITS}
    assert sorted(np.concatenate(list(sides.values()))) == list(range(150))
    assert np.bincount(labels[sides["test"]]).tolist() == [20, 10]
    assert np.bincount(labels[sides["val"]]).tolist() == [10, 5]


# Keras's sets


def idx(array):
    """The gzipped IDX bytes of a uint8 array, as Fashion-MNIST comes."""
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes())


def in_keras_home(home, code):
    """Run code in a process whose Keras cache is `home` and whose downloads cannot get out."""
    closed = "http://127.0.0.1:9"
    env = os.environ | {
        "KERAS_HOME": str(home),
        "KERAS_BACKEND": "jax",
        "https_proxy": closed,
        "http_proxy": closed,
    }
    env.pop("RNNEDGE_DATA", None)
    code = "import numpy as np\nfrom rnnedge.data import load_data\n" + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fashion_mnist_reads_the_keras_cache(tmp_path):
    rng = np.random.default_rng(1)
    cache = tmp_path / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    images, labels = rng.integers(0, 255, (40, 28, 28), np.uint8), np.repeat(np.arange(4, dtype=np.uint8), 10)
    for name, part in (("train", slice(0, 40)), ("t10k", slice(0, 15))):
        (cache / f"{name}-images-idx3-ubyte.gz").write_bytes(idx(images[part]))
        (cache / f"{name}-labels-idx1-ubyte.gz").write_bytes(idx(labels[part]))
    np.savez(tmp_path / "expected.npz", images=images, labels=labels)
    in_keras_home(
        tmp_path,
        f"""
        expected = np.load({str(tmp_path / "expected.npz")!r})
        test = load_data("fashion_mnist", "test")
        assert np.array_equal(test.images, expected["images"][:15])
        assert np.array_equal(test.labels, expected["labels"][:15])
        assert test.names[0] == "T-shirt/top" and len(test.names) == 10
        assert len(load_data("fashion_mnist", "all")) == 55
        train, val = (load_data("fashion_mnist", split) for split in ("train", "val"))
        assert (len(train), len(val)) == (36, 4) and not set(train.ids) & set(val.ids)
        """,
    )


def test_cifar10_reads_the_keras_cache_and_turns_rgb_to_bgr(tmp_path):
    # Keras wants the whole 60,000 images; these are a ramp in each colour plane.
    cache = tmp_path / "datasets"
    cache.mkdir()
    labels = [i % 10 for i in range(10_000)]
    planes = np.arange(10_000, dtype=np.uint8)[:, None] + np.repeat([10, 20, 30], 1024).astype(np.uint8)
    batch = pickle.dumps({b"data": planes, b"labels": labels}, protocol=4)
    with tarfile.open(cache / "cifar-10-batches-py-target_archive", "w") as archive:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(batch)
            archive.addfile(member, io.BytesIO(batch))
    in_keras_home(
        tmp_path,
        """
        from keras.src.utils import file_utils
        file_utils.validate_file = lambda *a, **k: True  # ours cannot have the real archive's digest
        test = load_data("cifar10", "test")
        assert test.images.shape == (10000, 32, 32, 3) and test.names[9] == "truck"
        assert test.images[7, 3, 4].tolist() == [37, 27, 17] and test.labels[7] == 7  # blue, green, red
        """,
    )


def test_a_set_that_cannot_be_downloaded_is_one_clear_error(tmp_path):
    said = in_keras_home(
        tmp_path,
        """
        from rnnedge_device.errors import InputError
        try:
            load_data("mnist", "test")
        except InputError as error:
            print("told:", error)
        """,
    )
    assert "told: data='mnist': keras.datasets could not load it" in said


def test_mnist_file_is_read_and_checked(tmp_path, monkeypatch):
    (tmp_path / "mnist").mkdir()
    monkeypatch.setenv("RNNEDGE_DATA", str(tmp_path))
    rng = np.random.default_rng(2)
    arrays = {
        "x_train": rng.integers(0, 255, (50, 28, 28), np.uint8),
        "y_train": np.repeat(np.arange(10, dtype=np.uint8), 5),
        "x_test": rng.integers(0, 255, (10, 28, 28), np.uint8),
        "y_test": np.arange(10, dtype=np.uint8),
    }
    path = tmp_path / "mnist" / "mnist.npz"
    np.savez(path, **arrays)
    assert np.array_equal(load_data("mnist", "test").images, arrays["x_test"])

    np.savez(path, **{k: v for k, v in arrays.items() if k != "y_test"})
    with pytest.raises(InputError, match="no array y_test"):
        load_data("mnist", "test")
    np.savez(path, **arrays | {"y_train": arrays["y_train"] + 1})
    with pytest.raises(InputError, match="label 10 is out of range"):
        load_data("mnist", "train")
    np.savez(path, **arrays | {"x_test": arrays["x_test"] / 255})
    with pytest.raises(InputError, match="float64"):
        load_data("mnist", "test")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"mnist\.npz: cannot be read"):
        load_data("mnist", "test")


# preprocessing


@pytest.mark.parametrize("color", ["gray", "rgb"])
@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_training_inputs_are_the_devices_inputs(tmp_path, color, fit):
    """The two halves that training takes are together, bit for bit, what the device computes."""
    data = load_data(folder(tmp_path, count=5), "all")
    preprocess = Preprocess((5, 9), color, fit, mean=(0.4,), std=(0.3,), invert=True)
    inputs = to_inputs(to_pixels(data, preprocess), preprocess)
    direct = np.stack([preprocess(data.images[i]) for i in range(len(data))])
    assert inputs.shape == (10, 5, 9, 1 if color == "gray" else 3)
    assert inputs.dtype == np.float32
    assert np.array_equal(inputs, direct)


def test_folder_moved_away_after_loading(tmp_path):
    data = load_data(folder(tmp_path / "x"), "all")
    shutil.rmtree(tmp_path / "x")
    with pytest.raises(InputError, match=r"img_000\.png"):
        data.images[0]
