"""Sentences as words: the tokens that caption metrics count, a vocabulary of them, and rows of their numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import InputError
from rnnedge_device.vocabulary import END, PAD, SPECIALS, START, Vocabulary

# What coco-caption's ptbtokenizer.py drops (its list PUNCTUATIONS), in the characters that a person writes: its
# `` '' -LRB- -RRB- -LCB- -RCB- are the Penn Treebank's names of quotes and brackets, its -- and ... are runs of marks.
# (It means to drop brackets, but misses them, for it has lower-cased their names by then.)
DROPPED = frozenset("'`\"“”‘’()[]{}.?!,:;-–—…")

# The Penn Treebank's rules, as far as captions need them: clitics are words of their own (dog 's, is n't), and so
# are the halves of a few words; hyphens, slashes and apostrophes within a word, numbers and initials stay whole.
# (Other abbreviations, mr. and jr., lose their dot here and keep it there.)
CLITIC = r"(?:n't|'(?:s|m|d|re|ve|ll))(?![\w'])"
BEFORE_CLITIC = re.compile(rf"(?<=\w)(?={CLITIC})")
TOKEN = re.compile(rf"{CLITIC}|(?:[a-z]\.){{2,}}|\d+(?:[.,:]\d+)+|\w+(?:[-/'@]\w+)*|'n'|\S")
HALVES = {
    "cannot": ("can", "not"),
    "gonna": ("gon", "na"),
    "gotta": ("got", "ta"),
    "wanna": ("wan", "na"),
    "gimme": ("gim", "me"),
    "lemme": ("lem", "me"),
}


def tokens(sentence: str) -> list[str]:
    """The words of a sentence as COCO's caption evaluation counts them: lower case, without punctuation.

    ``"The man's dog can't run!"`` becomes ``the man 's dog ca n't run``.
    """
    text = BEFORE_CLITIC.sub(" ", sentence.lower().replace("’", "'"))
    found = [token for token in TOKEN.findall(text) if token not in DROPPED]
    return [word for token in found for word in HALVES.get(token, (token,))]


def count_words(captions: Sequence[Sequence[str]]) -> Counter[str]:
    """How often each word occurs.

    Args:
        captions: the sentences of each image, as in :attr:`CaptionSet.captions`.
    """
    for index, sentences in enumerate(captions):
        # A string is a sequence of strings too: its letters would be counted.
        if isinstance(sentences, str):
            raise InputError(
                f"captions[{index}]={sentences!r}: must be the sentences of an image, not one sentence"
            )
    return Counter(word for sentences in captions for sentence in sentences for word in tokens(sentence))


def build_vocabulary(captions: Sequence[Sequence[str]], min_count: int) -> Vocabulary:
    """The words that occur often enough, the most frequent first, those of equal count in alphabetical order.

    Args:
        captions: the sentences of each image, as in :attr:`CaptionSet.captions`.
        min_count: how often a word must occur, 1 or more; rarer ones become ``<unk>``.

    Raises:
        InputError: a ``min_count`` below 1, or one that no word reaches.
    """
    if min_count < 1:
        raise InputError(f"min_count={min_count!r}: must be 1 or more")
    counts = count_words(captions)
    kept = sorted((word for word, n in counts.items() if n >= min_count), key=lambda w: (-counts[w], w))
    if not kept:
        raise InputError(
            f"min_count={min_count!r}: no word occurs as often; the most frequent one occurs "
            f"{max(counts.values(), default=0)} times"
        )
    return Vocabulary((*SPECIALS, *kept))


def encode(captions: Sequence[str], vocabulary: Vocabulary, length: int) -> NDArray[np.int32]:
    """Sentences as rows of word numbers: ``START w1 ... wn END PAD ...``, int32 ``[N, length]``.

    Args:
        captions: N sentences.
        vocabulary: numbers the words; those it does not know become ``UNKNOWN``.
        length: the numbers in a row, 3 or more; a longer sentence is cut so that ``END`` still fits.
    """
    if length < 3:
        raise InputError(f"length={length!r}: must be 3 or more, for a start, a word and an end")
    rows = np.full((len(captions), length), PAD, np.int32)
    for row, sentence in zip(rows, captions, strict=True):
        if not isinstance(sentence, str):
            raise InputError(f"captions: {sentence!r} is not a sentence; must be one string a row")
        words = vocabulary.ids(tokens(sentence))[: length - 2]
        row[: len(words) + 2] = [START, *words, END]
    return rows
