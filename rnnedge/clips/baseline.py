"""The same encoder without a memory: what a single frame can tell."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rnnedge.data.clips import ClipSet
from rnnedge.models.files import load_model
from rnnedge.recipes import Recipe
from rnnedge.training import train
from rnnedge.training.clip_logits import ClipLogits
from rnnedge.training.progress import ProgressBar
from rnnedge_device.classify import probabilities


def memoryless(recipe: Recipe) -> Recipe:
    """The recipe without recurrent layers over time, learning from every frame.

    A clip's label holds for each of its frames, so the model sees as much as one frame can show.
    """
    return recipe.model_copy(
        update={
            "model": recipe.model.model_copy(update={"layers": 0}),
            "clip": recipe.clip.model_copy(
                update={"head": "both" if recipe.clip.head == "last" else recipe.clip.head}
            ),
            "train": recipe.train.model_copy(update={"carry": False}),
        }
    )


def memoryless_scores(recipe: Recipe, clips: ClipSet, bar: ProgressBar | None = None) -> list[np.ndarray]:
    """Train the memoryless model and return its probabilities float32 ``[T, K]`` for each clip of ``clips``."""
    alone = memoryless(recipe)
    with tempfile.TemporaryDirectory(prefix="rnnedge-") as folder:
        train(alone, folder, overwrite=True, bar=bar)
        model = load_model(Path(folder) / "model.keras")
    logits = ClipLogits(model, alone.preprocess())(clips.clips)
    return [probabilities(values, "logits") for values in logits]


def single_frame(scores: list[np.ndarray], clips: ClipSet) -> dict[str, Any]:
    """How often one frame gives away its label: ``{"accuracy", "best_frame", "frames"}``, over frames that have one.

    ``best_frame`` is the better of a clip's first and last frame, if a motion's ends told more than its middle.
    """
    right, there = [], []
    for s, clip in zip(scores, clips.clips, strict=True):
        right.append(s.argmax(axis=1) == clip.labels)
        there.append(clip.labels >= 0)
    ends = [
        float(np.mean([r[at] for r, t in zip(right, there, strict=True) if t[at]] or [0.0])) for at in (0, -1)
    ]
    told = np.concatenate(right)[np.concatenate(there)]
    return {"accuracy": float(told.mean()), "best_frame": max(ends), "frames": len(told)}
