"""Time candidates in turns, so that whatever the machine does besides hits all of them alike.

A turn is a few calls, because they answer two questions. The first call finds the caches full of the other candidates'
weights and code, which costs most where most bytes are touched. The last ones find them as they are when the model runs
by itself. A device with a camera lies between the two. Each round has an order of its own: after another session of
the same runtime a first call is much faster, so in a fixed order the neighbours would decide.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import numpy as np

from benchmarks.forms.candidate import Candidate

WARM_UP = 20
# Calls a turn, and how many of them pass before a candidate has its caches to itself.
BURST, SETTLED = 6, 3
MIN_ROUNDS = 200


@dataclass(frozen=True)
class Timing:
    """Microseconds a frame over all rounds.

    Args:
        median_us, p95_us: of a turn's last calls: median and 95th percentile.
        cold_us, cold_p95_us: of its first call.
    """

    median_us: float
    p95_us: float
    cold_us: float
    cold_p95_us: float


def interleave(candidates: Sequence[Candidate], frames: np.ndarray, rounds: int) -> list[Timing]:
    """``BURST`` calls of each candidate in turn, ``rounds`` times; a frame is prepared before the clock starts."""
    inputs = [[candidate.prepare(frame) for frame in frames] for candidate in candidates]
    calls = [candidate.call for candidate in candidates]
    taken = np.zeros((len(candidates), rounds + WARM_UP, BURST))
    random = np.random.default_rng(0)
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + WARM_UP):
            for index in random.permutation(len(calls)):
                call = calls[index]
                frame = inputs[index][turn % len(frames)]
                for repeat in range(BURST):
                    begin = perf_counter_ns()
                    call(frame)
                    taken[index, turn, repeat] = perf_counter_ns() - begin
    finally:
        gc.enable()
    measured = taken[:, WARM_UP:] / 1000
    return [_timing(calls[:, SETTLED:], calls[:, 0]) for calls in measured]


def _timing(warm: np.ndarray, cold: np.ndarray) -> Timing:
    return Timing(
        float(np.median(warm)),
        float(np.percentile(warm, 95)),
        float(np.median(cold)),
        float(np.percentile(cold, 95)),
    )
