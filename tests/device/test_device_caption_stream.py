"""Captions of a stream: when one is due, the same ones of the same file, and beside the frames of a live source."""

import threading

import cv2
import numpy as np
import pytest
from caption_films import CUT, LENGTH, Live, changed, hooked, run, scenes, untimed, write_film, writers
from watching import watch

from rnnedge_device import caption_writer
from rnnedge_device.captioner import Captioner
from rnnedge_device.errors import InputError, SourceLostError
from rnnedge_device.sources import open_source
from rnnedge_device.stream import stream
from rnnedge_device.tensors import Tensor

NEVER = 1e9  # ms; no test takes so long


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Three scenes of two seconds each."""
    return write_film(tmp_path_factory.mktemp("film") / "film.avi", scenes(3))


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert writers() == []


def told(lines):
    return [(line["frame"], line["reason"]) for line in lines]


def texts(captioner, film, frames):
    with open_source(str(film)) as source:
        pictures = [frame.image for frame in source]
    return [captioner.caption(pictures[number])[0].text for number in frames]


# --- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [1, 3])
def test_a_file_gives_the_same_captions_every_time(caption_bundle, film, beam):
    made = changed(caption_bundle, beam=beam, interval_ms=700.0, scene_cut=CUT)
    lines, summary = run(Captioner(made), film)
    again, _ = run(Captioner(made), film)
    assert untimed(lines) == untimed(again)
    assert told(lines) == [
        *((0, "start"), (7, "interval"), (14, "interval")),
        *((20, "scene_cut"), (27, "interval"), (34, "interval")),
        *((40, "scene_cut"), (47, "interval"), (54, "interval")),
    ]
    assert [line["label"] for line in lines] == texts(
        Captioner(made), film, [line["frame"] for line in lines]
    )
    assert len({line["label"] for line in lines}) > 2
    assert (summary["frames"], summary["captions"], summary["labels"]) == (60, 9, {})
    assert summary["reasons"] == {"start": 1, "interval": 6, "scene_cut": 2}


def test_a_line_has_the_fields_of_other_tasks_and_its_own(caption_bundle, film):
    lines, summary = run(Captioner(caption_bundle), film, max_frames=25)
    keys = ["ts_ms", "frame", "task", "label", "score", "latency_ms", "words", "reason"]
    assert all(list(line) == keys for line in lines)
    assert [line["ts_ms"] for line in lines] == pytest.approx([0, 2000])  # the bundle's interval
    assert {line["task"] for line in lines} == {"captions"}
    for line in lines:
        assert 0 < line["score"] <= 1
        assert line["latency_ms"] > 0
        assert line["words"] == len(line["label"].split()) > 0
    parts = summary["encode_us"]["median"], summary["decode_us"]["median"]
    assert min(parts) > 0
    assert summary["latency_us"]["median"] <= summary["total_us"]["median"]


def test_the_score_is_the_mean_probability_of_a_word(caption_bundle, film):
    (line,), _ = run(Captioner(caption_bundle), film, max_frames=1)
    with open_source(str(film)) as source:
        (caption,) = Captioner(caption_bundle).caption(next(iter(source)).image)
    assert line["score"] == pytest.approx(np.exp(caption.log_probability / (len(caption.ids) + 1)), abs=1e-6)


def test_without_a_detector_only_the_interval_counts(caption_bundle, film):
    assert told(run(Captioner(changed(caption_bundle, interval_ms=NEVER)), film)[0]) == [(0, "start")]
    lines, _ = run(Captioner(changed(caption_bundle, interval_ms=3000.0)), film)
    assert told(lines) == [(0, "start"), (30, "interval")]


def test_the_interval_is_of_the_sources_time(caption_bundle, film, tmp_path):
    """The same frames at another rate: other frames are two seconds apart."""
    folder = tmp_path / "frames"
    folder.mkdir()
    with open_source(str(film)) as source:
        for frame in source:
            cv2.imwrite(str(folder / f"{frame.index:03d}.png"), frame.image)
    for fps, frames in ((10, [0, 20, 40]), (30, [0]), (15, [0, 30]), (7, [0, 14, 28, 42, 56])):
        lines, _ = run(Captioner(caption_bundle), f"{folder}@{fps}")
        assert [line["frame"] for line in lines] == frames
        assert [line["ts_ms"] for line in lines] == pytest.approx([n * 1000 / fps for n in frames], abs=0.01)


def test_the_frame_of_a_file_that_is_due_shows_its_whole_caption(caption_bundle, film):
    shown = {}
    run(
        Captioner(caption_bundle),
        film,
        sinks=[watch(lambda frame, found, event: shown.update({frame.index: found}))],
    )
    assert len(shown) == 3 * LENGTH
    assert not any(found.writing for found in shown.values())
    assert [number for number, found in shown.items() if found.finished] == [0, 20, 40]
    for number, found in shown.items():
        assert found.words == shown[number // 20 * 20].finished.caption.words
        assert found.label == " ".join(found.words)


def test_every_loose_image_gets_a_caption(caption_bundle, tmp_path):
    pictures = scenes(4)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    cv2.imwrite(str(tmp_path / "4.png"), pictures[3])
    captioner = Captioner(changed(caption_bundle, scene_cut=CUT))
    lines, summary = run(captioner, tmp_path)
    assert told(lines) == [(number, "image") for number in range(5)]
    expected = [captioner.caption(picture)[0].text for picture in [*pictures, pictures[3]]]
    assert [line["label"] for line in lines] == expected
    assert summary["reasons"] == {"image": 5}
    assert told(run(captioner, tmp_path / "2.png")[0]) == [(0, "image")]


def test_several_files_give_what_each_gives_alone(caption_bundle, film, tmp_path):
    other = write_film(tmp_path / "other.avi", scenes(2, first=5))
    captioner = Captioner(changed(caption_bundle, interval_ms=500.0, scene_cut=CUT))
    lines, summary = run(captioner, film, other)
    for path in (film, other):
        own = [line for line in lines if line["source"] == str(path)]
        assert untimed(own, "source") == untimed(run(captioner, path)[0])
    assert summary["captions"] == len(lines)
    assert [item["frames"] for item in summary["sources"].values()] == [60, 40]


# --- a live source -------------------------------------------------------------------------------------


def test_frames_go_on_while_a_caption_is_written(caption_bundle):
    begun, go, meanwhile = threading.Event(), threading.Event(), []

    def wait():
        begun.set()
        assert go.wait(60), "no frames came meanwhile"

    def on_frame(frame, found, event):
        if event:
            live.source.stop()
        elif begun.is_set() and not go.is_set():
            meanwhile.append(frame.index)
            if len(meanwhile) == 30:
                go.set()

    live = Live(scenes(1), on_frame)
    summary = live.run(hooked(caption_bundle, wait, interval_ms=NEVER))
    assert len(meanwhile) == 30
    assert meanwhile == list(range(meanwhile[0], meanwhile[0] + 30))
    assert told(live.lines) == [(0, "start")]
    assert live.lines[0]["label"] == Captioner(caption_bundle).caption(scenes(1)[0])[0].text
    # The line tells the frame that was captioned, and comes with the frame that is shown.
    assert live.seen[-1][0].index > meanwhile[-1]
    assert (summary["captions"], summary["dropped"]) == (1, 0)


def test_words_appear_before_the_caption_is_finished(caption_bundle):
    """The decoder makes a step each time all its words so far have been shown."""
    steps, allowed, shown = threading.Semaphore(1), [1], [()]

    def wait():
        assert steps.acquire(timeout=60)

    def on_frame(frame, found, event):
        if event:
            live.source.stop()
            return
        assert found.finished is None
        assert found.writing == bool(found.words)
        if found.words != shown[-1]:
            shown.append(found.words)
        if len(found.words) == allowed[0]:
            allowed[0] += 1
            steps.release()

    live = Live(scenes(1), on_frame)
    live.run(hooked(caption_bundle, wait, interval_ms=NEVER))
    words = tuple(live.lines[0]["label"].split())
    assert len(words) > 2
    # All but the last are certain to be seen: with it the caption may be over.
    assert shown[: len(words)] == [words[:count] for count in range(len(words))]
    assert live.seen[-1][1].words == words


def test_the_last_caption_stays_until_the_next_has_a_word(caption_bundle):
    """Of a beam no word comes before the end, and the old caption is never gone meanwhile."""
    live = Live(scenes(3), lambda frame, found, event: len(live.lines) == 3 and live.source.stop())
    live.run(Captioner(changed(caption_bundle, beam=3, interval_ms=1e-3)))
    first = next(number for number, (_, found) in enumerate(live.seen) if found.finished)
    assert all(found.words for _, found in live.seen[first:])
    assert {line["reason"] for line in live.lines} == {"start", "interval"}


def test_a_scene_that_begins_while_a_caption_is_written_gets_the_next(caption_bundle):
    """Its newest frame then, not the one of the cut."""
    go = threading.Event()

    def on_frame(frame, found, event):
        if frame.index == 12:
            go.set()
        if len(live.lines) == 2:
            live.source.stop()

    a, b = scenes(2)
    live = Live([a] * 6 + [b], on_frame)
    live.run(hooked(caption_bundle, lambda: go.wait(60), interval_ms=NEVER, scene_cut=CUT))
    (_, second) = live.lines
    assert [line["reason"] for line in live.lines] == ["start", "scene_cut"]
    assert second["frame"] > 12
    assert [line["label"] for line in live.lines] == [
        Captioner(caption_bundle).caption(x)[0].text for x in (a, b)
    ]
    assert second["ts_ms"] > live.lines[0]["ts_ms"]


def test_two_cameras_share_the_captioner_in_turn(caption_bundle):
    def on_frame(frame, found, event):
        if len(first.lines) >= 4 and len(second.lines) >= 4:
            first.source.stop()
            second.source.stop()

    first, second = (Live(scenes(1, n), on_frame, name=f"camera {n}") for n in range(2))
    captioner = Captioner(changed(caption_bundle, interval_ms=1e-3))
    try:
        summary = stream([first.source, second.source], captioner, [watch(first.sink), watch(second.sink)])
    finally:
        first.close()
        second.close()
    for number, live in enumerate((first, second)):
        assert {line["label"] for line in live.lines} == {captioner.caption(scenes(1, number)[0])[0].text}
        assert live.lines[0]["reason"] == "start"
    assert summary["captions"] == len(first.lines) + len(second.lines)


def test_a_file_beside_a_camera_gives_what_it_gives_alone(caption_bundle, film):
    captioner = Captioner(changed(caption_bundle, interval_ms=500.0, scene_cut=CUT))
    live = Live(scenes(6)[3:], ends=True)
    lines = []
    with pytest.raises(SourceLostError), open_source(str(film)) as source:
        stream(
            [source, live.source],
            captioner,
            [watch(live.sink), watch(lambda *given: given[2] and lines.append(given[2]))],
        )
    live.close()
    own = [line for line in lines if line["source"] == str(film)]
    assert untimed(own, "source") == untimed(run(captioner, film)[0])
    assert live.lines


# --- ends ----------------------------------------------------------------------------------------------


def test_the_caption_at_the_end_of_a_live_source_is_waited_for(caption_bundle):
    live = Live(scenes(1))
    summary = live.run(Captioner(caption_bundle), max_frames=1)
    assert told(live.lines) == [(0, "start")]
    assert (summary["frames"], summary["captions"]) == (1, 1)


def test_a_lost_camera_leaves_its_last_caption(caption_bundle):
    live = Live(scenes(1), ends=True)
    with pytest.raises(SourceLostError, match="stopped delivering after 1 frames"):
        live.run(Captioner(caption_bundle))
    assert told(live.lines) == [(0, "start")]


def test_a_stopped_source_ends_the_search_at_its_next_step(caption_bundle):
    """Also of a beam, which tells no word before its end."""
    begun, stopped, steps = threading.Event(), threading.Event(), []

    def wait():
        steps.append(1)
        begun.set()
        assert stopped.wait(60)

    def on_frame(frame, found, event):
        if begun.is_set():
            live.source.stop()
            stopped.set()

    live = Live(scenes(1), on_frame)
    summary = live.run(hooked(caption_bundle, wait, beam=3))
    assert live.lines == []
    assert len(steps) <= 2
    assert (summary["captions"], summary["reasons"], summary["latency_us"]) == (0, {}, None)


def test_a_stopped_file_ends_within_its_caption(caption_bundle, film):
    with open_source(str(film)) as source:
        summary = stream(source, hooked(caption_bundle, source.stop))
    assert (summary["frames"], summary["captions"]) == (1, 0)


@pytest.mark.parametrize("place", ["live", "live at its end", "file"])
def test_an_error_of_the_model_ends_the_run(caption_bundle, film, place):
    calls = []

    def fail():
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the accelerator is gone")

    captioner = hooked(caption_bundle, fail)
    start = {
        "live": lambda: Live(scenes(1)).run(captioner),
        "live at its end": lambda: Live(scenes(1)).run(captioner, max_frames=1),
        "file": lambda: run(captioner, film),
    }
    with pytest.raises(RuntimeError, match="the accelerator is gone"):
        start[place]()
    assert len(calls) == 2


def test_damaged_weights_are_the_same_message_in_a_thread(caption_bundle):
    class Damaged(Tensor):
        def decode(self, raw):
            return super().decode(raw) * np.float32("nan")

    captioner = hooked(caption_bundle, lambda: None)
    y = captioner._y
    captioner._y = Damaged(y.name, y.shape, y.dtype, y.scale, y.zero_point)
    with pytest.raises(InputError, match="the model's weights are damaged"):
        Live(scenes(1)).run(captioner)


def test_an_error_of_a_sink_leaves_no_thread(caption_bundle):
    go = threading.Event()

    def on_frame(frame, found, event):
        if frame.index == 3:
            go.set()
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        Live(scenes(1), on_frame).run(hooked(caption_bundle, lambda: go.wait(60)))


@pytest.mark.parametrize("stopped", [True, False])
def test_a_model_that_hangs_does_not_hang_the_run(caption_bundle, monkeypatch, stopped):
    monkeypatch.setattr(caption_writer, "_PATIENCE_S", 0.2)
    monkeypatch.setattr(caption_writer, "_JOIN_S", 0.2)
    begun, go = threading.Event(), threading.Event()

    def hang():
        begun.set()
        go.wait()

    def on_frame(frame, found, event):
        if stopped and begun.is_set():
            live.source.stop()

    live = Live(scenes(1), on_frame)
    captioner = hooked(caption_bundle, hang)
    try:
        if stopped:
            assert live.run(captioner)["captions"] == 0
        else:
            with pytest.raises(TimeoutError, match=r"the caption of frame 0: not done in 0\.2 s"):
                live.run(captioner, max_frames=2)
    finally:
        go.set()
        for thread in writers():
            thread.join(20)
