"""The main job, end to end: train, quantise, pack, and stream a video of held-out images through the bundle."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge.quantize import Outcome, quantize_run
from rnnedge.recipes import Recipe, load_recipe
from rnnedge.recipes.tasks import KIND
from rnnedge.runs import Run, Say, write_json
from rnnedge.training import train
from rnnedge.training.progress import ProgressBar
from rnnedge_device.bundle import read_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path
from rnnedge_device.sinks import CallSink, Film, JsonLines, Message, Sink, VideoFile
from rnnedge_device.sources import open_source
from rnnedge_device.stream import stream

FPS = 30
HOLD = 2  # frames that each image stays on
SIDE = 160  # pixels of a frame's shorter side


def run_demo(
    recipe_name: str, out: Path, overrides: tuple[str, ...], say: Say, bar: ProgressBar
) -> dict[str, Any]:
    """Run the whole road into ``out`` and return what ``summary.json`` holds.

    Writes ``report.html``, the bundle, ``camera.mp4`` (the input), ``stream.mp4`` (annotated), ``events.jsonl`` and
    ``summary.json``, beside what ``rnnedge train`` and ``rnnedge quantize`` write.
    """
    recipe = load_recipe(recipe_name, overrides)

    def finish(run: Run) -> dict[str, Any]:
        outcome = quantize_run(run, say=say)
        say("3/4 stream a video of held-out images through the bundle")
        return {
            **_figures(outcome, recipe.name),
            "stream": stream_video(run.data("test"), outcome.bundle, out),
        }

    return run_road(recipe, out, finish, say, bar)


def load_demo_recipe(name: str, overrides: tuple[str, ...], task: str, data: str) -> Recipe:
    """The recipe of a demo that knows what ``data`` show.

    Raises:
        InputError: it is of another task, or on other data.
    """
    recipe = load_recipe(name, overrides)
    if recipe.task != task or recipe.data.name != data:
        raise InputError(
            f"--recipe {name}: model.kind={recipe.model.kind!r}, data.name={recipe.data.name!r}; "
            f"the {task} demo takes a recipe of kind {KIND[task]!r} on {data!r}"
        )
    return recipe


def run_road(
    recipe: Recipe, out: Path, finish: Callable[[Run], dict[str, Any]], say: Say, bar: ProgressBar
) -> dict[str, Any]:
    """What every demo does: train, ``finish`` (quantise and stream), ``summary.json`` of what it returns, a report."""
    begin = time.monotonic()
    say(f"1/4 train {recipe.name} on {recipe.data.name}")
    train(recipe, out, overwrite=True, bar=bar)
    say("2/4 fine-tune quantisation-aware, convert to int8, audit")
    summary = {**finish(Run.open(out)), "seconds": round(time.monotonic() - begin, 1)}
    write_json(out / "summary.json", summary)
    say("4/4 report")
    from rnnedge.report import write_report

    write_report(out)
    return summary


def _figures(outcome: Outcome, recipe: str) -> dict[str, Any]:
    figures = outcome.to_dict()
    return {
        "data": figures["data"],
        "recipe": recipe,
        "accuracy": {**figures["accuracy"], "images": figures["images"]},
        "agreement": figures["agreement"],
        "max_lsb": figures["max_lsb"],
        "size_bytes": figures["size_bytes"],
        "latency_us": figures["latency_us"],
        "form": figures["form"],
    }


def stream_video(dataset: Dataset, bundle: Path, out: Path) -> dict[str, Any]:
    """Film the images, play the film through the bundle on the device's code, and score what it saw.

    Returns:
        ``{"frames", "accuracy", "fps", "dropped"}``; the accuracy is over frames.
    """
    film = out / "camera.mp4"
    write_film(dataset, film)
    seen: list[str] = []

    def remember(message: Message) -> None:
        if message.prediction is not None:
            seen.append(message.prediction.label)

    counts = play(film, Classifier(read_bundle(bundle)), out, CallSink(remember))
    truth = [dataset.names[label] for label in dataset.labels for _ in range(HOLD)]
    right = sum(a == b for a, b in zip(seen, truth, strict=True))
    return {
        "frames": counts["frames"],
        "accuracy": right / len(truth),
        "fps": counts["fps"],
        "dropped": counts["dropped"],
    }


def play(film: Path, model: Classifier | ClipModel | Captioner, out: Path, sink: Sink) -> dict[str, Any]:
    """Stream a film through a model into ``events.jsonl``, ``stream.mp4`` and ``sink``; the summary of ``stream``."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(str(film)))
        events = stack.enter_context(JsonLines(str(out / "events.jsonl")))
        video = stack.enter_context(VideoFile(str(out / "stream.mp4"), source.fps))
        return stream(source, model, [sink, events, video])


def write_film(dataset: Dataset, path: Path) -> None:
    """Each image for ``HOLD`` frames, enlarged to what a camera would deliver, as MP4."""
    write_frames((camera_frame(image) for image in dataset.images for _ in range(HOLD)), path, FPS)


def write_frames(frames: Iterable[Any], path: Path, fps: float) -> None:
    """Frames ``uint8 [H, W, 3]`` BGR of one size as MP4."""
    with atomic_path(path) as temporary:
        film = Film(temporary, "mp4v", fps)
        for frame in frames:
            film.add(frame)
        film.release()
        film.check()


def camera_frame(image: np.ndarray) -> np.ndarray:
    """A data-set image as a camera frame, ``uint8 [H, W, 3]`` BGR with a shorter side of at least ``SIDE``."""
    height, width = image.shape[:2]
    factor = max(1, -(-SIDE // min(height, width)))
    frame = cv2.resize(image, (width * factor, height * factor), interpolation=cv2.INTER_CUBIC)
    return cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) if frame.ndim == 2 else frame
