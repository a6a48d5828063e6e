"""The clips road on real scans: the demo's outputs, the commands on what it made, and real camera videos."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import rnnedge_here, run_device, run_device_here

from rnnedge.data import load_clips
from rnnedge.data.clips import ClipOptions
from rnnedge.data.motion import COUNTS
from rnnedge_device.bundle import read_bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.selftest import self_test

# Half as many frames a clip, half as many steps a frame.
SMALLER = ("train.epochs=4", "quantize.epochs=1", "clip.length=12", "model.rows_per_step=4")
CLIPS = 360
FAST = [word for setting in SMALLER for word in ("--set", setting)]


@pytest.fixture(scope="module", autouse=True)
def fewer() -> Iterator[None]:
    """A part of the clips that the model is tuned and scored on: the same ones, each streamed by three arithmetics."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COUNTS, "val", 120)
        patch.setitem(COUNTS, "test", CLIPS)
        yield


@pytest.fixture(scope="module")
def demo(fewer: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `rnnedge demo --task clips`, much shorter than the real one."""
    out = tmp_path_factory.mktemp("runs") / "demo-clips"
    rnnedge_here("demo", "--task", "clips", "--out", out, *FAST, "--json")
    return out


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def _lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_summary_holds_what_it_promises(demo: Path) -> None:
    summary = _json(demo / "summary.json")
    clips = summary["clip_accuracy"]
    assert set(clips) == {"float", "qat", "int8", "single_frame", "clips"}
    assert clips["clips"] == CLIPS
    assert clips["single_frame"] < 0.30
    assert clips["int8"] > clips["single_frame"] + 0.3
    assert abs(clips["int8"] - clips["float"]) < 0.05
    same = summary["stream_equals_batch"]
    assert same["max_abs"] == 0
    assert same["float_max_abs"] < 1e-5
    assert same["frames"] >= 200
    assert 0 < summary["step_us"] < summary["window_us"]


def test_the_demo_leaves_its_files(demo: Path) -> None:
    names = {path.name for path in demo.iterdir()}
    assert {
        "report.html",
        "motion-rows.rnnedge",
        "camera.mp4",
        "stream.mp4",
        "events.jsonl",
        "summary.json",
    } <= names
    film = cv2.VideoCapture(str(demo / "camera.mp4"))
    seen = cv2.VideoCapture(str(demo / "stream.mp4"))
    frames = int(film.get(cv2.CAP_PROP_FRAME_COUNT))
    assert (
        frames == int(seen.get(cv2.CAP_PROP_FRAME_COUNT)) == _json(demo / "summary.json")["stream"]["frames"]
    )
    lines = _lines((demo / "events.jsonl").read_text())
    steps = [line for line in lines if "event" not in line]
    assert len(steps) == pytest.approx(
        frames / 2, abs=2
    )  # the film has 20 frames a second, the model takes 10
    assert {"ts_ms", "frame", "task", "label", "score", "latency_ms"} <= set(steps[0])


def test_the_bundle_passes_its_self_test(demo: Path) -> None:
    result = self_test(read_bundle(demo / "motion-rows.rnnedge"))
    assert result["ok"]
    assert result["forms"][0]["max_lsb"] == 0


def test_the_bundle_is_scored_by_command(demo: Path) -> None:
    done = rnnedge_here("evaluate", demo / "motion-rows.rnnedge", "--data", "motion", "--json")
    figures = json.loads(done.stdout)
    assert figures["clips"]["accuracy"] == _json(demo / "summary.json")["clip_accuracy"]["int8"]
    assert sum(map(sum, figures["clips"]["confusion"])) == CLIPS
    wrong = rnnedge_here("evaluate", demo / "motion-rows.rnnedge", check=False)
    assert wrong.returncode == 2
    assert "motion, videos:PATH, events:PATH" in wrong.stderr


def test_the_keras_model_is_scored_by_command(demo: Path) -> None:
    figures = json.loads(rnnedge_here("evaluate", demo / "model.keras", "--json").stdout)
    assert figures["clips"]["accuracy"] == pytest.approx(
        _json(demo / "summary.json")["clip_accuracy"]["float"]
    )


def test_streams_do_not_depend_on_how_a_clip_is_read(demo: Path) -> None:
    """Frame by frame, in chunks of the sequence signature, and beside another clip: the same bits."""
    model = ClipModel(read_bundle(demo / "motion-rows.rnnedge"))
    pre = model.preprocess
    a, b = (
        np.concatenate([np.asarray(clip.frames[:]) for clip in chosen])
        for chosen in np.array_split(
            np.array(load_clips("motion", "val", preprocess=pre, clip=ClipOptions()).clips[:24], object), 2
        )
    )
    alone = np.stack([model.open_stream().step(a[0]).raw, *_rest(model, a)])
    assert len(a) >= 150
    assert np.array_equal(model.sequence(a), alone)
    left, right = model.open_stream("left"), model.open_stream("right")
    together = []
    for index in range(len(a)):
        together.append(left.step(a[index]).raw)
        right.step(b[index % len(b)])
    assert np.array_equal(np.stack(together), alone)
    left.reset()
    assert np.array_equal(np.stack([left.step(frame).raw for frame in a]), alone)


def _rest(model: ClipModel, frames: np.ndarray) -> list[np.ndarray]:
    stream = model.open_stream()
    return [stream.step(frame).raw for frame in frames][1:]


def test_real_sign_words_from_file_to_events(demo: Path, real_data: Path, tmp_path: Path) -> None:
    """Real videos, one word each, through the device command: every event lies in its video, starts before ends."""
    words = sorted((real_data / "camera_videos" / "asl_gestures").glob("*.mkv"))
    assert len(words) == 20
    for word in words:
        film = cv2.VideoCapture(str(word))
        times = []
        while film.grab():
            times.append(film.get(cv2.CAP_PROP_POS_MSEC))
        command = (demo / "motion-rows.rnnedge", "--source", word, "--jsonl", "-")
        # One of them as a user would run it; a process each would take longer than the videos.
        lines = _lines(run_device(*command).stdout if word == words[0] else run_device_here(*command))
        steps = [line for line in lines if "event" not in line]
        events = [line for line in lines if "event" in line]
        shown = [round(times[line["frame"]], 3) for line in steps]
        # A step has its frame's own time, or one before it where a slow video's frame is held.
        assert all(line["ts_ms"] <= time + 1e-3 for line, time in zip(steps, shown, strict=True))
        assert len(steps) == pytest.approx((times[-1] - times[0]) / 100, abs=2)
        assert [line["ts_ms"] for line in lines] == sorted(line["ts_ms"] for line in lines)
        running: dict[str, float] = {}
        for event in events:
            if event["event"] == "start":
                assert event["label"] not in running
                running[event["label"]] = event["start_ms"]
            else:
                assert running.pop(event["label"]) == event["start_ms"] < event["end_ms"] <= times[-1]
        assert not running


def test_the_streaming_benchmark_compares_steps_with_windows(demo: Path, tmp_path: Path) -> None:
    figures = tmp_path / "streaming.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.streaming",
        str(demo / "motion-rows.rnnedge"),
        "--rounds",
        "50",
    ]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*command, "--json", str(figures)], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (result,) = _json(figures)["results"]
    assert {"step after 16 frames", "step after 256 frames"} < set(result["candidates"])
    assert all(row["median_us"] > 0 for row in result["candidates"].values())
    assert result["window_to_step"] > 1
    assert "window / step" in done.stdout
