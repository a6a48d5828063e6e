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
    """How often one frame gives away its clip's label: ``{"accuracy", "best_frame", "frames"}``.

    ``accuracy`` is over all frames; ``best_frame`` the better of a clip's first and last frame, if a motion's ends
    told more than its middle.
    """
    labels = clips.labels
    right = [s.argmax(axis=1) == label for s, label in zip(scores, labels, strict=True)]
    first, last = (float(np.mean([row[at] for row in right])) for at in (0, -1))
    return {
        "accuracy": float(np.mean(np.concatenate(right))),
        "best_frame": max(first, last),
        "frames": int(sum(map(len, right))),
    }
