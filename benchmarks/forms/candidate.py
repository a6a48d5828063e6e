"""A candidate of the comparison: a callable, what it is, and how well it agrees with the Keras model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.forms.subject import Subject
from rnnedge_device.errors import InputError

MAX_FLOAT_ERROR = 1e-4
MIN_INT8_TOP1 = 0.8


@dataclass(frozen=True)
class Candidate:
    """One way to run the model.

    Args:
        name: in the table.
        role: ``ours``, ``peer`` or ``limit``.
        call: a prepared frame → logits ``[1, 10]``; what is timed.
        prepare: a frame ``[28, 28]`` → what ``call`` takes; not timed, and no arithmetic (all borders are float32).
        size_bytes: of the model file; ``None`` where there is none.
        exact: computes in float32, so that its logits must be the Keras model's.
    """

    name: str
    role: str
    call: Callable[[Any], np.ndarray]
    prepare: Callable[[np.ndarray], Any] = lambda frame: frame[None]
    size_bytes: int | None = None
    exact: bool = False


@dataclass(frozen=True)
class Agreement:
    """How a candidate's logits compare with the Keras model's: largest difference, share of equal top-1."""

    max_abs: float
    top1: float


def agreement(candidate: Candidate, subject: Subject) -> Agreement | None:
    """Compare a candidate with the Keras model; ``None`` for a limit, which computes something else.

    Raises:
        InputError: it does not compute this model, so its time would mean nothing.
    """
    if candidate.role == "limit":
        return None
    answers = np.concatenate([np.array(candidate.call(candidate.prepare(frame))) for frame in subject.frames])
    found = Agreement(
        float(np.abs(answers - subject.logits).max()),
        float((answers.argmax(-1) == subject.logits.argmax(-1)).mean()),
    )
    if found.max_abs > MAX_FLOAT_ERROR if candidate.exact else found.top1 < MIN_INT8_TOP1:
        raise InputError(
            f"{candidate.name}: differs from the Keras model by {found.max_abs:.1e}, the same top-1 in "
            f"{found.top1:.1%}; allowed: {MAX_FLOAT_ERROR} (float), at least {MIN_INT8_TOP1:.0%} (int8)"
        )
    return found
