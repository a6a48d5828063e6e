"""Films of events: what they show, what becomes of them, what they may cost."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from sink_parts import fill, small_disk, wait_until

from rnnedge_device.classify import Prediction
from rnnedge_device.errors import InputError
from rnnedge_device.sinks.event_clips import ClipsOptions, EventClips
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.pre_roll import PreRoll, Still
from rnnedge_device.source import Frame

PREDICTION = Prediction(0, "fall", 0.9, np.ones(1, np.float32), np.ones(1, np.int8), 100.0, 200.0)


def frame(number, height=48, width=64, fps=10.0):
    """A frame with its number in it: eight stripes, a white one for each bit that is set."""
    bits = np.array([255 * (number >> bit & 1) for bit in range(8)], np.uint8)
    row = np.repeat(bits, width // 8)
    return Frame(np.broadcast_to(row[None, :, None], (height, width, 3)).copy(), number, 1000 * number / fps)


def open_clips(folder, **options):
    return EventClips(ClipsOptions(folder=str(folder), **{"annotate": False, "keep_free": 1, **options}))


def show(sink, numbers, camera="door", **about):
    """Frames at the pace of the sink: none is left out."""
    for number in numbers:
        wait_until(lambda: sink.status()["waiting"] < 16, "frames are taken")
        sink.put(Message(camera, {}, frame(number, **about), PREDICTION))


def tell(sink, kind, number, start, label="fall", camera="door"):
    line = {
        "ts_ms": 100.0 * number,
        "event": kind,
        "label": label,
        "start_ms": 100.0 * start,
        "id": f"run-{number}",
    }
    sink.put(Message(camera, line, None, None))


def films(folder):
    return sorted(path for path in Path(folder).iterdir() if path.suffix == ".mp4" and path.name[0] != ".")


def numbers(path):
    """The numbers of the frames that a film shows."""
    reader, found = cv2.VideoCapture(str(path)), []
    while (taken := reader.read())[0]:
        stripes = taken[1].mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
        found.append(sum(1 << bit for bit in range(8) if stripes[bit] > 128))
    return found


def facts(path):
    return json.loads(path.with_suffix(".json").read_text())


def one_event(sink, begin, camera="door"):
    """A second of an event in three seconds of frames."""
    show(sink, range(begin, begin + 10), camera)
    tell(sink, "start", begin + 10, begin + 8, camera=camera)
    show(sink, range(begin + 10, begin + 20), camera)
    tell(sink, "end", begin + 20, begin + 8, camera=camera)
    show(sink, range(begin + 20, begin + 30), camera)


def test_a_clip_shows_the_event_with_what_was_before_and_after(tmp_path):
    with open_clips(tmp_path, pre_s=2.0, post_s=1.0) as sink:
        show(sink, range(43))
        tell(sink, "start", 42, 40)
        show(sink, range(43, 61))
        tell(sink, "end", 60, 40)
        show(sink, range(61, 100))
        wait_until(lambda: sink.status()["sent"] == 1, "the clip is whole while frames go on")
    (film,) = films(tmp_path)
    assert film.name.startswith("000001_door_")
    assert film.name.endswith("Z_fall.mp4")
    assert numbers(film) == list(range(20, 71))  # from 2 s before 4.0 s to 1 s after 6.0 s
    told = facts(film)
    assert [(line["event"], line["id"]) for line in told["lines"]] == [("start", "run-42"), ("end", "run-60")]
    assert (told["camera"], told["start_ms"], told["end_ms"], told["fps"]) == ("door", 2000, 7000, 10)
    assert sorted(os.listdir(tmp_path)) == [film.with_suffix(".json").name, film.name]
    assert {key: sink.status()[key] for key in ("queued", "sent", "lost", "failing", "dropped")} == {
        **dict.fromkeys(("queued", "lost", "dropped"), 0),
        "sent": 1,
        "failing": None,
    }


def test_a_clip_keeps_time_when_frames_do_not(tmp_path):
    with open_clips(tmp_path, pre_s=0.0, post_s=0.0) as sink:
        show(sink, [0, 1])
        tell(sink, "start", 1, 0)
        show(sink, [2, 12, 14])  # a second without frames
        tell(sink, "end", 14, 0)
        show(sink, [15])
    assert numbers(films(tmp_path)[0]) == [0, 1, *[2] * 10, 12, 12, 14]


def test_events_that_overlap_share_a_clip_and_cameras_do_not(tmp_path):
    with open_clips(tmp_path, pre_s=1.0, post_s=1.0) as sink:
        show(sink, range(20))
        show(sink, range(20), "yard")
        tell(sink, "start", 20, 19)
        tell(sink, "start", 20, 19, camera="yard")
        show(sink, range(20, 25))
        tell(sink, "start", 25, 24, label="jump")
        tell(sink, "end", 25, 19)
        show(sink, range(25, 50))
        tell(sink, "end", 50, 24, label="jump")
        show(sink, range(50, 70))
    door, yard = films(tmp_path)
    assert [line["id"] for line in facts(door)["lines"]] == ["run-20", "run-25", "run-25", "run-50"]
    assert facts(yard)["camera"] == "yard"
    assert len(numbers(door)) == 52  # from 0.9 s to 6.0 s
    assert sink.status()["sent"] == 3


def test_a_clip_that_runs_when_the_sink_closes_is_whole(tmp_path):
    sink = open_clips(tmp_path, pre_s=1.0)
    show(sink, range(20))
    tell(sink, "start", 20, 18)
    show(sink, range(20, 30))
    assert films(tmp_path) == []  # a name stands for a whole film
    assert sink.status()["queued"] == 1
    sink.close(60)
    sink.close()
    assert len(numbers(films(tmp_path)[0])) == 22
    assert (sink.status()["sent"], sink.status()["queued"]) == (1, 0)


@pytest.mark.parametrize("how", ["health", "clock"])
def test_a_camera_that_is_lost_ends_its_clip(tmp_path, how):
    with open_clips(tmp_path, pre_s=1.0, post_s=100.0) as sink:
        show(sink, range(20, 40))
        tell(sink, "start", 40, 38)
        show(sink, range(40, 45))
        if how == "health":
            sink.put(Message("door", {"ts_ms": 4600.0, "health": "lost", "detail": ""}))
        else:
            show(sink, range(5))  # opened anew, its time began again
        wait_until(lambda: sink.status()["sent"] == 1, "the clip is whole")
        show(sink, range(5, 10))
    assert len(numbers(films(tmp_path)[0])) == 17  # from 2.8 s to 4.4 s


def test_an_event_without_end_is_cut(tmp_path):
    with open_clips(tmp_path, pre_s=0.0, max_s=2.0) as sink:
        show(sink, range(10))
        tell(sink, "start", 10, 9)
        show(sink, range(10, 60))
        wait_until(lambda: sink.status()["sent"] == 1, "the clip is whole")
    assert len(numbers(films(tmp_path)[0])) == 21


def test_annotated_clips_have_the_text_below(tmp_path):
    with open_clips(tmp_path, annotate=True, pre_s=1.0) as sink:
        one_event(sink, 0)
    reader = cv2.VideoCapture(str(films(tmp_path)[0]))
    _, picture = reader.read()
    assert picture.shape == (5 * 48 + 44, 5 * 64, 3)  # enlarged until the text is readable, and a bar
    assert picture[-30:].max() > 200  # white letters


def test_frames_of_odd_grey_and_changing_sizes(tmp_path):
    with open_clips(tmp_path, pre_s=1.0, post_s=1.0) as sink:
        for number in range(40):
            wait_until(lambda: sink.status()["waiting"] < 16, "frames are taken")
            image = np.full((33, 35) if number < 20 else (66, 70, 3), 2 * number, np.uint8)
            sink.put(Message("door", {}, Frame(image, number, 100.0 * number), None))
            if number in (10, 30):
                tell(sink, "start" if number == 10 else "end", number, 10)
    reader = cv2.VideoCapture(str(films(tmp_path)[0]))
    _, picture = reader.read()
    assert picture.shape == (32, 34, 3)
    assert reader.get(cv2.CAP_PROP_FRAME_COUNT) == 40


def test_frames_above_the_clips_rate_are_not_kept(tmp_path):
    with open_clips(tmp_path, pre_s=10.0, fps=10.0) as sink:
        show(sink, range(100), fps=25.0)  # 4 s
        tell(sink, "start", 39, 38)
    shown = numbers(films(tmp_path)[0])
    assert len(shown) == 40
    assert len(set(shown)) == 40
    assert sink.status()["dropped"] == 0


def test_frames_that_come_too_fast_are_dropped_and_no_event_is(tmp_path):
    sink = open_clips(tmp_path, fps=1000.0, post_s=0.0)
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    for number in range(2000):
        sink.put(Message("door", {}, Frame(noise, number, float(number)), None))
        if number in (200, 300):
            tell(sink, "start" if number == 200 else "end", number / 100, 2)
    assert sink.status()["waiting"] <= 34  # frames and the two lines
    sink.close(60)
    assert sink.status()["dropped"] > 0
    assert sink.status()["sent"] == 1
    assert len(films(tmp_path)) == 1


# --- what it may cost ----------------------------------------------------------------------------------


def test_the_oldest_clips_go_when_the_room_is_used_up(tmp_path):
    (tmp_path / "mine.mp4").write_bytes(b"x" * 100_000)
    with open_clips(tmp_path, pre_s=1.0, post_s=0.5) as sink:
        one_event(sink, 0)
        wait_until(lambda: sink.status()["sent"] == 1, "the first clip is whole")
    size = sum(path.stat().st_size for path in tmp_path.glob("000001*"))
    # A clock that was set back makes no new clip an old one: numbers tell.
    os.utime(next(tmp_path.glob("000001*.mp4")), (2e9, 2e9))
    with open_clips(tmp_path, pre_s=1.0, post_s=0.5, max_bytes=int(2.5 * size)) as sink:
        for count in range(3):
            one_event(sink, 30 * count)
            wait_until(lambda count=count: sink.status()["sent"] == count + 1, "the clip is whole")
    assert [path.name[:6] for path in films(tmp_path)] == ["000003", "000004", "mine.m"]
    assert [path.name[:6] for path in sorted(tmp_path.glob("*.json"))] == ["000003", "000004"]


def test_half_a_clip_of_a_crash_is_removed_at_the_next_start(tmp_path):
    (tmp_path / ".000007_door_20260101T000000Z_fall-0a1b2c3d.tmp.mp4").write_bytes(b"half")
    (tmp_path / ".other-0a1b2c3d.tmp.mp4").write_bytes(b"not ours")
    open_clips(tmp_path).close()
    assert os.listdir(tmp_path) == [".other-0a1b2c3d.tmp.mp4"]


def test_a_full_disk_costs_clips_and_is_recovered_from(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        sink = open_clips(disk, pre_s=1.0, post_s=0.5)
        filler = fill(disk)
        one_event(sink, 0)
        wait_until(lambda: sink.status()["lost"] == 1, "the lost clip is counted")
        assert sink.status()["failing"]
        assert os.listdir(disk) == ["filler"]
        filler.unlink()
        one_event(sink, 30)
        wait_until(lambda: sink.status()["sent"] == 1, "the next clip is whole")
        assert sink.status()["failing"] is None
        sink.close()
        assert numbers(films(disk)[0])


def test_clips_make_room_where_the_disk_must_stay_free(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        with open_clips(disk, pre_s=1.0, post_s=0.5) as sink:
            one_event(sink, 0)
            one_event(sink, 30)
            wait_until(lambda: sink.status()["sent"] == 2, "both clips are whole")
        open_clips(disk, keep_free=2**20).close()
        assert [path.name[:6] for path in films(disk)] == ["000002"]  # the newest stays


def test_a_ring_is_bounded_in_time_and_in_bytes():
    ring = PreRoll(2.0, 10**9)
    for number in range(100):
        ring.add(Still.of(frame(number), None))
    assert [still.ts_ms for still in ring.since(0.0)] == [100.0 * number for number in range(79, 100)]
    assert [still.ts_ms for still in ring.since(9500.0)] == [9500.0, 9600.0, 9700.0, 9800.0, 9900.0]
    assert [still.ts_ms for still in ring.since(20_000.0)] == [9900.0]
    small = PreRoll(1000.0, 5000)
    for number in range(100):
        small.add(Still.of(frame(number), None))
        assert small.size <= 5000
    assert 1 < len(small) < 100
    small.add(Still.of(frame(0), None))  # the clock began anew
    assert len(small) == 1


@pytest.mark.parametrize(
    "wrong", [{"colour": 1}, {"folder": ""}, {"pre_s": -1.0}, {"fps": 0.0}, {"annotate": 1}]
)
def test_options_refuse_what_they_do_not_know(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ClipsOptions(**{"folder": "clips", **wrong})


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "no" / "folder"):
        with pytest.raises(InputError, match="cannot be written") as caught:
            open_clips(folder)
        assert str(folder) in str(caught.value)
