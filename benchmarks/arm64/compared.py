"""How far the raw outputs of two machines are apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Gap:
    """Of one form's int8 outputs.

    Args:
        outputs: how many there are.
        lsb: the largest difference.
        equal: the share of equal values.
        label: the share of outputs with the same largest value; of sentences, that are the same throughout.
    """

    outputs: int
    lsb: int
    equal: float
    label: float


def gaps(one: Path, other: Path) -> dict[str, Gap]:
    """By `NAME/FORM`, of what `outputs.py` has written on both."""
    first, second = dict(np.load(one)), dict(np.load(other))
    assert first.keys() == second.keys()
    return {form: _gap(y, second[form], form.endswith("/sentence")) for form, y in first.items()}


def _gap(one: np.ndarray, other: np.ndarray, words: bool) -> Gap:
    assert one.shape == other.shape
    assert one.dtype == other.dtype == (np.int16 if words else np.int8)
    apart = np.abs(one.astype(int) - other)
    same = (apart == 0).all(axis=1) if words else one.argmax(1) == other.argmax(1)
    # How far word ids are apart says nothing.
    return Gap(len(one), 0 if words else int(apart.max()), float((apart == 0).mean()), float(same.mean()))


def row(runtime: str, form: str, gap: Gap) -> str:
    """A line for people."""
    return (
        f"{runtime:<15} {form:<28} {gap.outputs:>6} outputs: {gap.lsb:>2} LSB, {gap.equal:8.3%} equal, "
        f"{gap.label:8.3%} same label"
    )
