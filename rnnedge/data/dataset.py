"""``Dataset``: labelled uint8 images as every loader returns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnedge_device.errors import InputError


@dataclass(frozen=True)
class Dataset:
    """Images with labels.

    Attributes:
        images: N images, each uint8 ``[H, W]`` grey or ``[H, W, 3]`` BGR as OpenCV delivers it; sizes may
            differ.
        labels: int64 ``[N]``, each from 0 to ``len(names) - 1``.
        names: the class names in label order.
        ids: N stable names of the images (a path inside the folder, or ``digits/0042``).
        name: what was loaded, for reports: ``mnist``, ``folder:/data/leaves``.
        split: ``train``, ``val``, ``test`` or ``all``.
        skipped: paths of images that could not be decoded and are not among ``images``.
    """

    images: Sequence[np.ndarray] | np.ndarray
    labels: np.ndarray
    names: list[str]
    ids: list[str]
    name: str
    split: str = "all"
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse wrong shapes, dtypes and label ranges here, once for every loader."""
        labels = np.asarray(self.labels)
        count = len(self.images)
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(
                f"{self.name}: labels are {labels.dtype} {list(labels.shape)}; must be integers of shape [N]"
            )
        if len(labels) != count or len(self.ids) != count:
            raise InputError(
                f"{self.name}: {count} images, {len(labels)} labels and {len(self.ids)} ids; must be equal"
            )
        if count and (labels.min() < 0 or labels.max() >= len(self.names)):
            bad = labels.min() if labels.min() < 0 else labels.max()
            raise InputError(f"{self.name}: label {bad} is out of range; allowed: 0 to {len(self.names) - 1}")
        object.__setattr__(self, "labels", labels.astype(np.int64))
        # Files are decoded to the right form when they are read; arrays come from anywhere.
        if isinstance(self.images, np.ndarray):
            _check_image(self.name, self.images.dtype, self.images.shape[1:])
        elif isinstance(self.images, list):
            for image in self.images:
                _check_image(self.name, image.dtype, image.shape)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: np.ndarray | Sequence[int], split: str | None = None) -> Dataset:
        """The images at ``indices`` in that order, as a data set of its own."""
        index = np.asarray(indices, np.int64)
        images = self.images[index] if isinstance(self.images, np.ndarray) else Selection(self.images, index)
        ids = [self.ids[i] for i in index]
        return Dataset(
            images, self.labels[index], self.names, ids, self.name, split or self.split, self.skipped
        )


class Selection(Sequence[np.ndarray]):
    """Some images of a longer sequence, still read one at a time."""

    def __init__(self, images: Sequence[np.ndarray], index: np.ndarray) -> None:
        self._images, self._index = images, index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, item):  # type: ignore[no-untyped-def]
        if isinstance(item, slice):
            return Selection(self._images, self._index[item])
        return self._images[int(self._index[item])]


def _check_image(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    grey = len(shape) == 2
    colour = len(shape) == 3 and shape[2] == 3
    if dtype != np.uint8 or not (grey or colour) or 0 in shape:
        raise InputError(f"{name}: images are {dtype} {list(shape)}; must be uint8 [H, W] or [H, W, 3]")
