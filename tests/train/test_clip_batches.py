"""Batches of clips: padding that weighs nothing, windows that follow one another, epochs entered anywhere."""

import numpy as np
import pytest

from rnnedge.data import Augment, Clip, ClipAugment, ClipOptions, ClipSet, load_clips
from rnnedge.data.clip_batches import ClipBatches, class_weights
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

PREPROCESS = Preprocess((3, 4), scale=1.0)
NAMES = ["left", "right", "jump"]
EVERYTHING = ClipAugment(
    Augment(shift=0.2, rotate=10.0, brightness=0.3, contrast=0.3),
    flip=True,
    jitter=0.6,
    speed=0.3,
    reverse={"left": "right", "right": "left"},
)


def clip(number, frames, label=0, frame_labels=None):
    """A clip whose pixels are its number and the frame's: even columns `number`, odd ones the frame's."""
    pixels = np.zeros((frames, 3, 4, 1), np.uint8)
    pixels[:, :, ::2] = number
    pixels[:, :, 1::2] = np.arange(frames)[:, None, None, None]
    labels = None if frame_labels is None else np.asarray(frame_labels, np.int64)
    return Clip(f"clip/{number}", label, pixels, np.arange(frames) * 100.0, labels)


def clips(*lengths):
    """Clips of these lengths with labels in turn."""
    return ClipSet([clip(i, n, i % 3) for i, n in enumerate(lengths)], NAMES, "made", "train")


def batches(data, size=2, head="last", length=4, background="", **more):
    return ClipBatches(
        data, PREPROCESS, size, ClipOptions(length=length, head=head, background=background), **more
    )


def epoch(found):
    return [found[i] for i in range(len(found))]


def shown(frames):
    """The clip and the numbers of the frames in a window, float32 `[L, h, w, c]`."""
    assert len(set(frames[:, 0, 0, 0])) == 1
    return int(frames[0, 0, 0, 0]), frames[:, 0, 1, 0].astype(int).tolist()


def same(one, two):
    return all(
        np.array_equal(a, b)
        for x, y in zip(one, two, strict=True)
        for a, b in zip(flat(x), flat(y), strict=True)
    )


def flat(batch):
    (frames, mask, keep), y, w = batch
    return frames, mask, keep, y, w


def test_shapes_and_dtypes():
    (frames, mask, keep), y, w = batches(clips(5, 3, 4, 4))[0]
    assert (frames.shape, frames.dtype) == ((2, 4, 3, 4, 1), np.float32)
    assert (mask.shape, mask.dtype) == ((2, 4), bool)
    assert (keep.shape, keep.dtype) == ((2, 1), np.float32)
    assert (y.shape, y.dtype) == ((2, 4), np.int64)
    assert (w.shape, w.dtype) == ((2, 4), np.float32)


def test_pixels_pass_the_preprocessing():
    data = clips(4, 4)
    preprocess = Preprocess((3, 4), mean=(0.5,), std=(0.25,))
    (frames, _, _), _, _ = ClipBatches(data, preprocess, 2, ClipOptions(length=4))[0]
    for window in frames:
        number = round(float(window[0, 0, 0, 0]) * 0.25 * 255 + 0.5 * 255)
        expected = [preprocess(image[:, :, 0]) for image in data.clips[number].frames]
        assert np.array_equal(window, np.stack(expected))


def test_padding_repeats_the_last_frame_and_weighs_nothing():
    for head in ("last", "every", "both"):
        (frames, mask, _), y, w = batches(clips(2, 2), head=head)[0]
        for row in range(2):
            number, numbers = shown(frames[row])
            assert numbers == [0, 1, 1, 1]
            assert mask[row].tolist() == [True, True, False, False]
            assert y[row].tolist() == [number] * 4
            expected = {"last": [0, 1, 0, 0], "every": [1, 1, 0, 0], "both": [1, 2, 0, 0]}
            assert w[row].tolist() == expected[head]


def test_the_last_frames_of_a_longer_clip():
    (frames, mask, _), _, w = batches(clips(9, 9))[0]
    assert [shown(window)[1] for window in frames] == [[5, 6, 7, 8]] * 2
    assert mask.all()
    assert w.tolist() == [[0, 0, 0, 1]] * 2


def test_jitter_begins_windows_anywhere():
    begins = {
        shown(window)[1][0]
        for e in range(40)
        for window in batches(clips(9, 9), augment=ClipAugment(jitter=0.1), epoch=e)[0][0][0]
    }
    assert begins == set(range(6))


def test_windows_are_spread_over_long_clips():
    data = clips(17, 3, 8)
    found: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for e in range(40):
        all_windows = batches(data, size=8, head="every", epoch=e)
        assert len(all_windows) == 1
        windows = [shown(window) for window in all_windows[0][0][0]]
        counts = np.bincount([number for number, _ in windows])
        assert counts.tolist() == [5, 1, 2]
        for number, numbers in windows:
            found[number].append(numbers[0])
            assert number == 1 or np.all(np.diff(numbers) == 1)
    assert set(found[0]) == set(range(14))
    assert set(found[1]) == {0}
    assert set(found[2]) == set(range(5))


def test_labels_of_frames():
    data = ClipSet([clip(0, 4, -1, [-1, 1, 2, 2]), clip(1, 4, -1, [0, 0, -1, -1])], NAMES, "made", "train")
    (frames, _, _), y, w = batches(data, head="both")[0]
    rows = {shown(window)[0]: row for row, window in enumerate(frames)}
    assert y[rows[0]].tolist() == [0, 1, 2, 2]
    # A video without a label of its own has no last frame to judge.
    assert w[rows[0]].tolist() == [0, 1, 1, 1]
    assert w[rows[1]].tolist() == [1, 1, 0, 0]
    (_, _, _), _, w = batches(data, head="every", weights=np.array([0.5, 2, 3], np.float32))[0]
    assert sorted(map(tuple, w.tolist())) == [(0, 2, 3, 3), (0.5, 0.5, 0, 0)]


def test_class_weights():
    data = clips(4, 6, 2, 4)  # left twice
    assert class_weights(data, "last").tolist() == pytest.approx([4 / 6, 4 / 3, 4 / 3])
    assert class_weights(data, "every").tolist() == pytest.approx([16 / 24, 16 / 18, 16 / 6])
    assert class_weights(data, "both").tolist() == pytest.approx([20 / 30, 20 / 21, 20 / 9])
    some = ClipSet([clip(0, 4, -1, [-1, 1, 1, 2])], NAMES, "made")
    assert class_weights(some, "every").tolist() == pytest.approx([0, 0.75, 1.5])
    assert class_weights(some, "every").dtype == np.float32


# Without carry


def test_an_epoch_holds_every_clip_once():
    data = clips(*[4] * 11)
    found = epoch(batches(data, size=3))
    assert len(found) == ClipBatches.count(data, 3, ClipOptions(length=4)) == 3
    numbers = [shown(window)[0] for (frames, _, _), _, _ in found for window in frames]
    assert len(set(numbers)) == len(numbers) == 9
    assert numbers != sorted(numbers)
    assert all(not keep.any() for (_, _, keep), _, _ in found)
    assert ClipBatches.size(data, 64, ClipOptions(length=4)) == 11
    assert len(epoch(batches(data, size=64))) == 1


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("head", ["last", "every"])
def test_an_epoch_entered_in_its_middle_goes_on_alike(carry, head):
    data = clips(5, 12, 3, 30, 8, 9, 17, 2, 4, 21)
    options = {"head": head, "carry": carry, "augment": EVERYTHING, "seed": 3, "epoch": 2}
    whole = epoch(batches(data, **options))
    assert len(whole) == ClipBatches.count(data, 2, ClipOptions(length=4, head=head), carry)
    for start in (1, len(whole) - 1):
        rest = batches(data, **options, start=start)
        assert len(rest) == len(whole) - start
        assert same(epoch(rest), whole[start:])
    assert same([batches(data, **options)[2]], whole[2:3])
    for other in ({"epoch": 3}, {"seed": 4}):
        assert not same(epoch(batches(data, **options | other)), whole)


@pytest.mark.parametrize("carry", [False, True])
def test_every_epoch_has_as_many_batches_of_one_size(carry):
    data = clips(5, 12, 3, 30, 8, 9, 17)
    count = ClipBatches.count(data, 3, ClipOptions(length=4, head="every"), carry)
    for e in range(6):
        found = epoch(batches(data, 3, "every", carry=carry, augment=EVERYTHING, epoch=e))
        assert [len(y) for _, y, _ in found] == [3] * count


def test_augmentation_is_one_for_a_clip():
    # Pixels that do not move: the window's frames stay equal, whatever is drawn.
    still = [Clip(str(i), 0, np.repeat(p, 7, axis=0), np.arange(7.0)) for i, p in enumerate(textures(20))]
    data = ClipSet(still, NAMES, "made", "train")
    changed = 0
    for (frames, _, _), _, _ in epoch(batches(data, augment=EVERYTHING)):
        assert np.array_equal(frames, np.repeat(frames[:, :1], 4, axis=1))
        changed += sum(not any(np.array_equal(w[0], s.frames[0]) for s in still) for w in frames)
    assert changed == 20


def textures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 1, 3, 4, 1), np.uint8)


def test_reversed_clips_get_their_label():
    augment = ClipAugment(reverse={"left": "right", "right": "left"})
    seen = set()
    for e in range(10):
        for (frames, mask, _), y, w in epoch(batches(clips(4, 4, 4, 3), augment=augment, epoch=e)):
            for row, window in enumerate(frames):
                number, numbers = shown(window)
                count = mask[row].sum()
                backwards = numbers[0] > numbers[-1]
                assert numbers[:count] == sorted(numbers[:count], reverse=backwards)
                assert y[row].tolist() == [{0: 1, 1: 0}[number % 3] if backwards else number % 3] * 4
                assert w[row, count - 1] == 1
                seen.add((number, backwards))
    # The third may not be reversed.
    assert seen == {(0, False), (0, True), (1, False), (1, True), (2, False), (3, False), (3, True)}


def test_frame_labels_run_backwards_with_their_frames():
    names = [*NAMES, "none"]
    data = ClipSet(
        [clip(0, 4, -1, [3, 0, 0, 1]), clip(1, 4, -1, [0, 2, 0, 0]), clip(2, 4, -1, [-1, 1, 1, 3])],
        names,
        "made",
    )
    augment = ClipAugment(reverse={"left": "right", "right": "left"})
    seen = set()
    for e in range(12):
        (frames, _, _), y, w = batches(data, 3, "every", background="none", augment=augment, epoch=e)[0]
        for row, window in enumerate(frames):
            number, numbers = shown(window)
            seen.add((number, numbers[0] > 0, tuple(np.where(w[row] > 0, y[row], -1))))
    assert seen == {
        (0, False, (3, 0, 0, 1)),
        (0, True, (0, 1, 1, 3)),
        (1, False, (0, 2, 0, 0)),
        (2, False, (-1, 1, 1, 3)),
        (2, True, (3, 0, 0, -1)),
    }


def test_a_window_runs_backwards_by_itself_unless_the_state_is_carried():
    data = ClipSet([clip(0, 16, -1, [0] * 8 + [2] * 8)], NAMES, "made")
    augment = ClipAugment(reverse={"left": "right", "right": "left"})
    for carry, expected in ((False, {(0, False), (1, True), (2, False)}), (True, {(0, False), (2, False)})):
        seen = set()
        for e in range(60):
            for (frames, _, _), y, _ in epoch(
                batches(data, 4, "every", carry=carry, augment=augment, epoch=e)
            ):
                for row, window in enumerate(frames):
                    _, numbers = shown(window)
                    backwards = numbers[0] > numbers[-1]
                    assert y[row].tolist() == [2 if i > 7 else int(backwards) for i in numbers]
                    seen |= {(int(label), backwards) for label in y[row]}
        assert seen == expected


def test_the_end_of_a_reversed_clip_is_its_beginning():
    augment = ClipAugment(reverse={"left": "right"})
    seen = {
        (y[0, 0], *shown(frames[0])[1])
        for e in range(20)
        for (frames, _, _), y, _ in [
            batches(ClipSet([clip(0, 9)], NAMES, "made"), augment=augment, epoch=e)[0]
        ]
    }
    assert seen == {(0, 5, 6, 7, 8), (1, 3, 2, 1, 0)}


def test_an_unknown_reversal_is_refused_at_once():
    with pytest.raises(InputError, match="reverse: 'up'"):
        batches(clips(4, 4), augment=ClipAugment(reverse={"up": "left"}))


# With the state carried


def walk(found):
    """Each row's windows one after another: (keep, clip, numbers of the valid frames)."""
    rows = []
    for row in range(len(found[0][1])):
        rows.append([])
        for (frames, mask, keep), _, _ in found:
            number, numbers = shown(frames[row])
            rows[-1].append((int(keep[row, 0]), number, numbers[: mask[row].sum()]))
    return rows


def test_windows_follow_their_clip_and_keep_says_so():
    data = clips(13, 4, 22, 3, 8, 17, 1, 30)
    lines = walk(epoch(batches(data, 3, "every", carry=True)))
    before = None
    for line in lines:
        for step, (keep, number, numbers) in enumerate(line):
            if keep:
                last = line[step - 1]
                assert number == last[1]
                assert numbers[0] == last[2][-1] + 1
            else:
                # A new clip, or the row before ended within this one.
                assert numbers[0] == 0 or (step == 0 and before == (number, numbers[0] - 1))
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        before = (line[-1][1], line[-1][2][-1])
    keeps = [keep for line in lines for keep, _, _ in line]
    assert sum(keeps) > len(keeps) / 2


def test_a_carried_epoch_shows_every_frame_once():
    data = clips(13, 4, 22, 3, 8, 17, 1, 30)
    assert sum(-(-len(c) // 4) for c in data.clips) == 28
    found = walk(epoch(batches(data, 4, "every", carry=True)))
    assert [len(line) for line in found] == [7] * 4
    frames = [(number, i) for line in found for _, number, numbers in line for i in numbers]
    assert sorted(frames) == [(n, i) for n, c in enumerate(data.clips) for i in range(len(c))]


def test_rows_are_equally_long_when_the_windows_do_not_fill_them():
    data = clips(13, 4, 22)
    found = walk(epoch(batches(data, 4, "every", carry=True)))
    assert [len(line) for line in found] == [3] * 4
    frames = {(number, i) for line in found for _, number, numbers in line for i in numbers}
    assert len(frames) == 39
    # The line begins again in the last row, with a fresh state.
    assert found[3][-1][0] == 0
    assert found[3][-1][1:] == found[0][0][1:]


def test_a_clip_that_follows_itself_begins_anew():
    first, second = walk(epoch(batches(clips(10), 2, "every", carry=True)))
    assert first == [(0, 0, [0, 1, 2, 3]), (1, 0, [4, 5, 6, 7])]
    assert second == [(0, 0, [8, 9]), (0, 0, [0, 1, 2, 3])]


def test_order_changes_from_epoch_to_epoch():
    data = clips(*[8] * 9)
    orders = {
        tuple(number for line in walk(epoch(batches(data, 3, carry=True, epoch=e))) for _, number, _ in line)
        for e in range(5)
    }
    assert len(orders) == 5


def test_a_carried_clip_changes_as_a_whole():
    # One still picture a clip: what continues a window must look like it, whatever was drawn.
    still = [
        Clip(str(i), i % 2, np.repeat(p, 14, axis=0), np.arange(14.0)) for i, p in enumerate(textures(8))
    ]
    data = ClipSet(still, NAMES, "made", "train")
    found = epoch(batches(data, 2, "every", carry=True, augment=EVERYTHING))
    kept = 0
    for (before, _, _), ((frames, _, keep), _, _) in zip([b[0] for b in found], found[1:], strict=False):
        for row in np.flatnonzero(keep):
            assert np.array_equal(frames[row, 0], before[row, -1])
            kept += 1
    assert kept > 8


def test_only_the_window_is_read():
    class Counted:
        """Frames that count what is asked of them."""

        def __init__(self, frames):
            self.frames, self.asked = frames, 0

        def __len__(self):
            return len(self.frames)

        def __getitem__(self, item):
            found = self.frames[item]
            self.asked += len(found)
            return found

    frames = Counted(clip(0, 200).frames)
    data = ClipSet([Clip("a", 0, frames, np.arange(200.0))], NAMES, "made", "train")
    assert len(epoch(batches(data, 2, "every", carry=True))) == 25
    assert frames.asked == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": 3}, "clip x: label 3 is out of range; allowed: 0 to 2, or -1 for none"),
        ({"label": -2}, "label -2"),
        ({"frame_labels": [0, 0, 5, 0]}, "label 5"),
        ({"frame_labels": [0, 0]}, "4 frames and 2 labels"),
        ({"ts_ms": np.arange(3.0)}, "4 frames and 3 times"),
        ({"frames": np.zeros((0, 3, 4, 1), np.uint8), "ts_ms": np.zeros(0)}, "0 frames and 0 times"),
    ],
)
def test_clips_that_do_not_hold_together(change, words):
    good = {"id": "x", "label": 0, "frames": clip(0, 4).frames, "ts_ms": np.arange(4.0)}
    assert len(ClipSet([Clip(**good)], NAMES, "made")) == 1
    if "frame_labels" in change:
        change = {"frame_labels": np.array(change["frame_labels"])}
    with pytest.raises(InputError, match=words):
        ClipSet([Clip(**good | change)], NAMES, "made")


def test_motion_in_batches():
    data = load_clips("motion", "val", preprocess=Preprocess((32, 32)), clip=ClipOptions()).take(range(24))
    found = ClipBatches(data, Preprocess((32, 32), scale=1.0), 8, ClipOptions(length=24), seed=1)
    seen = []
    for (frames, mask, _), y, w in epoch(found):
        for row in range(8):
            count = mask[row].sum()
            match = [
                i
                for i, c in enumerate(data.clips)
                if len(c) == count
                and c.label == y[row, 0]
                and np.array_equal(c.frames[:], frames[row, :count].astype(np.uint8))
            ]
            seen += match
            assert w[row].tolist() == [float(t == count - 1) for t in range(24)]
    assert sorted(seen) == list(range(24))


def test_take():
    part = clips(1, 2, 3, 4).take([3, 1], "val")
    assert [c.id for c in part.clips] == ["clip/3", "clip/1"]
    assert part.labels.tolist() == [0, 1]
    assert part.split == "val"
