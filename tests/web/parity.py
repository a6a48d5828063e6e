"""500 frames through a bundle by the Python part: raw outputs and the lines of `rnnedge-run`, for the web engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from vectors import Vectors, scene

from rnnedge_device.answers import Answers, Model, open_stream
from rnnedge_device.bundle import read_bundle
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.source import Frame

# So many answers of each bundle: a clip model takes every third frame.
FRAMES = {"classify": 500, "clips": 1500, "captions": 500}
TOKENS = 5  # words that the decoder is led along, a frame


@dataclass(frozen=True)
class Recorded:
    """A source that waits, as a video file does."""

    live: bool = False
    timed: bool = True
    stopped: bool = False


def film(task: str, seed: int = 0) -> tuple[list[np.ndarray], list[float]]:
    """Frames `uint8 [48, 64, 3]` BGR and their times: scenes that change, whose light rises and falls, and a pause.

    30 frames a second; of captions 3, so that a caption falls due often.
    """
    rng = np.random.default_rng(seed)
    pictures, times, time = [], [], 0.0
    for number in range(FRAMES[task]):
        if number % 61 == 0:
            still, way = scene(rng, 48, 64).astype(float), rng.choice([-1, 0, 1])
        light = 0.35 * way * (number % 61 % 24)
        moved = np.roll(still, number % 61, axis=1)
        pictures.append(np.clip(moved + 8 * light + rng.normal(0, 3, still.shape), 0, 255).astype(np.uint8))
        time += 1000 / (3 if task == "captions" else 30) + (2500 if number == 300 else 0)
        times.append(round(time + float(rng.uniform(-4, 4)), 3))
    return pictures, times


def add_parity(
    vectors: Vectors, name: str, path: Path, pictures: Any = None, form: str | None = None
) -> None:
    """An entry `parity`: the bundle's bytes, frames, times, raw outputs and lines."""
    bundle = read_bundle(path)
    task = bundle.manifest.task
    frames, times = film(task)
    frames = frames if pictures is None else list(pictures)
    times = times[: len(frames)]
    model: Model
    if task == "classify":
        model = Classifier(bundle, form)
        raw = np.stack([model.predict(frame).raw for frame in frames])
    elif task == "clips":
        model = ClipModel(bundle)
        stream = model.open_stream()
        raw = np.concatenate(
            [
                step.raw
                for frame, time in zip(frames, times, strict=True)
                for step in stream.feed(Frame(frame, 0, time))
            ]
        )
    else:
        model = Captioner(bundle)
        raw = np.concatenate([_captioned(model, frame) for frame in frames])
    classes = len(model.vocabulary) if isinstance(model, Captioner) else len(model.labels)
    vectors.add(
        "parity",
        name=name,
        task=task,
        bundle=vectors.keep(np.frombuffer(path.read_bytes(), np.uint8)),
        frames=[vectors.picture(frame) for frame in frames],
        times=times,
        tokens=TOKENS,
        dtype=raw.dtype.name,
        classes=classes,
        # Before the answers of each frame: a captioner's encoder outputs.
        lead=raw.size // len(frames) - TOKENS * classes if isinstance(model, Captioner) else 0,
        raw=vectors.keep(raw.ravel()),
        lines=_lines(model, frames, times),
    )


def _captioned(model: Captioner, frame: np.ndarray) -> np.ndarray:
    """What the encoder gives, by name, and the logits along the likeliest words: T rows of K."""
    state = model.encode(frame)
    found, token, carried = [state[name].ravel() for name in sorted(state)], 1, state
    for _ in range(TOKENS):
        logits, carried, _ = model.feed(token, carried)
        found.append(logits)
        token = 4 + int(logits[4:].argmax())
    return np.concatenate(found)


def _lines(model: Model, frames: list[np.ndarray], times: list[float]) -> list[dict[str, Any]]:
    """As `rnnedge-run --jsonl` writes them, without the latency."""
    writer = CaptionWriter(model) if isinstance(model, Captioner) else None
    answers = Answers("camera", open_stream(Recorded(), "camera", model, writer), model.manifest.task)
    messages = []
    for index, (frame, time) in enumerate(zip(frames, times, strict=True)):
        messages += answers.feed(Frame(frame, index, time))[1]
    messages += answers.finish()[1]
    return [
        {key: value for key, value in message.line.items() if key != "latency_ms"}
        for message in messages
        if message.line
    ]


def digits(count: int = FRAMES["classify"]) -> list[np.ndarray]:
    """Real scans as a camera would see them, `uint8 [160, 160, 3]` BGR, noisy."""
    from sklearn.datasets import load_digits

    rng, images = np.random.default_rng(1), load_digits().images[-count:]
    large = [
        cv2.resize((image * 15.9).astype(np.uint8), (80, 80), interpolation=cv2.INTER_CUBIC)
        for image in images
    ]
    noisy = [np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8) for image in large]
    return [cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in noisy]
