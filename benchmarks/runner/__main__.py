"""``python -m benchmarks.runner [BUNDLE]``: what the runner costs beside the bare interpreter, and how late it is."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.runner.model import write_random_bundle
from rnnedge_device.bundle import read_bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.recording import write_frame, write_head
from rnnedge_device.runner.runner import Runner
from rnnedge_device.sinks import CallSink, Message
from rnnedge_device.source import Frame
from rnnedge_device.stepper import RowStepper

LIVE_FPS, WARM_UP = 30, 30


def bare(model: ClipModel, images: np.ndarray) -> tuple[float, float]:
    """The interpreter alone, its inputs made before and the state carried over: steps a second, by the clock and by
    the thread's own time."""
    encoded = [model.encode(model.preprocess.pixels(image)) for image in images]
    stepper = RowStepper(model.engine, model.form)
    for one in encoded[:WARM_UP]:
        stepper.feed(one)
    begin, own = time.perf_counter(), time.thread_time()
    for one in encoded:
        stepper.feed(one)
    passed, spent = time.perf_counter() - begin, time.thread_time() - own
    return len(encoded) / passed, len(encoded) / spent


def piped(bundle: Path, recording: Path, folder: Path, count: int) -> tuple[float, float]:
    """Capture, hand-over, preprocessing, model, events and a sink: frames a second, by the clock and by the own time of
    the thread that computes. They come from a file of raw ones, so that nothing is decoded."""
    times: list[tuple[float, float]] = []

    def seen(message: Message) -> None:
        times.append((time.perf_counter(), time.thread_time()))

    runner = run(bundle, f"replay:{recording}", folder, seen)
    assert runner.status.progress == count
    (begin, own), (end, spent) = times[WARM_UP], times[-1]
    steps = len(times) - 1 - WARM_UP
    return steps / (end - begin), steps / (spent - own)


def run(bundle: Path, source: str, folder: Path, seen: Any) -> Runner:
    """A runner with one camera from beginning to end."""
    path = folder / "bench.toml"
    path.write_text(f'[[camera]]\nname = "bench"\nsource = "{source}"\nbundle = "{bundle}"\n')
    runner = Runner(path, extra={"seen": CallSink(seen)})
    code = runner.run()
    assert code == 0
    return runner


def live(bundle: Path, folder: Path, seconds: float, size: tuple[int, int]) -> dict[str, Any]:
    """Milliseconds from capture to the sink, and how old frames are when the model takes them, at 30 a second."""
    late: list[float] = []
    step_ms: list[float] = []

    def seen(message: Message) -> None:
        if message.line and message.frame is not None:
            late.append((time.monotonic() - message.frame.taken_s) * 1000)
            step_ms.append(message.line["latency_ms"])

    width, height = size
    source = f"live:synthetic:{width}x{height}@{LIVE_FPS}x{round(seconds * LIVE_FPS)}"
    runner = run(bundle, source, folder, seen)
    status = runner.status.snapshot()["cameras"]["bench"]
    ages = np.array(runner.status.cameras["bench"].ages_ms)
    inference, event = np.percentile(step_ms[WARM_UP:], 99), np.percentile(late[WARM_UP:], 99)
    return {
        "steps": len(late),
        "dropped": status["dropped"],
        "inference_ms_p99": round(float(inference), 3),
        "capture_to_event_ms": {f"p{p}": round(float(np.percentile(late[WARM_UP:], p)), 3) for p in (50, 99)},
        "over_inference_ms_p99": round(float(event - inference), 3),
        "age_ms": {"p99": round(float(np.percentile(ages, 99)), 3), "max": round(float(ages.max()), 3)},
        "frame_period_ms": round(1000 / LIVE_FPS, 1),
    }


def record(path: Path, images: np.ndarray, rate: float) -> None:
    """Raw frames at the model's own rate: each of them is a step."""
    with path.open("wb") as stream:
        write_head(stream, rate, True)
        for number, image in enumerate(images):
            write_frame(stream, Frame(image, number, number * 1000 / rate))


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--frames", default=1500, show_default=True, help="For the throughput.")
@click.option("--rounds", default=5, show_default=True, help="Of both in turns; the median counts.")
@click.option("--seconds", default=60.0, show_default=True, help="Of live frames, for the latency.")
@click.option("--size", nargs=2, default=(640, 480), show_default=True, help="Of the live frames.")
@click.option("--out", type=click.Path(path_type=Path), help="Also write the figures there, as JSON.")
def main(
    bundle: Path | None, frames: int, rounds: int, seconds: float, size: tuple[int, int], out: Path | None
) -> None:
    """Overhead and latency of the runner on a clip BUNDLE; a random one of a small MobileNet's size if not given."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if bundle is None:
            bundle = folder / "random.rnnedge"
            write_random_bundle(bundle)
        loaded = read_bundle(bundle)
        if loaded.manifest.clip is None:
            raise InputError(f"bundle {str(bundle)!r}: must be of task clips")
        model = ClipModel(loaded)
        images = np.random.default_rng(0).integers(0, 256, (frames, *model.preprocess.shape), np.uint8)
        images = images[..., 0] if images.shape[-1] == 1 else images
        recording = folder / "frames.rec"
        record(recording, images, loaded.manifest.clip.rate)
        found: dict[str, list[tuple[float, float]]] = {"bare": [], "runner": []}
        for _ in range(rounds):
            found["bare"].append(bare(model, images))
            found["runner"].append(piped(bundle, recording, folder, frames))
        alone, mine = np.array(found["bare"]), np.array(found["runner"])
        clock, own = np.median(mine / alone, axis=0)
        result = {
            "bundle": loaded.manifest.name,
            "bare_steps_s": round(float(np.median(alone[:, 0])), 1),
            "runner_frames_s": round(float(np.median(mine[:, 0])), 1),
            "share": round(float(clock), 4),
            # On a machine with other work on it the clock tells more about that.
            "share_of_thread_time": round(float(own), 4),
            "live": live(bundle, folder, seconds, size),
        }
    click.echo(json.dumps(result, indent=1))
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except InputError as problem:
        sys.exit(f"benchmarks.runner: {problem}")
