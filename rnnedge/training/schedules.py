"""Learning-rate schedules by name, in steps (one step is one batch)."""

from __future__ import annotations

from typing import Any

from rnnedge.backend import use_backend
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first
from keras import ops  # noqa: E402

SCHEDULES = ("constant", "cosine", "step", "exponential")


def make_schedule(
    name: str,
    learning_rate: float,
    *,
    steps: int,
    warmup: int = 0,
    step_every: int = 1000,
    decay: float = 0.1,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """A schedule over ``steps`` steps.

    Args:
        name: ``constant``; ``cosine`` (to zero at ``steps``); ``step`` (times ``decay`` at every
            ``step_every``); ``exponential`` (smoothly times ``decay`` in every ``step_every`` steps).
        learning_rate: the rate after the warm-up.
        steps: length of the whole training, warm-up included.
        warmup: first steps, over which the rate rises linearly from zero.
        step_every, decay: for ``step`` and ``exponential``, counted from the end of the warm-up.
    """
    rest = max(1, steps - warmup)
    make: dict[str, Any] = {
        "constant": lambda: Constant(learning_rate),
        "cosine": lambda: keras.optimizers.schedules.CosineDecay(learning_rate, rest),
        "step": lambda: keras.optimizers.schedules.ExponentialDecay(
            learning_rate, step_every, decay, staircase=True
        ),
        "exponential": lambda: keras.optimizers.schedules.ExponentialDecay(learning_rate, step_every, decay),
    }
    if name not in make:
        raise InputError(f"schedule={name!r}: must be one of {', '.join(SCHEDULES)}")
    schedule = make[name]()
    return WarmUp(schedule, learning_rate, warmup) if warmup else schedule


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    """The same rate at every step."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def __call__(self, step: Any) -> Any:
        return ops.zeros_like(ops.cast(step, "float32")) + self.learning_rate

    def get_config(self) -> dict[str, Any]:
        return {"learning_rate": self.learning_rate}


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise from zero, then another schedule from its own step 0."""

    def __init__(
        self, schedule: keras.optimizers.schedules.LearningRateSchedule, learning_rate: float, steps: int
    ) -> None:
        self.schedule, self.learning_rate, self.steps = schedule, learning_rate, steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        # Step 0 already moves: (step + 1) / steps reaches the full rate with the warm-up's last step.
        rising = self.learning_rate * (step + 1) / self.steps
        return ops.where(step < self.steps, rising, self.schedule(ops.maximum(step - self.steps, 0)))

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "learning_rate": self.learning_rate, "steps": self.steps}
