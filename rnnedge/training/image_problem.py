"""``ImageProblem``: one label an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data import load_data
from rnnedge.data.batches import Batches, to_inputs, to_pixels
from rnnedge.evaluate import mean_loss, predict_logits
from rnnedge.recipes import Recipe
from rnnedge.training.build import build_model
from rnnedge.training.problem import Problem

use_backend()

import keras  # noqa: E402 - the backend is chosen first


class ImageProblem(Problem):
    """Images of ``data.name``, every one at the model's size in memory."""

    def __init__(self, recipe: Recipe, *, strict: bool = False) -> None:
        super().__init__(recipe)
        data = recipe.data
        train, val = (
            load_data(data.name, split, group=data.group or None, strict=strict) for split in ("train", "val")
        )
        self.names = train.names
        self.counts = {"train": len(train), "val": len(val)}
        self.skipped = len(train.skipped) + len(val.skipped)
        self._preprocess = recipe.preprocess()
        self._pixels, self._labels = to_pixels(train, self._preprocess), train.labels
        self._val_inputs = to_inputs(to_pixels(val, self._preprocess), self._preprocess)
        self._val_labels = val.labels
        self.steps = Batches.count(len(self._pixels), recipe.train.batch_size)
        self.kept = self.model()

    def model(self) -> keras.Model:
        """See :class:`Problem`."""
        return build_model(self.recipe, len(self.names))

    def objective(self) -> dict[str, Any]:
        """See :class:`Problem`."""
        return {
            "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        }

    def batches(self, epoch: int, start: int) -> Batches:
        """See :class:`Problem`."""
        return Batches(
            self._pixels,
            self._labels,
            self._preprocess,
            self.recipe.train.batch_size,
            augment=self.recipe.augmentation(),
            seed=self.recipe.train.seed,
            epoch=epoch,
            start=start,
            # Two threads prepare batches beside the step; OpenCV works outside Python's lock.
            workers=2,
            max_queue_size=8,
        )

    def class_weight(self) -> dict[int, float] | None:
        """See :class:`Problem`: balanced ones are 1 in the mean over the images."""
        power = self.recipe.train.class_power
        if not power:
            return None
        counts = np.maximum(np.bincount(self._labels, minlength=len(self.names)), 1)
        return dict(enumerate(((len(self._labels) / (len(counts) * counts)) ** power).tolist()))

    def keep(self, model: keras.Model) -> None:
        """See :class:`Problem`."""
        self.kept.set_weights(model.get_weights())

    def score(self) -> tuple[float, float]:
        """See :class:`Problem`."""
        logits = predict_logits(self.kept, self._val_inputs)
        right = logits.argmax(1) == self._val_labels
        return mean_loss(logits, self._val_labels), float(np.mean(right))
