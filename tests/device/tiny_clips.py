"""Bundles around the tiny clip models, and films whose light changes."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge_device.bundle import Bundle
from rnnedge_device.clip import ClipSpec
from rnnedge_device.clips import ClipModel
from rnnedge_device.events import EventRules
from rnnedge_device.form import Form
from rnnedge_device.interpreter import load_model
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneCut
from rnnedge_device.source import Frame
from rnnedge_device.tensors import State

LABELS = ("still", "brighter", "darker")
# Before the first frame the light model takes the world for middle grey.
STATES = {
    "light": (State("h0", "h0_next"), State("m0", "m0_next", reset=0.5)),
    "int8": (State("h0", "h0_next"),),
}
CLIP = ClipSpec(
    fps=20.0,
    stride=2,
    length=4,
    head="every",
    background="still",
    events=EventRules(smooth_ms=0.0, on=0.6, off=0.4, min_ms=200.0, refractory_ms=0.0),
)
RATE = CLIP.rate  # 10 steps a second


@dataclass
class TinyClips:
    """The model files `light` (float32) and `int8`, each with the signatures `step` and `sequence`."""

    models: dict[str, bytes]
    preprocess: Preprocess = field(default_factory=lambda: Preprocess((8, 8)))

    def form(self, name: str, model: str = "light", **changes: Any) -> Form:
        """The form as an exporter would describe it, read off the model itself."""
        loaded = load_model(self.models[model], signature=name)
        form = Form(
            name,
            "model.tflite",
            name,
            tuple(port.tensor for port in loaded.inputs.values()),
            tuple(port.tensor for port in loaded.outputs.values()),
            STATES[model],
            size_bytes=len(self.models[model]),
        )
        return replace(form, **changes)

    def manifest(self, model: str = "light", **changes: Any) -> Manifest:
        arguments: dict[str, Any] = {
            "name": f"tiny-{model}",
            "task": "clips",
            "labels": LABELS,
            "preprocess": self.preprocess,
            "forms": (self.form("step", model), self.form("sequence", model)),
            "clip": CLIP,
        }
        return Manifest(**{**arguments, **changes})

    def bundle(self, model: str = "light", **changes: Any) -> Bundle:
        """With `changes` of the clip spec."""
        manifest = self.manifest(model, clip=replace(CLIP, **changes))
        return Bundle(manifest, {"model.tflite": self.models[model]})

    def model(self, model: str = "light", **changes: Any) -> ClipModel:
        return ClipModel(self.bundle(model, **changes))


def brightness(ts_ms: float) -> float:
    """The light of the film at a time: it rises in the second second and falls in the fourth."""
    seconds = ts_ms / 1000
    return 60 + 120 * (min(max(seconds - 1, 0), 1) - min(max(seconds - 3, 0), 1))


def write_film(path: Path, fps: float, seconds: float = 5.0) -> Path:
    """That film as a real video of 96x80 pixels."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (96, 80))
    for number in range(round(seconds * fps)):
        writer.write(np.full((80, 96, 3), round(brightness(number * 1000 / fps)), np.uint8))
    writer.release()
    return path


def noise(count: int, seed: int = 0) -> np.ndarray:
    """Model frames, uint8 [count, 8, 8, 1], none like another."""
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), np.uint8)


def frames(pixels: np.ndarray, interval_ms: float = 1000 / RATE, start_ms: float = 0.0) -> list[Frame]:
    """The pixels as a source's frames."""
    return [
        Frame(image[..., 0], number, start_ms + number * interval_ms) for number, image in enumerate(pixels)
    ]


def fed(stream: Any, given: list[Frame]) -> list[Any]:
    """Every prediction of a stream for the frames."""
    return [prediction for frame in given for prediction in stream.feed(frame)]


CUT = SceneCut(0.25)
