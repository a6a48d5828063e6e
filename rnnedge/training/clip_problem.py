"""``ClipProblem``: windows of clips, with one label a clip, one a frame, or both."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data import load_clips
from rnnedge.data.clip_batches import ClipBatches, class_weights
from rnnedge.data.clips import ClipSet, joined
from rnnedge.evaluate import mean_loss
from rnnedge.recipes import Recipe
from rnnedge.training.build import build_model
from rnnedge.training.carry import windowed
from rnnedge.training.clip_logits import ClipLogits
from rnnedge.training.problem import Problem
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first


class ClipProblem(Problem):
    """Clips of ``data.name``; frames are decoded once into a cache and read from there."""

    def __init__(self, recipe: Recipe, *, strict: bool = False) -> None:
        super().__init__(recipe)
        self._train, self._val = (recipe_clips(recipe, split, strict=strict) for split in ("train", "val"))
        if recipe.train.with_val:
            self._train = joined(self._train, self._val)
        self.names = self._train.names
        self.counts = {"train": len(self._train), "val": len(self._val)}
        self.skipped = len(self._train.skipped) + len(self._val.skipped)
        self._options, self._preprocess = recipe.clip.options(), recipe.preprocess()
        self._weights = recipe_weights(recipe, self._train)
        t = recipe.train
        self.steps = ClipBatches.count(self._train, t.batch_size, self._options, t.carry, t.whole_share)
        self.kept = build_model(recipe, len(self.names))
        self._logits = ClipLogits(self.kept, self._preprocess)

    def model(self) -> keras.Model:
        """See :class:`Problem`."""
        t = self.recipe.train
        self._trained = build_model(self.recipe, len(self.names))
        size = ClipBatches.size(self._train, t.batch_size, self._options, t.whole_share)
        return windowed(self._trained, size, self._options.length, carry=t.carry)

    def objective(self) -> dict[str, Any]:
        """See :class:`Problem`. What lies behind a clip's end, and frames without a label, weigh nothing."""
        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            "weighted_metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def batches(self, epoch: int, start: int) -> ClipBatches:
        """See :class:`Problem`."""
        t = self.recipe.train
        return recipe_batches(
            self.recipe,
            self._train,
            t.batch_size,
            self._weights,
            carry=t.carry,
            epoch=epoch,
            start=start,
            workers=2,
            max_queue_size=8,
        )

    def keep(self, model: keras.Model) -> None:
        """See :class:`Problem`; the states of the running windows are no weights of the clip model."""
        self.kept.set_weights(self._trained.get_weights())

    def score(self) -> tuple[float, float]:
        """See :class:`Problem`.

        Whole clips. With head ``last`` or ``both`` the share of clips whose last frame has the right label; with
        ``every`` (or where no clip has a label of its own) the share of frames, each with its class's weight.
        """
        logits = self._logits(self._val.clips)
        labels = self._val.labels
        if self.recipe.clip.head != "every" and (labels >= 0).any():
            chosen = np.flatnonzero(labels >= 0)
            return _figures(np.stack([logits[i][-1] for i in chosen]), labels[chosen], None)
        labels = np.concatenate([clip.labels for clip in self._val.clips])
        chosen = np.flatnonzero(labels >= 0)
        if not len(chosen):
            raise InputError(f"data={self.recipe.data.name!r}: no frame of the val split has a label")
        return _figures(np.concatenate(logits)[chosen], labels[chosen], self._weights)


def recipe_clips(recipe: Recipe, split: str, *, strict: bool = False) -> ClipSet:
    """A split of the clips that a recipe names."""
    d = recipe.data
    return load_clips(
        d.name,
        split,
        preprocess=recipe.preprocess(),
        clip=recipe.clip.options(),
        group=d.group or None,
        classes=d.classes or None,
        fold=d.fold,
        folds=d.folds,
        strict=strict,
    )


def recipe_weights(recipe: Recipe, clips: ClipSet) -> np.ndarray | None:
    """The classes' weights float32 ``[K]`` on these clips; None where the recipe asks for none."""
    power = recipe.train.class_power
    return np.power(class_weights(clips, recipe.clip.head), np.float32(power)) if power else None


def recipe_batches(
    recipe: Recipe, clips: ClipSet, batch_size: int, weights: np.ndarray | None, **options: Any
) -> ClipBatches:
    """An epoch of clips as a recipe has them; ``options`` are :class:`ClipBatches`' own: carry, epoch, start, ..."""
    return ClipBatches(
        clips,
        recipe.preprocess(),
        batch_size,
        recipe.clip.options(),
        augment=recipe.clip_augmentation(),
        weights=weights,
        frame_weight=recipe.train.frame_weight,
        whole_share=recipe.train.whole_share,
        seed=recipe.train.seed,
        **options,
    )


def _figures(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None) -> tuple[float, float]:
    """Loss and accuracy, weighted by class."""
    factors = np.ones(len(labels)) if weights is None else weights[labels].astype(np.float64)
    right = logits.argmax(1) == labels
    return mean_loss(logits, labels, factors), float(np.average(right, weights=factors))
