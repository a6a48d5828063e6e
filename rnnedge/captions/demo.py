"""The captions job, end to end: train, quantise, pack, and caption a film of scenes through the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge.captions.evaluate import score_scenes
from rnnedge.captions.quantize import CaptionOutcome, quantize_captions
from rnnedge.data.captions import CaptionSet, load_captions
from rnnedge.demo import SIDE, load_demo_recipe, play, run_road, write_frames
from rnnedge.runs import Run, Say
from rnnedge.training.progress import ProgressBar
from rnnedge_device.bundle import read_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.sinks import CallSink, Message

SCENES = 20
FPS = 10
HOLD_S = 2  # how long each scene stays on


def run_caption_demo(
    recipe_name: str, out: Path, overrides: tuple[str, ...], say: Say, bar: ProgressBar
) -> dict[str, Any]:
    """Run the whole road into ``out`` and return what ``summary.json`` holds.

    Writes ``report.html``, the bundle, ``camera.mp4`` (the input), ``stream.mp4`` (annotated), ``events.jsonl`` and
    ``summary.json``, beside what ``rnnedge train`` and ``rnnedge quantize`` write.

    Raises:
        InputError: the recipe is none of a captioner on ``shapes``.
    """
    recipe = load_demo_recipe(recipe_name, overrides, "captions", "shapes")

    def finish(run: Run) -> dict[str, Any]:
        outcome = quantize_captions(run, say=say)
        say("3/4 caption a film of scenes through the bundle")
        return {**_figures(outcome, recipe.name), "stream": stream_scenes(outcome.bundle, out)}

    return run_road(recipe, out, finish, say, bar)


def _figures(outcome: CaptionOutcome, recipe: str) -> dict[str, Any]:
    figures = outcome.to_dict()
    keys = ("data", "split", "images", "float", "qat", "int8", "attribute_accuracy", "token_agreement")
    more = ("same_captions", "encode_us", "decode_step_us", "sizes")
    return {"recipe": recipe, **{key: figures[key] for key in (*keys, *more)}}


def stream_scenes(bundle: Path, out: Path) -> dict[str, Any]:
    """Film held-out scenes one after another, play the film through the bundle on the device's code, score it.

    Returns:
        ``{"frames", "fps", "dropped", "captions", "attributes"}``; ``attributes`` is the share that each scene's last
        caption has right.
    """
    film = out / "camera.mp4"
    scenes = load_captions("shapes", "test").take(np.arange(SCENES))
    write_film(scenes, film)
    said = [""] * SCENES

    def remember(message: Message) -> None:
        if message.line:
            said[min(int(message.line["ts_ms"] / 1000 / HOLD_S), SCENES - 1)] = message.line["label"]

    counts = play(film, Captioner(read_bundle(bundle)), out, CallSink(remember))
    return {
        **{key: counts[key] for key in ("frames", "fps", "dropped", "captions")},
        "attributes": score_scenes(said, scenes.scenes)["attributes"],
    }


def write_film(scenes: CaptionSet, path: Path) -> None:
    """Each scene for ``HOLD_S`` seconds, enlarged to what a camera would deliver, as MP4."""
    write_frames((_enlarged(image) for image in scenes.images for _ in range(HOLD_S * FPS)), path, FPS)


def _enlarged(image: np.ndarray) -> np.ndarray:
    factor = -(-2 * SIDE // image.shape[0])
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
