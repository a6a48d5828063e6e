"""A run folder: what ``rnnedge train`` left there, opened for the steps that follow."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from rnnedge.data import load_data
from rnnedge.data.batches import Batches, to_inputs, to_pixels
from rnnedge.data.dataset import Dataset
from rnnedge.models.files import load_model
from rnnedge.recipes import Recipe, load_recipe
from rnnedge.training.result import TrainResult, load_result
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

if TYPE_CHECKING:
    from rnnedge.data.clips import ClipSet

Say = Callable[[str], None]
GOLDEN_IMAGES = 8


@dataclass(frozen=True)
class Run:
    """A finished training.

    Args:
        folder: with ``recipe.toml``, ``model.keras`` and ``train.json``.
        recipe: as trained, with the overrides of a later step.
    """

    folder: Path
    recipe: Recipe
    result: TrainResult
    strict: bool = False

    @classmethod
    def open(cls, folder: Path, overrides: Iterable[str] = (), strict: bool = False) -> Run:
        """Open a run folder.

        Raises:
            InputError: no finished training lies there, or an override does not fit.
        """
        if not folder.is_dir():
            raise InputError(
                f"RUN={str(folder)!r}: is not a folder; give the folder of a finished `rnnedge train`"
            )
        result = load_result(folder)
        return cls(folder, load_recipe(folder / "recipe.toml", overrides), result, strict)

    @cached_property
    def model(self) -> Any:
        """The trained Keras model."""
        return load_model(self.folder / "model.keras")

    def data(self, split: str) -> Dataset:
        """A split of the data the run was trained on."""
        return load_data(
            self.recipe.data.name, split, group=self.recipe.data.group or None, strict=self.strict
        )

    def clips(self, split: str) -> ClipSet:
        """A split of the clips the run was trained on."""
        from rnnedge.training.clip_problem import recipe_clips

        return recipe_clips(self.recipe, split, strict=self.strict)

    def inputs(self, dataset: Dataset) -> np.ndarray:
        """A data set as the model's inputs, float32 ``[N, h, w, c]``."""
        preprocess = self.recipe.preprocess()
        return to_inputs(to_pixels(dataset, preprocess), preprocess)

    @property
    def bundle(self) -> Path:
        """Where the run's bundle goes."""
        return self.folder / f"{self.recipe.name}.rnnedge"


class Epochs:
    """The training images, batch by batch, augmented and shuffled anew on each pass."""

    def __init__(self, run: Run, batch_size: int) -> None:
        data, recipe = run.data("train"), run.recipe
        self._preprocess = recipe.preprocess()
        self._pixels, self._labels = to_pixels(data, self._preprocess), data.labels
        self._batch_size, self._recipe = batch_size, recipe
        self._epoch = 0

    def __len__(self) -> int:
        return Batches.count(len(self._pixels), self._batch_size)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        self._epoch += 1
        batches = Batches(
            self._pixels,
            self._labels,
            self._preprocess,
            self._batch_size,
            augment=self._recipe.augmentation(),
            seed=self._recipe.train.seed,
            epoch=self._epoch,
        )
        return (batches[index] for index in range(len(batches)))


def golden_images(dataset: Dataset, size: Sequence[int]) -> np.ndarray:
    """A few real frames of one shape, ``uint8 [N, H, W]`` or ``[N, H, W, 3]``, for the device's self-test."""
    step = max(1, len(dataset) // GOLDEN_IMAGES)
    images = [dataset.images[index] for index in range(0, len(dataset), step)][:GOLDEN_IMAGES]
    if len({image.shape for image in images}) > 1:
        height, width = size
        images = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images]
        images = [image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in images]
    return np.stack(images)


def png(image: np.ndarray) -> str:
    """An image as base64 PNG text."""
    return base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode()


def write_json(path: Path, values: dict[str, Any]) -> None:
    """A run's figures as JSON; the file appears whole."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
