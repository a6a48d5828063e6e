"""What happens between the steps of ``fit``: checkpoints, resumed metrics, the bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.training.progress import ProgressBar

use_backend()

import keras  # noqa: E402 - the backend is chosen first


class StepCheckpoint(keras.callbacks.Callback):
    """Calls ``save(batch)`` after every ``every`` batches of an epoch, not after its last.

    Args:
        save: receives the number of finished batches of the epoch.
        every: batches between two calls.
        start: batches that were finished before this ``fit`` began.
        steps: batches of the whole epoch.
    """

    def __init__(self, save: Callable[[int], None], every: int, start: int, steps: int) -> None:
        super().__init__()
        self._save, self._every, self._done, self._steps = save, every, start, steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._done += 1
        if self._done % self._every == 0 and self._done < self._steps:
            # On JAX the weights are with the compiled step until this property hands them back.
            _ = self.model
            self._save(self._done)


class RestoreMetrics(keras.callbacks.Callback):
    """Puts the running loss and accuracy of an interrupted epoch back once ``fit`` has cleared them."""

    def __init__(self, values: list[np.ndarray]) -> None:
        super().__init__()
        self._values = values

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for variable, value in zip(self.model.metrics_variables, self._values, strict=True):
            variable.assign(value)


class ShowSteps(keras.callbacks.Callback):
    """Moves the bar; the loss is shown every 20 steps."""

    def __init__(self, bar: ProgressBar) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._bar.step(float(logs["loss"]) if logs and batch % 20 == 0 else None)
