"""A hypothesis of a search for sentences, and how it grows by a word: one step of a decoder, the rules applied."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import InputError
from rnnedge_device.vocabulary import END, PAD, START, UNKNOWN

# By name, in the decoder's own dtype: never converted here, a hypothesis keeps a reference.
State = Mapping[str, NDArray[Any]]


class Decoder(Protocol):
    """What is searched: after a word and a state, how likely each word is next."""

    def step(self, token: int, state: State) -> tuple[NDArray[np.float32], State, NDArray[Any] | None]:
        """Log-probabilities float32 `[K]` (0 or less), the next state, and attention `[P]` or None.

        `state` is left as it is: other hypotheses go on from it.
        """


@dataclass(frozen=True)
class Hypothesis:
    """A sentence found, or the beginning of one.

    Args:
        ids: its words, without `START` and `END`.
        log_probability: the sum of `log_probabilities`.
        score: log-probability / words ** penalty, where words = len(ids) + 1.
        ended: `END` came; else it was cut.
        log_probabilities: of each word, then of `END` where it came.
        attention: `[P]` of each word, as the decoder gave it; () without attention.
    """

    ids: tuple[int, ...] = ()
    log_probability: float = 0.0
    score: float = 0.0
    ended: bool = False
    log_probabilities: tuple[float, ...] = ()
    attention: tuple[NDArray[Any], ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Live:
    """A hypothesis that can go on, from a state; `first` marks the one that always took the likeliest word."""

    found: Hypothesis
    state: State
    first: bool = True


class Steps:
    """Steps of a decoder with the rules applied.

    Args:
        no_repeat, length_penalty: as `SearchOptions` has them.
    """

    def __init__(self, decoder: Decoder, no_repeat: int, length_penalty: float) -> None:
        self._decoder, self._no_repeat, self._penalty = decoder, no_repeat, length_penalty

    def ranked(self, live: Live, count: int) -> list[Live]:
        """The `count` likeliest hypotheses that go on from one, or end it; fewer where fewer are allowed."""
        choices, state, row = self.choices(live)
        floor = np.partition(choices, -count)[-count] if count < len(choices) else -math.inf
        places = np.flatnonzero(choices >= floor)
        # Stable: of equal words the one with the lowest id comes first.
        order = places[np.argsort(-choices[places], kind="stable")][:count]
        return [
            Live(self.extended(live.found, int(word), choices, row), state, live.first and not rank)
            for rank, word in enumerate(order)
            if choices[word] > -math.inf
        ]

    def choices(self, live: Live) -> tuple[NDArray[np.float32], State, NDArray[Any] | None]:
        """The decoder's step, the words that must not come at minus infinity; nothing is renormalised."""
        ids = live.found.ids
        given, state, row = self._decoder.step(ids[-1] if ids else START, live.state)
        choices = np.array(given, np.float32)
        if np.isnan(choices).any():
            raise InputError(f"log-probabilities after {list(ids)}: NaN: the model's weights are damaged")
        choices[[PAD, START, UNKNOWN, *repeating(ids, self._no_repeat)]] = -math.inf
        return choices, state, row

    def extended(
        self, found: Hypothesis, word: int, choices: NDArray[np.float32], row: NDArray[Any] | None
    ) -> Hypothesis:
        """The hypothesis with one word more, or ended."""
        ended, gain = word == END, float(choices[word])
        ids = found.ids if ended else (*found.ids, word)
        total = found.log_probability + gain
        rows = found.attention if ended or row is None else (*found.attention, row)
        score = total / (len(ids) + 1) ** self._penalty
        return Hypothesis(ids, total, score, ended, (*found.log_probabilities, gain), rows)


def repeating(ids: Sequence[int], n: int) -> list[int]:
    """The words that would complete an n-gram which `ids` already has; none for n = 0."""
    if not n or len(ids) < n:
        return []
    last = tuple(ids[len(ids) - n + 1 :])
    return [ids[at + n - 1] for at in range(len(ids) - n + 1) if tuple(ids[at : at + n - 1]) == last]
