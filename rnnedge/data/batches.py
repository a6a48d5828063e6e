"""``Batches``: a data set as the batches of one epoch, for ``keras.Model.fit``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data.augment import Augment
from rnnedge.data.dataset import Dataset
from rnnedge_device.preprocess import Preprocess

use_backend()

import keras  # noqa: E402 - the backend is chosen first


def to_pixels(dataset: Dataset, preprocess: Preprocess) -> np.ndarray:
    """Every image at the model's size and colour, still pixels: uint8 ``[N, h, w, c]``.

    The first half of ``preprocess``, done once for all epochs; augmentation comes between the halves.
    """
    out = np.empty((len(dataset), *preprocess.shape), np.uint8)
    for index in range(len(dataset)):
        out[index] = preprocess.pixels(dataset.images[index])
    return out


def to_inputs(pixels: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """The second half: inputs float32 ``[N, h, w, c]`` of pixels uint8 ``[N, h, w, c]``, in one look-up."""
    count, h, w, c = pixels.shape
    return preprocess.look_up(pixels.reshape(count * h, w, c), preprocess.table).reshape(pixels.shape)


class Batches(keras.utils.PyDataset):
    """The batches of one epoch: float32 ``[B, h, w, c]`` and int64 labels ``[B]``.

    Order and augmentation are a pure function of (seed, epoch, index), so that an epoch can be entered in its
    middle. Every batch has the same size (the images that do not fill the last one wait for another epoch's
    order): a smaller last batch would compile a second training step.

    Args:
        pixels: uint8 ``[N, h, w, c]``, from :func:`to_pixels`.
        labels: int64 ``[N]``.
        preprocess: turns pixels into inputs, after the augmentation.
        batch_size: images a batch; all of them where there are fewer.
        augment: random changes, or None.
        seed, epoch: name the order and the draws.
        start: batches of this epoch to leave out at its beginning, when it is resumed.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        preprocess: Preprocess,
        batch_size: int,
        *,
        augment: Augment | None = None,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._pixels, self._labels, self._preprocess = pixels, labels, preprocess
        self._size = min(batch_size, len(pixels))
        self._start = start
        self._order = np.random.default_rng([seed, epoch, 1]).permutation(len(pixels))
        self._augment = augment if augment else None
        self._draws = augment.draw(seed, epoch, len(pixels)) if augment else None

    @staticmethod
    def count(images: int, batch_size: int) -> int:
        """Batches in a whole epoch."""
        return images // min(batch_size, images)

    def __len__(self) -> int:
        return self.count(len(self._pixels), self._size) - self._start

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        first = (self._start + index) * self._size
        chosen = self._order[first : first + self._size]
        pixels = self._pixels[chosen]
        if self._augment is not None and self._draws is not None:
            for row, i in enumerate(chosen):
                pixels[row] = self._augment.apply(pixels[row], self._draws[i])
        return to_inputs(pixels, self._preprocess), self._labels[chosen]
