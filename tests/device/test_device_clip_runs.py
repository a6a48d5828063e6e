"""Clip bundles on whole sources, as `rnnedge-run` streams them: lines, events, videos, several sources, an hour."""

import itertools
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_clips import CLIP, CUT, RATE, brightness, write_film
from watching import watch

from rnnedge_device import sinks
from rnnedge_device.bundle import Bundle, read_bundle, write_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.golden import Golden
from rnnedge_device.overlay import Overlay
from rnnedge_device.sources import open_source
from rnnedge_device.sources.live import LiveSource
from rnnedge_device.stream import stream

# What the film's light does: (label, begin, end) in ms. A model of ten steps a second sees it a step late at most.
TRUTH = [("brighter", 1000, 2000), ("darker", 3000, 4000)]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """The film at several rates, as real videos, by frames a second."""
    folder = tmp_path_factory.mktemp("films")
    return {fps: write_film(folder / f"film{fps}.avi", fps) for fps in (10, 15, 30)}


def run(model, *specs, **options):
    """Every line of a stream over the sources, and its summary."""
    lines = []

    def remember(frame, prediction, event):
        if event:
            lines.append(event)

    with_sources = [open_source(str(spec)) for spec in specs]
    try:
        summary = stream(with_sources, model, [watch(remember), *options.pop("sinks", [])], **options)
    finally:
        for source in with_sources:
            source.close()
    return lines, summary


def split(lines):
    """(steps, events)"""
    return [e for e in lines if "event" not in e], [e for e in lines if "event" in e]


def spans(lines):
    return [(e["label"], e["start_ms"], e["end_ms"]) for e in lines if e.get("event") == "end"]


def untimed(lines):
    """The lines without what no two runs share."""
    return [
        {key: value for key, value in line.items() if key not in ("latency_ms", "source")} for line in lines
    ]


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


# --- lines and events of one source --------------------------------------------------------------------


@pytest.mark.parametrize("fps", [10, 15, 30])
def test_events_of_a_real_video_have_the_right_times(tiny_clips, film, fps):
    lines, summary = run(tiny_clips.model(), film[fps])
    found = spans(lines)
    assert [label for label, _, _ in found] == [label for label, _, _ in TRUTH]
    for (_, start, end), (_, begin, over) in zip(found, TRUTH, strict=True):
        assert begin < start <= begin + 1000 / RATE + 500 / fps
        assert over <= end <= over + 1000 / RATE + 500 / fps
    assert summary["frames"] == 5 * fps
    assert summary["steps"] == pytest.approx(50, abs=1)
    assert summary["events"] == {"brighter": 1, "darker": 1}
    assert summary["resets"] == {"start": 1}
    assert sum(summary["labels"].values()) == summary["steps"]


def test_a_line_a_step_and_event_lines_beside_them(tiny_clips, film):
    lines, _ = run(tiny_clips.model(), film[30])
    steps, events = split(lines)
    assert list(steps[0]) == ["ts_ms", "frame", "task", "label", "score", "latency_ms", "reset"]
    assert steps[0]["reset"] == "start"
    assert all(list(line) == ["ts_ms", "frame", "task", "label", "score", "latency_ms"] for line in steps[1:])
    assert [line["frame"] for line in steps] == list(range(0, 150, 3))
    assert [line["ts_ms"] for line in steps] == pytest.approx([100 * n for n in range(50)], abs=0.01)
    assert {line["task"] for line in lines} == {"clips"}
    starts = [event for event in events if event["event"] == "start"]
    assert all(list(event) == ["ts_ms", "task", "event", "label", "start_ms", "score"] for event in starts)
    assert all(event["ts_ms"] - event["start_ms"] >= CLIP.events.min_ms for event in starts)
    assert [line["ts_ms"] for line in lines] == sorted(line["ts_ms"] for line in lines)
    # A start comes right behind the step that reported it.
    for number, line in enumerate(lines):
        if line.get("event") == "start":
            assert lines[number - 1]["ts_ms"] == line["ts_ms"]
            assert lines[number - 1]["label"] == line["label"]


def test_an_event_that_runs_at_the_end_of_the_source_ends_there(tiny_clips, film):
    lines, _ = run(tiny_clips.model(), film[30], max_frames=50)
    assert lines[-1]["event"] == "end"
    assert spans(lines) == [("brighter", pytest.approx(1100), pytest.approx(1600))]


def test_a_cut_ends_what_ran_before_the_new_scene_begins(tiny_clips, tmp_path):
    """A film that gets brighter, cut to one of noise."""
    writer = cv2.VideoWriter(str(tmp_path / "cut.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (96, 80))
    board = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((10, 12))).astype(np.uint8) * 255
    pictures = [np.full((80, 96), round(brightness(100 * number)), np.uint8) for number in range(18)]
    for picture in [*pictures, *[board] * 10]:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    lines, summary = run(tiny_clips.model(scene_cut=CUT), tmp_path / "cut.avi")
    assert summary["resets"] == {"start": 1, "cut": 1}
    (number,) = [number for number, line in enumerate(lines) if line.get("reset") == "cut"]
    assert lines[number]["frame"] == 18
    assert (lines[number - 1]["event"], lines[number - 1]["end_ms"]) == ("end", pytest.approx(1700))
    assert [line["ts_ms"] for line in lines] == sorted(line["ts_ms"] for line in lines)


def test_the_saved_video_has_every_frame_once(tiny_clips, film, tmp_path):
    """Also those between two steps, and a held one not twice; the video is as long as the source."""
    for fps in (10, 30):
        path = tmp_path / f"seen{fps}.mp4"
        with sinks.VideoFile(str(path), fps) as sink:
            run(tiny_clips.model(fps=60.0 if fps == 10 else 20.0), film[fps], sinks=[sink])
        with open_source(str(path)) as source:
            seen = list(source)
        assert len(seen) == 5 * fps
        assert seen[-1].ts_ms == pytest.approx(5000 - 1000 / fps, abs=1)


def test_the_overlay_shows_the_events_that_run(tiny_clips):
    stream_ = tiny_clips.model().open_stream()
    image = np.full((240, 320), 60, np.uint8)
    calm = stream_.step(image[:8, :8, None])
    for level in range(72, 120, 12):
        rising = stream_.step(np.full((8, 8, 1), level, np.uint8))
    assert (calm.running, rising.running) == ((), ("brighter",))
    red = [(Overlay()(image, prediction) == (60, 60, 220)).all(axis=2) for prediction in (calm, rising)]
    assert not red[0].any()
    assert red[1][:24, :40].mean() > 0.5
    assert not red[1][60:].any()


def test_people_see_labels_and_events(clip_bundle_path, film, run_cli):
    code, out, err = run_cli(clip_bundle_path, "--source", film[30])
    assert (code, err) == (0, "")
    *lines, summary = out.splitlines()
    assert summary.startswith("150 frames, 50 steps in ")
    assert [line.split()[4:7] for line in lines if " of " in line] == [
        ["start", "of", "brighter,"],
        ["end", "of", "brighter,"],
        ["start", "of", "darker,"],
        ["end", "of", "darker,"],
    ]
    assert any(line.split()[4] == "still" for line in lines)


# --- images as frames ----------------------------------------------------------------------------------


def test_a_folder_of_frames_streams_at_its_rate(clip_bundle_path, film, tmp_path, run_cli):
    """The same film as PNG files; 15 frames a second by the source's text."""
    folder = tmp_path / "frames"
    folder.mkdir()
    with open_source(str(film[15])) as source:
        for frame in source:
            cv2.imwrite(str(folder / f"{frame.index:05d}.png"), frame.image)
    code, out, _ = run_cli(clip_bundle_path, "--source", f"{folder}@15", "--jsonl", "-")
    expected = run_cli(clip_bundle_path, "--source", film[15], "--jsonl", "-")[1]
    assert code == 0
    for mine, other in zip(untimed(lines_of(out)), untimed(lines_of(expected)), strict=True):
        assert mine == pytest.approx(other, abs=0.002)


def test_images_without_a_rate_are_refused_for_clips(clip_bundle_path, pictures, run_cli):
    code, out, err = run_cli(clip_bundle_path, "--source", pictures)
    assert (code, out) == (2, "")
    assert "FOLDER@12" in err


# --- several sources -----------------------------------------------------------------------------------


def test_several_sources_at_once_give_what_each_gives_alone(tiny_clips, film):
    model = tiny_clips.model("int8", scene_cut=CUT)
    specs = [film[30], "synthetic:64x48@25x60", film[10], "synthetic:40x40@7x30"]
    together, summary = run(model, *specs)
    assert summary["frames"] == 150 + 60 + 50 + 30
    for spec in map(str, specs):
        own = [line for line in together if line["source"] == spec]
        assert untimed(own) == untimed(run(model, spec)[0])
    # They did take turns: the shortest source was over long before the longest.
    order = [line["source"] for line in together]
    assert order.index(str(film[10])) < 5
    assert summary["sources"][str(film[10])] == {"frames": 50, "dropped": 0, "skipped": 0}
    assert summary["resets"]["start"] == 4


def test_two_sources_at_the_command_line(clip_bundle_path, film, tmp_path, run_cli):
    """The same film twice: two names, two states, two videos, one file of lines."""
    jsonl, video = tmp_path / "lines.jsonl", tmp_path / "seen.mp4"
    arguments = ("--source", film[30], "--source", film[30], "--jsonl", jsonl, "--save", video, "--json")
    code, out, err = run_cli(clip_bundle_path, *arguments)
    assert (code, err) == (0, "")
    summary = json.loads(out)
    names = [str(film[30]), f"{film[30]}#2"]
    assert list(summary["sources"]) == names
    assert (summary["frames"], summary["steps"], summary["form"]) == (300, 100, "step")
    assert summary["events"] == {"brighter": 2, "darker": 2}
    lines = lines_of(jsonl.read_text())
    first, second = ([line for line in lines if line["source"] == name] for name in names)
    assert len(first) + len(second) == len(lines)
    assert untimed(first) == untimed(second)
    assert [label for label, _, _ in spans(first)] == ["brighter", "darker"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.jsonl", "seen-2.mp4", "seen.mp4"]
    for name in ("seen.mp4", "seen-2.mp4"):
        with open_source(str(tmp_path / name)) as source:
            assert len(list(source)) == 150


def test_max_frames_counts_for_each_source(clip_bundle_path, run_cli):
    sources = ("--source", "synthetic", "--source", "synthetic:8x8@30x4")
    code, out, _ = run_cli(clip_bundle_path, *sources, "--max-frames", 9, "--json")
    assert code == 0
    assert [own["frames"] for own in json.loads(out)["sources"].values()] == [9, 4]


def test_a_classifier_takes_one_source(bundle_path, run_cli):
    code, out, err = run_cli(bundle_path, "--source", "synthetic:8x8x1", "--source", "synthetic:8x8x1")
    assert (code, out) == (2, "")
    assert "2 sources: a bundle of task classify takes one" in err


def test_a_lost_camera_ends_after_the_others(
    clip_bundle_path, clip, film, tmp_path, run_cli, monkeypatch, no_restarts
):
    """A video file plays the camera and ends, as if it were unplugged; the other source goes on."""
    monkeypatch.setattr(
        "rnnedge_device.sources.open_camera",
        lambda spec, open_s: LiveSource(cv2.VideoCapture(str(clip)), spec),
    )
    jsonl = tmp_path / "lines.jsonl"
    code, out, err = run_cli(
        clip_bundle_path, "--source", "0", "--source", film[30], "--jsonl", jsonl, "--json"
    )
    assert code == 3
    assert "'0': stopped delivering after 24 frames" in err
    assert json.loads(out)["sources"][str(film[30])]["frames"] == 150
    lines = lines_of(jsonl.read_text())
    own = [line for line in lines if line["source"] == str(film[30])]
    assert [label for label, _, _ in spans(own)] == ["brighter", "darker"]


def test_a_camera_that_never_delivers_costs_the_others_nothing(
    clip_bundle_path, film, tmp_path, run_cli, monkeypatch, no_restarts
):
    monkeypatch.setattr(
        "rnnedge_device.sources.open_camera", lambda spec, open_s: LiveSource(cv2.VideoCapture(), spec)
    )
    sources = ("--source", "0", "--source", film[10])
    outputs = ("--save", tmp_path / "seen.mp4", "--jsonl", tmp_path / "lines.jsonl")
    code, _, err = run_cli(clip_bundle_path, *sources, *outputs)
    assert code == 3
    assert "'0': stopped delivering after 0 frames" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lines.jsonl", "seen-2.mp4"]
    assert len(spans(lines_of((tmp_path / "lines.jsonl").read_text()))) == 2
    with open_source(str(tmp_path / "seen-2.mp4")) as source:
        assert len(list(source)) == 50


# --- the process ---------------------------------------------------------------------------------------


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "rnnedge_device", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="no such signal on this system")
def test_the_signal_usr1_begins_anew(clip_bundle_path):
    sources = ("--source", "synthetic:16x16@30", "--source", "synthetic:24x24@30")
    process = start(clip_bundle_path, *sources, "--jsonl", "-")
    begun = {line["source"] for line in map(json.loads, itertools.islice(process.stdout, 20))}
    assert len(begun) == 2
    process.send_signal(signal.SIGUSR1)
    anew = {}
    for line in map(json.loads, process.stdout):
        if line.get("reset") == "demand":
            anew[line["source"]] = line["frame"]
        if len(anew) == 2:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert len(anew) == 2
    assert process.returncode == 130


def test_ctrl_c_ends_every_source_and_its_events(clip_bundle_path, tmp_path):
    jsonl = tmp_path / "lines.jsonl"
    sources = ("--source", "synthetic:16x16@30", "--source", "synthetic:24x24@30")
    process = start(clip_bundle_path, *sources, "--jsonl", jsonl)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    events = split(lines_of(jsonl.read_text()))[1]
    for source in ("synthetic:16x16@30", "synthetic:24x24@30"):
        kinds = [event["event"] for event in events if event["source"] == source]
        assert kinds.count("start") == kinds.count("end")


# --- self-test and bad input ---------------------------------------------------------------------------


def test_the_self_test_streams_the_golden_frames(clip_bundle_path, run_cli):
    code, out, _ = run_cli(clip_bundle_path, "--selftest", "--json")
    result = json.loads(out)["selftest"]
    assert code == 0
    assert {form["form"]: form["equal"] for form in result["forms"]} == {"step": 1, "sequence": 1}
    code, out, _ = run_cli(clip_bundle_path, "--selftest")
    assert "self-test passed: step: 10 images" in out


@pytest.mark.parametrize("form", ["step", "sequence"])
def test_the_self_test_fails_where_the_state_is_not_carried(clip_bundle_path, tmp_path, run_cli, form):
    """Expected outputs in another order of frames: what a device without memory might give."""
    bundle = read_bundle(clip_bundle_path)
    golden = Golden.from_bytes(bundle.members["golden.npz"])
    swapped = {**golden.outputs, form: golden.outputs[form][::-1]}
    members = {**bundle.members, "golden.npz": Golden(golden.images, swapped).to_bytes()}
    write_bundle(tmp_path / "bad.rnnedge", bundle.manifest, members)
    code, out, _ = run_cli(tmp_path / "bad.rnnedge", "--selftest")
    assert code == 1
    assert out.count("FAILED") == 1
    assert f"self-test FAILED: {form}" in out


def test_a_clip_bundle_comes_back_as_it_was_written(tiny_clips, clip_bundle_path):
    bundle = read_bundle(clip_bundle_path)
    assert bundle.manifest.clip == CLIP
    assert bundle.manifest.forms == tiny_clips.manifest().forms
    assert bundle.model("step") == bundle.model("sequence") == tiny_clips.models["light"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--form", "sequence"), "streamed by the form step"),
        (("--form", "loop"), "this bundle has step, sequence"),
        (("--source", "gone.mp4"), "no such file"),
    ],
)
def test_bad_arguments_are_one_message_and_exit_code_2(clip_bundle_path, run_cli, arguments, message):
    code, out, err = run_cli(clip_bundle_path, "--source", "synthetic:8x8x1", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_each_task_has_its_own_model(clip_bundle_path, tiny):
    with pytest.raises(BundleError, match="a classifier takes a bundle of task classify"):
        Classifier(read_bundle(clip_bundle_path))
    model = Classifier(Bundle(tiny.manifest(), tiny.members()))
    with open_source("synthetic:8x8x1") as a, open_source("synthetic:8x8x1") as b:  # noqa: SIM117
        with pytest.raises(InputError, match="2 sources"):
            stream([a, b], model)


# --- real clips, long streams --------------------------------------------------------------------------


def test_real_sign_word_clips_run_from_file_to_events(tiny_clips, real_data, tmp_path, run_cli):
    """Not trained for them; what counts is that steps are real frames, near the grid, and events lie on steps."""
    path, clip = tmp_path / "signs.rnnedge", replace(CLIP, background="")  # so that still is an event as well
    write_bundle(path, tiny_clips.manifest(clip=clip), {"model.tflite": tiny_clips.models["light"]})
    words = sorted((real_data / "camera_videos" / "asl_gestures").glob("*.mkv"))[:4]
    assert len(words) == 4
    sources = itertools.chain.from_iterable(("--source", word) for word in words)
    code, _, _ = run_cli(path, *sources, "--jsonl", tmp_path / "lines.jsonl", "--json")
    assert code == 0
    lines = lines_of((tmp_path / "lines.jsonl").read_text())
    for word in words:
        capture, positions = cv2.VideoCapture(str(word)), []
        while capture.grab():
            positions.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        steps, events = split([line for line in lines if line["source"] == str(word)])
        times = [line["ts_ms"] for line in steps]
        assert times == pytest.approx([positions[line["frame"]] for line in steps], abs=0.001)
        grid = np.arange(len(times)) * 1000 / RATE
        # A missing frame in a recording makes the step before or after it a frame early or late.
        assert np.abs(np.array(times) - grid).max() <= 1000 / 30 + 1
        assert positions[-1] - times[-1] <= 1000 / RATE
        for event in events:
            assert event["start_ms"] in times
            assert event.get("end_ms", times[-1]) in times
        assert spans(events)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read the memory from")
def test_an_hour_at_30_frames_a_second_runs_in_flat_memory(tiny_clips):
    """108,000 drawn frames; a leak of a hundred bytes a step would show."""
    frames, memory = 108_000, {}

    def measure(frame, prediction, event):
        if frame.index in (frames // 10, frames - 1) and frame.index not in memory:
            memory[frame.index] = resident_bytes()

    model = tiny_clips.model("int8", scene_cut=CUT, background="")
    with open_source(f"synthetic:16x12@30x{frames}") as source, sinks.JsonLines(os.devnull) as lines:
        summary = stream(source, model, [watch(measure), lines])
    assert summary["frames"] == frames
    assert summary["steps"] == 3600 * RATE
    assert sum(summary["events"].values()) > 100
    early, late = memory.values()
    assert late - early < 2 * 2**20
