"""From a decoder's steps to sentences: greedy, by beam, or drawn at random. The decoder is any function of a step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnedge_device.caption import CaptionSpec
from rnnedge_device.errors import InputError
from rnnedge_device.fields import is_count, is_number, is_whole
from rnnedge_device.hypothesis import Decoder, Hypothesis, Live, State, Steps

__all__ = ["Decoder", "Hypothesis", "SearchOptions", "State", "beam_search", "greedy", "sample", "search"]

OnWord = Callable[[int], None]


@dataclass(frozen=True)
class SearchOptions:
    """How sentences are searched for.

    Args:
        beam: hypotheses kept a step; 1 is greedy.
        length_penalty: score = log-probability / words ** penalty, `END` counted as a word; 0 for none.
        no_repeat: n of the n-gram that must not come twice in a sentence; 0 for no such rule.
        max_length: words; a longer sentence is cut.
        temperature: above 0, words are drawn at random from probabilities ** (1 / temperature), and `beam`
            has no meaning; 0 for no drawing.
        seed: of the drawing; equal seeds draw equal sentences.
        n_best: sentences to give, at most `beam`; with a temperature so many are drawn.

    Raises:
        InputError: a value out of its range.
    """

    beam: int = 1
    length_penalty: float = 0.7
    no_repeat: int = 3
    max_length: int = 20
    temperature: float = 0.0
    seed: int = 0
    n_best: int = 1

    def __post_init__(self) -> None:
        for name in ("beam", "max_length", "n_best"):
            if not is_count(getattr(self, name)):
                raise InputError(f"{name} = {getattr(self, name)!r}: must be whole, above zero")
        for name in ("no_repeat", "seed"):
            if not is_whole(getattr(self, name)):
                raise InputError(f"{name} = {getattr(self, name)!r}: must be whole, 0 or more")
        for name in ("length_penalty", "temperature"):
            value = getattr(self, name)
            if not is_number(value) or value < 0:
                raise InputError(f"{name} = {value!r}: must be a number, 0 or more")
        if not self.temperature and self.n_best > self.beam:
            raise InputError(f"n_best = {self.n_best}: must be at most beam = {self.beam}")

    @classmethod
    def of(cls, spec: CaptionSpec, **changes: Any) -> "SearchOptions":
        """As the bundle says, but for the changes."""
        names = ("beam", "length_penalty", "no_repeat", "max_length")
        return cls(**{**{name: getattr(spec, name) for name in names}, **changes})


def search(
    decoder: Decoder, state: State, options: SearchOptions, on_word: OnWord | None = None
) -> list[Hypothesis]:
    """Sentences from a state, best first: greedy for beam 1, by beam, or drawn with a temperature.

    Args:
        on_word: called with each word's id as soon as it is certain: at once for greedy and for one
            drawn sentence, else with the words of the best sentence when all is over.

    Raises:
        InputError: the decoder gives NaN.
    """
    if options.temperature:
        return sample(decoder, state, options, on_word)
    if options.beam == 1:
        return [greedy(decoder, state, options, on_word)]
    return beam_search(decoder, state, options, on_word)


def greedy(
    decoder: Decoder, state: State, options: SearchOptions, on_word: OnWord | None = None
) -> Hypothesis:
    """The likeliest word each step; of equal ones the lowest id."""
    steps, live = _steps(decoder, options), Live(Hypothesis(), state)
    for _ in range(options.max_length):
        following = steps.ranked(live, 1)
        if not following:
            break
        live = following[0]
        if live.found.ended:
            break
        if on_word:
            on_word(live.found.ids[-1])
    return live.found


def beam_search(
    decoder: Decoder, state: State, options: SearchOptions, on_word: OnWord | None = None
) -> list[Hypothesis]:
    """The `n_best` sentences of highest score that a beam finds; of equal scores the lowest ids first.

    Each step keeps the `beam` hypotheses of highest log-probability, ended ones among them. The greedy
    hypothesis is kept beside them where it falls out, so that no beam ends below greedy: a beam alone does
    that wherever the likeliest words are late to pay. It mostly is among them, and then costs nothing, where
    a greedy search before would cost its steps every time.

    The search stops early only when no live hypothesis can reach the `n_best`-th score: log-probabilities
    only fall, so that one at L gets at most L / (max_length + 1) ** penalty.
    """
    steps, live, found = _steps(decoder, options), [Live(Hypothesis(), state)], list[Hypothesis]()
    for _ in range(options.max_length):
        # Each one's followers are in order already; of equal sums the better hypothesis's come first.
        following = []
        for each in live:
            after = steps.ranked(each, options.beam)
            following += after
            found += [] if after else [each.found]
        following.sort(key=lambda item: -item.found.log_probability)
        kept = following[: options.beam] + [item for item in following[options.beam :] if item.first]
        found += [item.found for item in kept if item.found.ended]
        live = [item for item in kept if not item.found.ended]
        if not live or _settled(live, found, options):
            break
    else:
        found += [item.found for item in live]
    best = _best(found, options.n_best)
    _tell(best, on_word)
    return best


def _settled(live: Sequence[Live], found: Sequence[Hypothesis], options: SearchOptions) -> bool:
    if len(found) < options.n_best:
        return False
    highest = max(item.found.log_probability for item in live)
    reach = highest / (options.max_length + 1) ** options.length_penalty
    return sorted((item.score for item in found), reverse=True)[options.n_best - 1] > reach


def sample(
    decoder: Decoder, state: State, options: SearchOptions, on_word: OnWord | None = None
) -> list[Hypothesis]:
    """`n_best` sentences drawn word by word, best first; log-probabilities are the model's, undistorted.

    Raises:
        InputError: the temperature is 0; the decoder gives NaN.
    """
    if not options.temperature:
        raise InputError("temperature = 0: must be above zero to draw from")
    steps, rng = _steps(decoder, options), np.random.default_rng(options.seed)
    at_once = on_word if options.n_best == 1 else None
    drawn = _best(
        [_drawn(steps, state, options, rng, at_once) for _ in range(options.n_best)], options.n_best
    )
    if not at_once:
        _tell(drawn, on_word)
    return drawn


def _drawn(
    steps: Steps, state: State, options: SearchOptions, rng: np.random.Generator, on_word: OnWord | None
) -> Hypothesis:
    live = Live(Hypothesis(), state)
    for _ in range(options.max_length):
        choices, after, row = steps.choices(live)
        highest = choices.max()
        if highest == -math.inf:
            break
        sums = np.cumsum(np.exp((choices - highest).astype(np.float64) / options.temperature))
        # Right of all that is below: a word of probability 0 is never drawn.
        word = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
        live = replace(live, found=steps.extended(live.found, word, choices, row), state=after)
        if live.found.ended:
            break
        if on_word:
            on_word(word)
    return live.found


def _steps(decoder: Decoder, options: SearchOptions) -> Steps:
    return Steps(decoder, options.no_repeat, options.length_penalty)


def _best(found: list[Hypothesis], count: int) -> list[Hypothesis]:
    return sorted(found, key=lambda item: (-item.score, item.ids))[:count]


def _tell(best: list[Hypothesis], on_word: OnWord | None) -> None:
    for word in best[0].ids if on_word and best else ():
        assert on_word is not None
        on_word(word)
