"""``digits``: 1,797 real scans of handwritten digits, 8x8, that come with scikit-learn."""

from __future__ import annotations

import numpy as np

from rnnedge.data.dataset import Dataset
from rnnedge.data.split import split_by_class

VAL, TEST = 0.10, 0.20


def load_digits(split: str = "train") -> Dataset:
    """Load a split; every class gives 20 % of its scans to test and 10 % to val."""
    from sklearn.datasets import load_digits as scans

    bunch = scans()
    # The scans have 17 grey levels, 0 to 16.
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    ids = [f"digits/{i:04d}" for i in range(len(images))]
    everything = Dataset(images, labels, [str(i) for i in range(10)], ids, "digits")
    return everything.take(split_by_class(ids, labels, split, val=VAL, test=TEST), split)
