"""Whatever ``fit`` takes, as batches of NumPy arrays: arrays, a Keras ``PyDataset``, a ``tf.data.Dataset``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnedge_device.errors import InputError

Batch = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


class Batches:
    """Batches of ``(x [B, ...] float32, y [B, ...] or None, w or None)``, shuffled anew each epoch if from arrays.

    Args:
        x: an array, or an object that yields ``x``, ``(x, y)`` or ``(x, y, w)`` batches (``PyDataset``,
            ``tf.data.Dataset``, ...); ``w`` are weights of the labels' loss, in the shape of ``y``.
        y: targets for an array ``x``.
        input_shape: the model's, without the batch.

    Raises:
        InputError: the shapes or types do not fit the model or each other.
    """

    def __init__(self, x: Any, y: Any, batch_size: int, input_shape: tuple[int, ...], seed: int = 0) -> None:
        self.input_shape = tuple(input_shape)
        self.batch_size = batch_size
        self.random = np.random.default_rng(seed)
        self.source: Any = None
        if isinstance(x, (np.ndarray, list, tuple)) or hasattr(x, "__array__"):
            self.x = self._checked(np.asarray(x), "x")
            self.y = None if y is None else np.asarray(y)
            if len(self.x) == 0:
                raise InputError("x: no samples; expected at least one")
            if self.y is not None and len(self.y) != len(self.x):
                raise InputError(f"y: {len(self.y)} targets for {len(self.x)} samples in x; expected as many")
        elif hasattr(x, "__iter__") or hasattr(x, "__getitem__"):
            if y is not None:
                raise InputError(
                    f"y: given beside a {type(x).__name__}, which yields its own targets; leave it out"
                )
            self.source = x
        else:
            raise InputError(
                f"x: {type(x).__name__}; expected arrays, a keras PyDataset or a tf.data.Dataset"
            )

    def _checked(self, x: np.ndarray, what: str) -> np.ndarray:
        if x.dtype.kind not in "fiu":
            raise InputError(f"{what}: dtype {x.dtype}; expected numbers")
        if x.shape[1:] != self.input_shape:
            raise InputError(
                f"{what}: shape {x.shape}; the model takes (N, {', '.join(map(str, self.input_shape))})"
            )
        return x.astype(np.float32, copy=False)

    def epoch(self) -> Iterator[Batch]:
        """One pass over the data."""
        if self.source is not None:
            yield from self._from_source()
            return
        order = self.random.permutation(len(self.x))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield self.x[rows], None if self.y is None else self.y[rows], None

    def _from_source(self) -> Iterator[Batch]:
        source = self.source
        indexed = hasattr(source, "__getitem__") and hasattr(source, "__len__")
        items = (source[i] for i in range(len(source))) if indexed else iter(source)
        empty = True
        for item in items:
            x, y, w = (*item, None, None)[:3] if isinstance(item, (tuple, list)) else (item, None, None)
            empty = False
            yield self._checked(np.asarray(x), "x"), *_labels(y, w)
        if empty:
            raise InputError(f"x: the {type(source).__name__} yields no batches; expected at least one")
        if hasattr(source, "on_epoch_end"):
            source.on_epoch_end()

    def sample(self, count: int) -> np.ndarray:
        """Up to ``count`` inputs ``[N, ...]`` from the front of one pass, for calibration and measurement."""
        found: list[np.ndarray] = []
        for x, *_ in self.epoch():
            found.append(x)
            if sum(len(part) for part in found) >= count:
                break
        return np.concatenate(found)[:count]

    def __len__(self) -> int:
        """Batches in an epoch (0 if the source does not say)."""
        if self.source is not None:
            return len(self.source) if hasattr(self.source, "__len__") else 0
        return -(-len(self.x) // self.batch_size)


def _labels(y: Any, w: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    labels = None if y is None else np.asarray(y)
    if w is None:
        return labels, None
    weights = np.asarray(w, np.float32)
    if labels is None or weights.shape != labels.shape:
        shape = None if labels is None else labels.shape
        raise InputError(
            f"w: weights of shape {weights.shape} for labels y of shape {shape}; expected the same"
        )
    return labels, weights
