"""``Problem``: what the training loop asks of a task; images and clips answer differently."""

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
        names: the class names in label order.
        counts: images or clips of ``train`` and ``val``.
        skipped: how many of them could not be decoded.
        steps: batches of an epoch.
        kept: what is scored and saved: always a float32 model, whatever precision trains.
    """

    names: list[str]
    counts: dict[str, int]
    skipped: int
    steps: int
    kept: keras.Model

    def __init__(self, recipe: Recipe) -> None:
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

    @abstractmethod
    def keep(self, model: keras.Model) -> None:
        """Copy the weights of the trained model into :attr:`kept`."""

    @abstractmethod
    def score(self) -> tuple[float, float]:
        """Loss (nats) and accuracy of :attr:`kept` on ``val``."""
