"""Optimisers by name, with gradient clipping."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rnnedge.backend import use_backend
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first

OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")
CLIPS = {"none": "", "norm": "clipnorm", "global_norm": "global_clipnorm", "value": "clipvalue"}


def make_optimizer(
    name: str,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    clip: str = "none",
    clip_at: float = 1.0,
    beta_2: float = 0.999,
    weight_decay: float = 0.0,
    slow: Collection[str] = (),
    rate: float = 1.0,
) -> keras.optimizers.Optimizer:
    """An optimiser.

    Args:
        name: one of :data:`OPTIMIZERS`; ``momentum`` is sgd with Nesterov momentum 0.9.
        learning_rate: a rate or a schedule.
        clip: ``norm`` (each weight's gradient to an L2 norm of at most ``clip_at``), ``global_norm`` (all
            gradients together), ``value`` (each entry to ±``clip_at``) or ``none``.
        clip_at: the bound, above 0.
        beta_2: how long ``adam`` and ``adamw`` remember the size of gradients, 0 to below 1: short trainings want less.
        weight_decay: decoupled weight decay, for any of them; not on biases and normalisation.
        slow: paths of weights that learn at ``rate`` times the learning rate.
    """
    if name not in OPTIMIZERS:
        raise InputError(f"optimizer={name!r}: must be one of {', '.join(OPTIMIZERS)}")
    if clip not in CLIPS:
        raise InputError(f"clip={clip!r}: must be one of {', '.join(CLIPS)}")
    if clip != "none" and not clip_at > 0:
        raise InputError(f"clip_at={clip_at!r}: must be above 0")
    if not 0 <= beta_2 < 1:
        raise InputError(f"beta_2={beta_2!r}: must be from 0 to below 1")
    options: dict[str, Any] = {"learning_rate": learning_rate, "weight_decay": weight_decay or None}
    if clip != "none":
        options[CLIPS[clip]] = clip_at
    o = keras.optimizers
    makers = {"adagrad": o.Adagrad, "rmsprop": o.RMSprop, "adam": o.Adam, "adamw": o.AdamW}
    make = makers.get(name, o.SGD)
    if name == "momentum":
        options |= {"momentum": 0.9, "nesterov": True}
    if name in ("adam", "adamw"):
        options["beta_2"] = beta_2
    if name == "adamw":
        options["weight_decay"] = weight_decay
    optimizer = (_slowed(make, frozenset(slow), rate) if slow else make)(**options)
    if weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _slowed(make: type[keras.optimizers.Optimizer], slow: frozenset[str], rate: float) -> Any:
    """The optimiser's class with a smaller rate for some weights: Keras has one rate for all."""

    class Slowed(make):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            # As Keras's own optimisers find what belongs to a variable, which a backend may hand over unwrapped.
            path = self._trainable_variables[self._get_variable_index(variable)].path
            factor = rate if path in slow else 1.0
            super().update_step(gradient, variable, learning_rate * factor)

    return Slowed
