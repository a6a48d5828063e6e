"""Videos with a label file: segments, frame labels, events, and what is said of a malformed line."""

import numpy as np
import pytest
from films import PREPROCESS, film, numbers

from rnnedge.data import ClipOptions, Truth, load_clips
from rnnedge.data.label_file import merged
from rnnedge_device.errors import InputError

HEAD = "clip,start_ms,end_ms,label"
ROWS = ["a,300,800,jump", "a,800,1100,sit", "a,1500,1900,jump", "b,0,1000,sit", "b,1000,1400,lie"]


@pytest.fixture
def sessions(tmp_path):
    """Videos a and b of two seconds and c, which has no labels, with ROWS."""
    root = tmp_path / "sessions"
    for name in "abc":
        film(root / "videos" / f"{name}.avi", 20)
    label(root)
    return root


def label(root, rows=ROWS, head=HEAD):
    (root / "labels.csv").write_text("\n".join([head, *rows]) + "\n")


def load(root, head="last", background="", split="all", **more):
    more.setdefault("cache", root.parent / "cache")
    options = ClipOptions(fps=10.0, head=head, background=background, lead_ms=more.pop("lead_ms", 0.0))
    return load_clips(f"events:{root}", split, preprocess=PREPROCESS, clip=options, **more)


def test_segments(sessions):
    clips = load(sessions)
    assert clips.names == ["jump", "lie", "sit"]
    assert [(c.id, c.label) for c in clips.clips] == [
        ("a/300-800", 0),
        ("a/800-1100", 2),
        ("a/1500-1900", 0),
        ("b/0-1000", 2),
        ("b/1000-1400", 1),
    ]
    assert numbers(clips.clips[0].frames[:]) == [3, 4, 5, 6, 7]
    assert np.allclose(clips.clips[0].ts_ms, [300, 400, 500, 600, 700])
    assert numbers(clips.clips[1].frames[:]) == [8, 9, 10]
    assert clips.clips[2].truths == (Truth(1500, 1900, 0),)
    assert clips.clips[2].path == str(sessions / "videos" / "a.avi")
    assert {c.group for c in clips.clips} == {"a", "b"}
    assert all(c.frame_labels is None for c in clips.clips)


@pytest.mark.parametrize("head", ["every", "both"])
def test_whole_videos(sessions, head):
    clips = load(sessions, head, background="nothing")
    assert clips.names == ["jump", "lie", "sit", "nothing"]
    a, b = (clip for clip in clips.clips if clip.frame_labels is not None)
    assert (a.id, b.id) == ("a", "b")
    assert a.label == b.label == -1
    assert a.frame_labels.tolist() == [3] * 3 + [0] * 5 + [2] * 3 + [3] * 4 + [0] * 4 + [3]
    assert b.labels.tolist() == [2] * 10 + [1] * 4 + [3] * 6
    assert a.truths == (Truth(300, 800, 0), Truth(800, 1100, 2), Truth(1500, 1900, 0))
    assert len(a.frames) == len(a) == 20
    segments = [clip.label for clip in clips.clips if clip.frame_labels is None]
    assert segments == ([] if head == "every" else load(sessions).labels.tolist())


def test_without_background_uncovered_frames_have_no_label(sessions):
    a = load(sessions, "every").clips[0]
    assert a.frame_labels.tolist() == [-1] * 3 + [0] * 5 + [2] * 3 + [-1] * 4 + [0] * 4 + [-1]


def test_a_lead_shows_what_came_before(sessions):
    clips = load(sessions, lead_ms=200.0)
    assert numbers(clips.clips[0].frames[:]) == [1, 2, 3, 4, 5, 6, 7]
    assert numbers(clips.clips[3].frames[:]) == list(range(10))  # nothing comes before the video
    assert [(c.id, c.label, c.truths) for c in clips.clips] == [
        (c.id, c.label, c.truths) for c in load(sessions).clips
    ]
    with pytest.raises(InputError, match="lead_ms"):
        load(sessions, lead_ms=-1.0)


def test_classes_gather_labels(sessions):
    classes = {"rest": ["sit", "lie"], "jump": ["jump"]}
    clips = load(sessions, classes=classes)
    assert clips.names == ["rest", "jump"]
    assert clips.labels.tolist() == [1, 0, 1, 0, 0]
    b = load(sessions, "every", "nothing", classes=classes).clips[1]
    assert b.truths == (Truth(0, 1400, 0),)  # sit and lie touch: one event, though two segments
    left = load(sessions, "every", "nothing", classes={"jump": ["jump"]})
    assert left.names == ["jump", "nothing"]
    assert left.clips[1].frame_labels.tolist() == [1] * 20
    assert left.clips[1].truths == ()
    named = load(sessions, "every", "quiet", classes={"quiet": ["sit", "lie"], "jump": ["jump"]})
    assert named.names == ["quiet", "jump"]
    assert [t.label for t in named.clips[0].truths] == [1, 1]
    assert named.clips[1].truths == ()


def test_overlapping_rows(sessions):
    label(sessions, ["a,200,1000,jump", "a,500,700,sit", "a,600,1400,jump", "b,0,500,sit"])
    a = load(sessions, "every").clips[0]
    assert a.frame_labels.tolist() == [-1] * 2 + [0] * 3 + [1] + [0] * 8 + [-1] * 6
    assert a.truths == (Truth(200, 1400, 0), Truth(500, 700, 1))


def test_merging():
    t = Truth
    assert merged([t(5, 9, 0), t(0, 5, 0), t(2, 3, 1), t(9.5, 10, 0)]) == (
        t(0, 9, 0),
        t(2, 3, 1),
        t(9.5, 10, 0),
    )
    assert merged([t(0, 9, 0), t(2, 3, 0)]) == (t(0, 9, 0),)
    assert merged([]) == ()


def test_what_lies_behind_the_end_is_skipped_and_counted(sessions, caplog):
    label(sessions, ["a,1500,9000,jump", "a,5000,6000,sit", "b,0,500,sit"])
    clips = load(sessions)
    assert clips.skipped == ["a/5000-6000"]
    assert "skipped sit of a at 5000 ms: it has no frame" in caplog.text
    assert [len(clip) for clip in clips.clips] == [5, 5]
    whole = load(sessions, "every")
    assert [len(clip.truths) for clip in whole.clips] == [1, 1]


def test_a_segment_between_two_frames_is_skipped_and_counted(sessions):
    label(sessions, ["a,310,390,jump", "b,0,500,sit"])
    clips = load(sessions)
    assert [clip.id for clip in clips.clips] == ["b/0-500"]
    assert clips.skipped == ["a/310-390"]


def test_further_columns_blanks_and_a_byte_order_mark(sessions):
    rows = [f'room 1,{row.rsplit(",", 1)[0]}, "{row.rsplit(",", 1)[1]}"' for row in ROWS]
    text = "\ufeff" + "\r\n".join(["group,clip,start_ms,end_ms,label", *rows])
    (sessions / "labels.csv").write_text(text.replace(' "', '"'), encoding="utf-8")
    assert load(sessions).labels.tolist() == [0, 2, 0, 2, 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,0,100,x", "nobody,0,100,y"], "line 3: clip='nobody': there is no such video"),
        (["../a,0,100,x"], "line 2: clip='../a'"),
        (["a,200,100,x"], "line 2: end_ms=100 is not after start_ms=200"),
        (["a,100,100,x"], "line 2: end_ms=100 is not after"),
        (["a,0,ten,x"], "line 2: end_ms='ten': must be a number of milliseconds, 0 or more"),
        (["a,-5,10,x"], "line 2: start_ms='-5': must be"),
        (["a,nan,10,x"], "line 2: start_ms='nan'"),
        (["a,0,inf,x"], "line 2: end_ms='inf'"),
        (["a,0,100"], "line 2: has no label"),
        (["a,0,100,"], "line 2: has no label"),
        (["a,,100,x"], "line 2: has no start_ms"),
        (["a,0,100,x", "", "a,0,100,sit, down"], "line 4: has more cells than the header"),
        ([], "has no rows"),
        (["a,0,100,x"], r"has one class only \(x\)"),
    ],
)
def test_malformed_rows_are_named_by_their_line(sessions, rows, words):
    label(sessions, rows)
    with pytest.raises(InputError, match=words):
        load(sessions)


@pytest.mark.parametrize("head", ["clip,start,end,label", "", "a;b;c;d"])
def test_missing_columns(sessions, head):
    label(sessions, [], head)
    with pytest.raises(InputError, match=r"line 1: has no column .*; needs clip, start_ms, end_ms, label"):
        load(sessions)


def test_missing_files(sessions, tmp_path):
    (sessions / "labels.csv").write_bytes(b"clip,start_ms,end_ms,label\na,0,1,\xff\xfe\n")
    with pytest.raises(InputError, match=r"labels\.csv: cannot be read as a CSV file"):
        load(sessions)
    (sessions / "labels.csv").unlink()
    with pytest.raises(InputError, match=r"labels\.csv: cannot be read"):
        load(sessions)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no videos in its folder videos"):
        load(tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        load(tmp_path / "nowhere")


def test_damaged_videos(sessions):
    (sessions / "videos" / "a.avi").write_bytes(b"no video")
    clips = load(sessions)
    assert clips.skipped == ["a"]
    assert {clip.group for clip in clips.clips} == {"b"}
    with pytest.raises(InputError, match=r"a\.avi: cannot be decoded"):
        load(sessions, strict=True)
    (sessions / "videos" / "b.avi").write_bytes(b"")
    with pytest.raises(InputError, match=r"has no clips \(2 videos in all splits, 2 skipped"):
        load(sessions)


# Real sessions

FALLS = {"walk": ["walk"], "sitdown": ["sitdown"], "standup": ["standup"], "fall": ["falling", "lying"]}


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def ceiling(real_data):
    root = real_data / "ceiling_actions"
    if not root.is_dir():
        pytest.skip("no ceiling_actions in RNNEDGE_DATA")
    return root


def real(root, frames, head="last", split="all", **more):
    return load(root, head, "other" if head != "last" else "", split, cache=frames, classes=FALLS, **more)


def test_ceiling_actions_counts(ceiling, frames):
    clips = real(ceiling, frames)
    assert clips.names == list(FALLS)
    assert np.bincount(clips.labels).tolist() == [64, 29, 56, 32]
    assert not clips.skipped
    assert len({clip.group for clip in clips.clips}) == 16
    for clip in clips.clips:
        truth = clip.truths[0]
        assert truth.start_ms <= clip.ts_ms[0] <= clip.ts_ms[-1] < truth.end_ms
        assert np.all(np.diff(clip.ts_ms) > 0)
    assert clips.clips[0].frames[:4].shape == (4, 8, 12, 1)


def test_ceiling_actions_in_four_folds_by_session(ceiling, frames):
    tested = []
    for fold in range(4):
        sides = [
            {c.group for c in real(ceiling, frames, split=split, fold=fold, folds=4).clips}
            for split in ("train", "val", "test")
        ]
        assert [len(side) for side in sides] == [10, 2, 4]
        assert not set.intersection(*sides)
        assert len(set.union(*sides)) == 16
        tested += sides[2]
    assert len(set(tested)) == len(tested) == 16


def test_ceiling_actions_as_events(ceiling, frames):
    clips = real(ceiling, frames, "every")
    assert clips.names == [*FALLS, "other"]
    assert len(clips) == 16
    minutes = sum(clip.ts_ms[-1] for clip in clips.clips) / 60_000
    assert 37 < minutes < 40
    for clip in clips.clips:
        assert set(clip.frame_labels) <= {0, 1, 2, 3, 4}
        for truth in clip.truths:
            assert truth.label < 4
            inside = (clip.ts_ms >= truth.start_ms) & (clip.ts_ms < truth.end_ms)
            assert np.mean(clip.frame_labels[inside] == truth.label) > 0.9
    covered = sum(t.end_ms - t.start_ms for c in clips.clips for t in c.truths) / 60_000
    assert covered / minutes == pytest.approx(
        np.mean(np.concatenate([c.labels for c in clips.clips]) < 4), abs=0.01
    )
