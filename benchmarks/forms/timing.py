"""Time candidates in turns: A B C A B C ..., so that whatever the machine does besides hits all of them alike."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from benchmarks.forms.candidate import Candidate

WARM_UP = 30
MIN_ROUNDS = 200


@dataclass(frozen=True)
class Timing:
    """Microseconds a frame: the median and the 95th percentile of all rounds."""

    median_us: float
    p95_us: float


def interleave(candidates: Sequence[Candidate], frames: np.ndarray, rounds: int) -> list[Timing]:
    """One call of each candidate in turn, ``rounds`` times; a frame is prepared before the clock starts."""
    inputs = [[candidate.prepare(frame) for frame in frames] for candidate in candidates]
    calls = [candidate.call for candidate in candidates]
    taken = np.zeros((len(candidates), rounds + WARM_UP))
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + WARM_UP):
            for index, call in enumerate(calls):
                frame = inputs[index][turn % len(frames)]
                begin = perf_counter_ns()
                call(frame)
                taken[index, turn] = perf_counter_ns() - begin
    finally:
        gc.enable()
    measured = taken[:, WARM_UP:] / 1000
    return [Timing(float(np.median(row)), float(np.percentile(row, 95))) for row in measured]
