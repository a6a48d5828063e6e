"""Motion: drawn the same every time, scans apart, one frame alone tells nothing and two tell much."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from rnnedge.data import ClipOptions, load_clips
from rnnedge.data.digits import load_digits
from rnnedge.data.motion import COUNTS, LEAST, MOST, NAMES, SIDE, motion_video
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

PREPROCESS = Preprocess((SIDE, SIDE))


def motion(split, preprocess=PREPROCESS, **options):
    return load_clips("motion", split, preprocess=preprocess, clip=ClipOptions(**options))


@pytest.fixture(scope="module")
def parts():
    return {split: motion(split) for split in COUNTS}


def test_counts_classes_and_lengths(parts):
    assert {split: len(part) for split, part in parts.items()} == COUNTS
    for part in parts.values():
        assert part.names == NAMES
        assert len(NAMES) == 12
        assert set(np.bincount(part.labels)) == {len(part) // 12}
        assert {len(clip) for clip in part.clips} == set(range(12, 25))
        assert part.rate == 10
    clip = parts["val"].clips[5]
    assert np.allclose(clip.ts_ms, np.arange(len(clip)) * 100)
    assert clip.frame_labels is None
    assert [(t.start_ms, t.end_ms, t.label) for t in clip.truths] == [(0, 100 * len(clip), clip.label)]


def test_all_is_every_part(parts):
    ids = [clip.id for clip in motion("all").clips]
    assert ids == [clip.id for part in parts.values() for clip in part.clips]
    assert len(set(ids)) == sum(COUNTS.values())


def test_frames_are_drawn_the_same_every_time(parts):
    again = motion("test")
    for index in (0, 11, 599):
        one, two = parts["test"].clips[index].frames, again.clips[index].frames
        pixels = one[:]
        assert pixels.shape == (len(one), SIDE, SIDE, 1)
        assert pixels.dtype == np.uint8
        assert np.array_equal(two[:], pixels)
        assert np.array_equal(two[3:5], pixels[3:5])
        assert np.array_equal(two[np.array([7, 2, 2])], pixels[[7, 2, 2]])
    assert not np.array_equal(parts["test"].clips[0].frames[:12], parts["val"].clips[0].frames[:12])


def test_each_part_draws_its_own_scans(parts):
    for split, part in parts.items():
        scans = {image.tobytes() for image in load_digits(split).images}
        assert {clip.frames.scene.scan.tobytes() for clip in part.clips} <= scans
    assert len({clip.frames.scene.scan.tobytes() for clip in parts["train"].clips}) > 900


def test_model_size_and_colour():
    clip = motion("val", Preprocess((24, 20), color="rgb")).clips[3]
    assert clip.frames[:2].shape == (2, 24, 20, 3)
    native = motion("val").clips[3].frames[:2]
    assert abs(clip.frames[:2].mean() - native.mean()) < 3


def test_a_rate_changes_the_sampling_not_the_motion(parts):
    slow = motion("val", stride=2)
    assert slow.rate == 5
    for index in range(24):
        fast_poses = parts["val"].clips[index].frames.scene.poses[::2]
        slow_poses = slow.clips[index].frames.scene.poses
        count = min(len(fast_poses), len(slow_poses))
        assert count >= 6
        assert abs(np.diff(fast_poses[:count], axis=0) - np.diff(slow_poses[:count], axis=0)).max() < 0.15
        assert abs(fast_poses[0] - slow_poses[0]).max() < 1


def accuracy(x, y, x_test, y_test):
    return RandomForestClassifier(30, min_samples_leaf=5, random_state=0).fit(x, y).score(x_test, y_test)


@pytest.mark.parametrize("place", [0, -1])
def test_one_frame_does_not_tell_the_motion(parts, place):
    x, x_test = (
        np.stack([clip.frames[[place]].reshape(-1)[::4] for clip in parts[split].clips])
        for split in ("train", "test")
    )
    assert accuracy(x, parts["train"].labels, x_test, parts["test"].labels) < 0.2


@pytest.mark.parametrize("place", [0, 5, -1])
def test_not_even_the_exact_pose_tells_the_motion(parts, place):
    x, x_test = (
        np.stack([clip.frames.scene.poses[place] for clip in parts[split].clips])
        for split in ("train", "test")
    )
    assert accuracy(x, parts["train"].labels, x_test, parts["test"].labels) < 0.22


def test_the_change_of_the_pose_tells_the_motion(parts):
    def changes(clip):
        steps = np.diff(clip.frames.scene.poses[:, :3], axis=0)
        return np.concatenate([steps.sum(axis=0), steps.std(axis=0)])

    x, x_test = (np.stack([changes(clip) for clip in parts[split].clips]) for split in ("train", "test"))
    assert accuracy(x, parts["train"].labels, x_test, parts["test"].labels) > 0.97


def test_scans_stay_in_the_frame(parts):
    for clip in parts["test"].clips:
        poses = clip.frames.scene.poses
        assert np.all(poses >= LEAST)
        assert np.all(poses <= MOST)
    for index in range(0, 600, 37):
        frames = parts["test"].clips[index].frames[:][..., 0].astype(int)
        assert np.all(frames.max(axis=(1, 2)) > 70 + np.median(frames, axis=(1, 2)))


def test_every_frame_labelled_makes_runs_of_motions():
    clips = motion("val", head="every")
    firsts = [clip.truths[0].label for clip in clips.clips]
    assert set(np.bincount(firsts)) == {40}
    assert np.bincount(clips.labels, minlength=12).min() > 10
    for clip in clips.clips[:48]:
        labels = [truth.label for truth in clip.truths]
        assert len(labels) == 3
        assert clip.label == clip.frame_labels[-1] == labels[-1]
        assert np.all(np.diff(labels) != 0)
        for truth in clip.truths:
            assert np.all(clip.frame_labels[truth.span(clip.ts_ms)] == truth.label)
            assert 12 <= len(clip.ts_ms[truth.span(clip.ts_ms)]) <= 24
        # One scan goes on from where it is.
        steps = np.diff(clip.frames.scene.poses, axis=0)
        assert abs(steps[:, :2]).max() < 8
        assert abs(steps[:, 2]).max() < 0.07
        assert np.all(clip.frames.scene.poses <= MOST)
        assert len(clip.frames) == len(clip.frame_labels)


@pytest.mark.parametrize("cuts", [True, False])
def test_motion_video(cuts):
    video = motion_video(8, fps=20.0, seed=3, cuts=cuts)
    again = motion_video(8, fps=20.0, seed=3, cuts=cuts)
    assert np.array_equal(video.frames, again.frames)
    assert not np.array_equal(video.frames[:20], motion_video(8, fps=20.0, seed=4, cuts=cuts).frames[:20])
    assert video.frames.shape == (len(video.ts_ms), SIDE, SIDE)
    assert video.frames.dtype == np.uint8
    assert np.allclose(np.diff(video.ts_ms), 50)
    assert len(video.truths) == 8
    assert video.truths[0].start_ms == 0
    assert video.truths[-1].end_ms == pytest.approx(video.ts_ms[-1] + 50)
    for before, after in zip(video.truths, video.truths[1:], strict=False):
        assert before.end_ms == after.start_ms
        assert before.label != after.label
        assert 1200 <= before.end_ms - before.start_ms <= 2400
    change = abs(np.diff(video.frames.astype(int), axis=0)).mean(axis=(1, 2))
    borders = [round(truth.end_ms / 50) - 1 for truth in video.truths[:-1]]
    if cuts:  # another background: each border changes more than most steps within
        assert min(change[borders]) > np.median(np.delete(change, borders))
        assert np.mean(change[borders]) > 2 * np.median(np.delete(change, borders))
    else:
        assert np.mean(change[borders]) < 2 * np.median(np.delete(change, borders))


@pytest.mark.parametrize(
    ("spec", "arguments", "options", "words"),
    [
        ("motion", {"group": "x"}, {}, "group: is for videos:PATH"),
        ("motion", {"classes": {"a": ["north"]}}, {}, "classes: is for"),
        ("motion", {"fold": 0, "folds": 4}, {}, "fold: is for"),
        ("motion", {}, {"background": "still"}, "background: is for"),
        ("motion:x", {}, {}, "'motion:x': must be one of motion, videos:PATH, events:PATH"),
        ("digits", {}, {}, "'digits'"),
        ("videos", {}, {}, "needs the path"),
        ("motion", {}, {"fps": 0.0}, "fps=0.0"),
        ("motion", {}, {"fps": float("nan")}, "fps=nan"),
        ("motion", {}, {"stride": 0}, "stride=0"),
        ("motion", {}, {"length": 0}, "length=0"),
        ("motion", {}, {"head": "first"}, "head='first': must be one of last, every, both"),
        ("motion", {}, {"max_gap_ms": 0.0}, "max_gap_ms=0"),
    ],
)
def test_bad_names_and_options(spec, arguments, options, words):
    with pytest.raises(InputError, match=words):
        load_clips(spec, "val", preprocess=PREPROCESS, clip=ClipOptions(**options), **arguments)


def test_bad_split():
    with pytest.raises(InputError, match="split='dev'"):
        motion("dev")
