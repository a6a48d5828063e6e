"""A candidate for one half of a captioner, and how well it agrees with the float twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.captions.subject import Arrays, Subject
from rnnedge_device.errors import InputError

HALVES = ("encode", "decode")
OURS = "int8"
MAX_FLOAT_ERROR = 1e-3
MIN_CORRELATION = 0.95


@dataclass(frozen=True)
class Candidate:
    """One way to run a half.

    Args:
        name: in the table; the same for both halves of a file.
        half: ``encode`` or ``decode``.
        call: prepared inputs → outputs by the signature's names, as the runtime gives them; what is timed.
        prepare: real inputs by name → what ``call`` takes; not timed.
        read: an output of ``call`` by its name → its real values, of any shape; not timed.
        size_bytes: of the files that hold both halves.
        exact: computes in float32.
    """

    name: str
    half: str
    call: Callable[[Any], Arrays]
    prepare: Callable[[Arrays], Any]
    read: Callable[[str, np.ndarray], np.ndarray] = lambda _, value: value
    size_bytes: int = 0
    exact: bool = False


@dataclass(frozen=True)
class Agreement:
    """How a candidate's outputs compare with the float twin's, the worst of them.

    Args:
        error: largest difference, as a share of the output's largest value.
        correlation: of an output's values over all inputs; where int8 computes, of the words' probabilities instead of
            their logits: quantisation gives words that will never be said no room of their own.
    """

    error: float
    correlation: float


def agreement(candidate: Candidate, subject: Subject) -> Agreement:
    """Run a candidate on all inputs and compare every output.

    Raises:
        InputError: it does not compute this model, so its time would mean nothing.
    """
    answers = subject.answers(candidate.half)
    found = [
        {name: np.array(candidate.read(name, value)) for name, value in outputs.items()}
        for outputs in (candidate.call(candidate.prepare(given)) for given in subject.given(candidate.half))
    ]
    if set(found[0]) != set(answers[0]):
        raise InputError(
            f"{candidate.name}, {candidate.half}: gives {sorted(found[0])}, not {sorted(answers[0])}"
        )
    each = {}
    for name in answers[0]:
        ours, theirs = _rows(found, name), _rows(answers, name)
        if name == "y" and not candidate.exact:
            ours, theirs = _probabilities(ours), _probabilities(theirs)
        each[name] = _compared(ours, theirs)
    for name, one in each.items():
        if candidate.exact and not one.error <= MAX_FLOAT_ERROR:
            limit = f"{one.error:.1e} of the largest value; allowed: {MAX_FLOAT_ERROR:.0e}"
        elif not one.correlation >= MIN_CORRELATION:
            limit = f"a correlation of {one.correlation:.3f}; at least {MIN_CORRELATION}"
        else:
            continue
        raise InputError(
            f"{candidate.name}, {candidate.half}: {name} differs from the float model's: {limit}"
        )
    return Agreement(max(one.error for one in each.values()), min(one.correlation for one in each.values()))


def _rows(outputs: list[Arrays], name: str) -> np.ndarray:
    return np.stack([output[name].ravel() for output in outputs])


def _probabilities(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def _compared(ours: np.ndarray, theirs: np.ndarray) -> Agreement:
    if ours.shape != theirs.shape:
        return Agreement(float("inf"), 0.0)
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return Agreement(error, float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]))


def in_shape(given: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """The inputs that ``shapes`` names, in these shapes."""
    return {name: np.ascontiguousarray(given[name]).reshape(shape) for name, shape in shapes.items()}
