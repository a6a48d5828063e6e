"""The training clips as batches for quantisation-aware fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnedge.data.clip_batches import ClipBatches
from rnnedge.data.clips import ClipSet
from rnnedge.recipes import Recipe
from rnnedge.training.clip_problem import recipe_batches, recipe_weights

Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


class ClipEpochs:
    """Windows of clips, batch by batch ``(frames [B, L, h, w, c], y [B, L], w [B, L])``, anew on each pass.

    Every window begins from a fresh state, also where training carried it over: the exported graph is the same.
    """

    def __init__(self, recipe: Recipe, clips: ClipSet, batch_size: int) -> None:
        self._recipe, self._clips, self._batch_size = recipe, clips, batch_size
        self._weights = recipe_weights(recipe, clips)
        self._epoch = 0

    def __len__(self) -> int:
        share = self._recipe.train.whole_share
        return ClipBatches.count(
            self._clips, self._batch_size, self._recipe.clip.options(), whole_share=share
        )

    def __iter__(self) -> Iterator[Batch]:
        self._epoch += 1
        batches = recipe_batches(
            self._recipe, self._clips, self._batch_size, self._weights, epoch=self._epoch
        )
        for index in range(len(batches)):
            (frames, _, _), y, w = batches[index]
            yield frames, y, w
