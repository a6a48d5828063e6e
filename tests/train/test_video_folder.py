"""Folders of videos by class: the layouts of UCF101, Weizmann and Jester, splits by group and by fold."""

import shutil

import numpy as np
import pytest
from films import OPTIONS, PREPROCESS, film, numbers, pictures

from rnnedge.data import ClipOptions, load_clips
from rnnedge.data.split import split_by_fold
from rnnedge_device.errors import InputError

SPLITS = ("train", "val", "test")
GROUP = r"_g(\d+)_"


def load(root, split="all", clip=OPTIONS, **more):
    more.setdefault("cache", root.parent / "cache")
    return load_clips(f"videos:{root}", split, preprocess=PREPROCESS, clip=clip, **more)


def ucf(root, classes=("Archery", "Biking"), groups=20, each=2):
    """UCF101's names; the groups count through each class."""
    for start, name in enumerate(classes):
        for group in range(1, groups + 1):
            for number in range(1, each + 1):
                film(root / name / f"v_{name}_g{group:02d}_c{number:02d}.avi", 4, start=10 + 100 * start)
    return root


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return ucf(tmp_path_factory.mktemp("ucf") / "UCF-101")


def test_classes_paths_and_frames(videos):
    clips = load(videos)
    assert clips.names == ["Archery", "Biking"]
    assert np.bincount(clips.labels).tolist() == [40, 40]
    assert clips.rate == 10
    assert clips.name == f"videos:{videos}"
    clip = next(c for c in clips.clips if c.id == "Biking/v_Biking_g07_c02.avi")
    assert clip.label == 1
    assert clip.path == str(videos / clip.id)
    assert numbers(clip.frames[:], 110) == [0, 1, 2, 3]
    assert np.allclose(clip.ts_ms, [0, 100, 200, 300])
    assert clip.frame_labels is None
    assert clip.labels.tolist() == [1, 1, 1, 1]


def test_splits_by_group_are_disjoint_and_complete(videos):
    parts = {split: load(videos, split, group=GROUP) for split in SPLITS}
    groups = [{clip.group for clip in part.clips} for part in parts.values()]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups)) == 20
    assert sum(map(len, parts.values())) == 80
    # The check can fail: without a pattern each video falls for itself.
    alone = [{c.id.split("_")[2] for c in load(videos, split).clips} for split in SPLITS]
    assert sum(map(len, alone)) > 20


def test_every_group_is_tested_in_one_fold(videos):
    tested = []
    for fold in range(4):
        parts = [
            {c.group for c in load(videos, split, group=GROUP, fold=fold, folds=4).clips} for split in SPLITS
        ]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 20
        assert [len(part) for part in parts] == [12, 3, 5]
        tested += sorted(parts[2])
    assert sorted(tested) == [f"{i:02d}" for i in range(1, 21)]


def test_folds_that_cannot_be():
    for fold, folds in ((4, 4), (0, 0), (0, 1)):
        with pytest.raises(InputError, match=f"fold={fold}, folds={folds}"):
            split_by_fold(["a", "b", "c", "d", "e"], "test", fold=fold, folds=folds)
    with pytest.raises(InputError, match="there are 2 groups only"):
        split_by_fold(["a1", "a2", "b1"], "test", fold=0, folds=3, group=r"[ab]")


def test_frame_folders_and_nested_folders(tmp_path):
    root = tmp_path / "jester"
    for index in range(3):
        pictures(root / "Swiping Left" / str(1000 + index), 6, "{:05d}.jpg")
        film(root / "Swiping Right" / "day 1" / f"{index}.avi", 6)
    (root / "Swiping Right" / ".thumbnails").mkdir()
    film(root / "Swiping Right" / ".thumbnails" / "0.avi", 2)
    pictures(root / "Swiping Right" / "day 1", 2, "thumbnail{}.png")
    (root / "Swiping Left" / "notes.txt").write_text("x")
    clips = load(root, clip=ClipOptions(fps=12.0, stride=3))
    assert [c.id for c in clips.clips if c.label == 0] == [f"Swiping Left/{1000 + i}" for i in range(3)]
    assert [c.id for c in clips.clips if c.label == 1] == [f"Swiping Right/day 1/{i}.avi" for i in range(3)]
    assert clips.clips[0].ts_ms.tolist() == [0, 250]
    assert numbers(clips.clips[0].frames[:]) == [0, 3]


def test_classes_gather_sub_folders(tmp_path):
    root = ucf(tmp_path / "v", ("run", "jog", "walk", "skip"), 3, 1)
    clips = load(root, classes={"fast": ["run", "jog"], "slow": ["walk"]})
    assert clips.names == ["fast", "slow"]
    assert {c.id.split("/")[0]: c.label for c in clips.clips} == {"run": 0, "jog": 0, "walk": 1}
    assert len(clips) == 9


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"fast": ["run"], "slow": ["crawl"]}, "slow: no label 'crawl' occurs; allowed: run, walk"),
        ({"fast": ["run"], "slow": []}, "slow gathers no label"),
        ({"fast": ["run", "walk"], "slow": ["walk"]}, "'walk' is gathered by both fast and slow"),
        ({"all": ["run", "walk"]}, r"videos of one class only \(all\)"),
    ],
)
def test_classes_that_do_not_fit(tmp_path, classes, words):
    with pytest.raises(InputError, match=words):
        load(ucf(tmp_path / "v", ("run", "walk"), 1, 1), classes=classes)


def test_background_must_be_a_class(videos):
    assert load(videos, clip=ClipOptions(background="Biking")).names == ["Archery", "Biking"]
    with pytest.raises(InputError, match="background='none': is no class"):
        load(videos, clip=ClipOptions(background="none"))


def test_damaged_videos_are_left_out(tmp_path):
    root = ucf(tmp_path / "v", groups=3)
    bad = root / "Biking" / "v_Biking_g01_c01.avi"
    bad.write_bytes(bad.read_bytes()[:200])
    clips = load(root)
    assert clips.skipped == ["Biking/v_Biking_g01_c01.avi"]
    assert len(clips) == 11
    with pytest.raises(InputError, match=f"{bad}: cannot be decoded"):
        load(root, strict=True)


def test_empty_folders(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        load(tmp_path / "nowhere")
    root = tmp_path / "v"
    (root / "a").mkdir(parents=True)
    pictures(root / "a", 3)  # pictures of a class, but no folder of frames
    with pytest.raises(InputError, match="no class sub-folder with videos"):
        load(root)
    film(root / "b" / "x.avi", 2)
    with pytest.raises(InputError, match=r"one class only \(b\)"):
        load(root)
    film(root / "c" / "x.avi", 2)
    told = []
    for split in SPLITS:
        try:
            told.append(str(len(load(root, split))))
        except InputError as error:
            told.append(str(error))
    assert any("has no videos (2 in all splits, 0 damaged here)" in text for text in told)


def test_real_clips_of_signs(real_data, tmp_path):
    source = real_data / "camera_videos" / "asl_gestures"
    if not source.is_dir():
        pytest.skip("no camera_videos/asl_gestures in RNNEDGE_DATA")
    for word in ("again", "milk"):
        (tmp_path / "v" / word).mkdir(parents=True)
        shutil.copy(source / f"{word}.mkv", tmp_path / "v" / word)
    clips = load(tmp_path / "v", clip=ClipOptions(fps=15.0, stride=2))
    assert clips.names == ["again", "milk"]
    # 77 and 49 frames at 30 a second.
    assert [len(clip) for clip in clips.clips] == [20, 13]
    for clip in clips.clips:
        assert np.all(abs(clip.ts_ms - np.arange(len(clip)) * 1000 / 7.5) <= 17)
        assert clip.frames[:].std() > 20
