"""The clips job, end to end: train, quantise, pack, and stream a film of motions through the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge.clips.event_scores import detections, score_events
from rnnedge.clips.quantize import ClipOutcome, quantize_clips
from rnnedge.data.clips import Truth
from rnnedge.data.motion import NAMES, motion_video
from rnnedge.demo import SIDE, load_demo_recipe, play, run_road, write_frames
from rnnedge.runs import Run, Say
from rnnedge.training.progress import ProgressBar
from rnnedge_device.bundle import read_bundle
from rnnedge_device.clips import ClipModel
from rnnedge_device.sinks import CallSink, Message

MOTIONS = 24
FPS = 20.0  # of the film: twice the model's rate, so that every other frame is passed over


def run_clip_demo(
    recipe_name: str, out: Path, overrides: tuple[str, ...], say: Say, bar: ProgressBar
) -> dict[str, Any]:
    """Run the whole road into ``out`` and return what ``summary.json`` holds.

    Writes ``report.html``, the bundle, ``camera.mp4`` (the input), ``stream.mp4`` (annotated), ``events.jsonl`` and
    ``summary.json``, beside what ``rnnedge train`` and ``rnnedge quantize`` write.

    Raises:
        InputError: the recipe is none of a clip model on ``motion``.
    """
    recipe = load_demo_recipe(recipe_name, overrides, "clips", "motion")

    def finish(run: Run) -> dict[str, Any]:
        outcome = quantize_clips(run, baseline=True, say=say)
        say("3/4 stream a film of motions through the bundle")
        return {**_figures(outcome, recipe.name), "stream": stream_film(outcome.bundle, out)}

    return run_road(recipe, out, finish, say, bar)


def _figures(outcome: ClipOutcome, recipe: str) -> dict[str, Any]:
    figures = outcome.to_dict()
    keys = (
        "data",
        "clip_accuracy",
        "balanced",
        "agreement",
        "stream_equals_batch",
        "step_us",
        "window_us",
        "size_bytes",
    )
    return {"recipe": recipe, **{key: figures[key] for key in keys}}


def stream_film(bundle: Path, out: Path) -> dict[str, Any]:
    """Film motions one after another, play the film through the bundle on the device's code, score its events."""
    film = out / "camera.mp4"
    truths = write_film(film)
    events: list[dict[str, Any]] = []

    def remember(message: Message) -> None:
        if "event" in message.line:
            events.append(message.line)

    counts = play(film, ClipModel(read_bundle(bundle)), out, CallSink(remember))
    found = detections(events, NAMES)
    hours = truths[-1].end_ms / 3_600_000
    figures = score_events([found], [truths], hours, NAMES)
    keys = ("precision", "recall", "f1", "delay_ms", "events", "detections")
    return {
        **{key: counts[key] for key in ("frames", "steps", "fps", "dropped", "resets")},
        "events": {key: figures[key] for key in keys},
    }


def write_film(path: Path) -> tuple[Truth, ...]:
    """Motions of held-out scans one after another, each a scene of its own, as MP4; when each began and ended."""
    video = motion_video(MOTIONS, fps=FPS)
    factor = -(-SIDE // video.frames.shape[1])
    enlarged = (np.repeat(np.repeat(image, factor, axis=0), factor, axis=1) for image in video.frames)
    write_frames((cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR) for frame in enlarged), path, FPS)
    return video.truths
