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
        lead: of those with another: by how many LSB the largest led on the first machine, at most.
    """

    outputs: int
    lsb: int
    equal: float
    label: float
    lead: int


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
    equal, label = float((apart == 0).mean()), float(same.mean())
    if words:  # how far ids are apart says nothing
        return Gap(len(one), 0, equal, label, 0)
    second, first = np.sort(one[~same].astype(int), axis=1)[:, -2:].T
    return Gap(len(one), int(apart.max()), equal, label, int((first - second).max(initial=0)))


def row(runtime: str, form: str, gap: Gap) -> str:
    """A line for people."""
    line = f"{runtime:<8} {form:<26} {gap.outputs:>6} outputs: "
    if not form.endswith("/sentence"):
        line += f"{gap.lsb:>2} LSB, {gap.equal:8.3%} equal, "
    line += f"{gap.label:8.3%} same"
    return line + (f", another where the best led by up to {gap.lead} LSB" if gap.lead else "")
