"""``Problem``: what the training loop asks of a task; images, clips and captions answer differently."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from rnnedge.backend import use_backend
from rnnedge.recipes import Recipe

use_backend()

import keras  # noqa: E402 - the backend is chosen first


class Problem(ABC):
    """The data of one recipe, the model that learns them and the model that is kept.

    Attributes:
        names: the class names in label order, or the words of the vocabulary.
        counts: images, clips or captioned images of ``train`` and ``val``.
        skipped: how many of them could not be decoded.
        steps: batches of an epoch.
        kept: what is scored and saved: always a float32 model, whatever precision trains.
    """

    names: list[str]
    counts: dict[str, int]
    skipped: int
    steps: int
    kept: keras.Model

    def __init__(self, recipe: Recipe, *, strict: bool = False) -> None:
        self.recipe = recipe

    @abstractmethod
    def model(self) -> keras.Model:
        """The model that is trained, new and not compiled, under the current dtype policy."""

    @abstractmethod
    def objective(self) -> dict[str, Any]:
        """Loss and metrics, among them one called ``accuracy``, as arguments of ``compile``."""

    @abstractmethod
    def batches(self, epoch: int, start: int) -> keras.utils.PyDataset:
        """An epoch's batches from the ``start``-th on: a pure function of the recipe's seed and the epoch."""

    def class_weight(self) -> dict[int, float] | None:
        """A factor on the loss of each class where the batches do not bring it themselves."""
        return None

    def slow(self) -> tuple[list[str], float]:
        """Paths of the trained model's weights that learn more slowly, and the factor on their learning rate."""
        return [], 1.0

    @abstractmethod
    def keep(self, model: keras.Model) -> None:
        """Copy the weights of the trained model into :attr:`kept`."""

    @abstractmethod
    def score(self) -> tuple[float, float]:
        """Loss (nats) and accuracy of :attr:`kept` on ``val``."""
