"""How good captions are: BLEU, ROUGE-L and CIDEr-D as COCO's caption evaluation defines them.

The definitions are those of X. Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server"
(arXiv:1504.00325), and of its code, coco-caption; neither Java nor a download is needed. BLEU is sacrebleu's. ROUGE-L
and CIDEr-D are written out here: the `rouge-score` package would bring nltk for one table of subsequence lengths, and
its choice of the best reference is not COCO's, which takes the best precision and the best recall each for itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from rnnedge_device.errors import InputError

Words = Sequence[str]

ORDERS = 4  # BLEU and CIDEr-D look at n-grams of 1 to 4 words
ROUGE_BETA = 1.2  # how much more recall counts than precision
CIDER_SIGMA = 6.0  # words by which lengths may differ before CIDEr-D falls off


@dataclass(frozen=True)
class CaptionScores:
    """Figures over a set of captioned images.

    Attributes:
        bleu: BLEU-1 to BLEU-4 of the whole set, 0..1.
        rouge_l: mean ROUGE-L, 0..1.
        cider_d: mean CIDEr-D, 0..10; 0 for a single image, whose n-grams tell nothing apart.
        count: how many captions were scored.
    """

    bleu: tuple[float, float, float, float]
    rouge_l: float
    cider_d: float
    count: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON object: ``bleu_1`` .. ``bleu_4``, ``rouge_l``, ``cider_d``, ``captions``."""
        bleu = {f"bleu_{n}": value for n, value in enumerate(self.bleu, 1)}
        return {**bleu, "rouge_l": self.rouge_l, "cider_d": self.cider_d, "captions": self.count}


def score_captions(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> CaptionScores:
    """Score one caption an image against the captions that people wrote.

    Args:
        candidates: by image, the caption's words, tokenised; an empty caption is allowed and scores 0.
        references: by image, in the same order, one tokenised caption or more; images may differ in how many.

    Raises:
        InputError: no captions, lists of unequal length, an image without references, or something other than words.
    """
    _check(candidates, references)
    return CaptionScores(
        _bleu(candidates, references),
        fmean(_rouge_l(ours, theirs) for ours, theirs in zip(candidates, references, strict=True)),
        _cider_d(candidates, references),
        len(candidates),
    )


def _check(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> None:
    if len(candidates) != len(references):
        raise InputError(
            f"references: has {len(references)} images, but candidates has {len(candidates)}; "
            "both need one entry an image"
        )
    if not candidates:
        raise InputError("candidates: has no captions; at least one is needed")
    for i, (candidate, image) in enumerate(zip(candidates, references, strict=True)):
        _check_words(candidate, f"candidates[{i}]")
        if not image:
            raise InputError(f"references[{i}]: has no captions; at least one an image is needed")
        for j, reference in enumerate(image):
            _check_words(reference, f"references[{i}][{j}]")


def _check_words(words: Words, name: str) -> None:
    if isinstance(words, str) or not isinstance(words, Sequence):
        raise InputError(f"{name}={words!r}: is not a list of words; tokenised captions are needed")
    for word in words:
        if not isinstance(word, str) or word.split() != [word]:
            raise InputError(f"{name}: has the word {word!r}; words are texts without blanks, not empty")


def _bleu(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]]
) -> tuple[float, float, float, float]:
    """BLEU-1 to BLEU-4 of the set (Papineni et al., "BLEU", ACL 2002, section 2.3), unsmoothed.

    The reference length is that of the closest reference, the shorter of two equally close. Where no n-gram of an
    order matches, the value is 0; COCO's code adds 1e-15 to each count and 1e-9 to each total, so that it prints a
    small number there, and elsewhere the same value but for the tenth digit or so.
    """
    from sacrebleu.metrics.bleu import BLEU  # takes 0.1 s

    most = max(len(image) for image in references)
    # One list for each place among an image's references; None where the image has fewer.
    streams = [
        [" ".join(image[place]) if place < len(image) else None for image in references]
        for place in range(most)
    ]
    scorer = BLEU(tokenize="none", smooth_method="none", max_ngram_order=ORDERS, force=True)
    found = scorer.corpus_score([" ".join(words) for words in candidates], streams)  # type: ignore[arg-type]

    def up_to(n: int) -> float:
        counts, totals = found.counts[:n], found.totals[:n]
        score = BLEU.compute_bleu(counts, totals, found.sys_len, found.ref_len, max_ngram_order=n).score
        return min(score / 100, 1.0)  # a perfect 1 may come with a rounding error

    return up_to(1), up_to(2), up_to(3), up_to(4)


def _rouge_l(candidate: Words, references: Sequence[Words]) -> float:
    """ROUGE-L of one image (Lin, "ROUGE", 2004, equations 2 to 4): F of the longest common subsequence, 0..1.

    As in COCO's code, precision and recall are the best over the references, each for itself.
    """
    common = [_common(candidate, words) for words in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(candidate)
    recall = max(length / len(words) for length, words in zip(common, references, strict=True) if words)
    weight = ROUGE_BETA**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def _common(a: Words, b: Words) -> int:
    """Length in words of the longest common subsequence (dynamic programming, one row kept)."""
    row = [0] * (len(b) + 1)
    for word in a:
        corner = 0
        for j, other in enumerate(b, 1):
            corner, row[j] = row[j], corner + 1 if word == other else max(row[j], row[j - 1])
    return row[-1]


def _cider_d(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> float:
    """Mean CIDEr-D (Vedantam et al., "CIDEr", CVPR 2015, equations 1 to 3, clipped and with the length penalty).

    The inverse document frequencies come from ``references``: one image is one document.
    """
    images = [[_ngrams(words) for words in image] for image in references]
    documents = Counter(gram for image in images for gram in set().union(*image))
    rarity = {gram: math.log(len(images) / count) for gram, count in documents.items()}
    unseen = math.log(len(images))  # as if one document had it

    def weigh(grams: Counter[tuple[str, ...]]) -> tuple[dict[tuple[str, ...], float], list[float]]:
        weights = {gram: count * rarity.get(gram, unseen) for gram, count in grams.items()}
        squares = [0.0] * ORDERS
        for gram, weight in weights.items():
            squares[len(gram) - 1] += weight * weight
        return weights, [math.sqrt(square) for square in squares]

    scores = []
    for candidate, theirs, image in zip(candidates, references, images, strict=True):
        ours, norms = weigh(_ngrams(candidate))
        similar = []
        for words, grams in zip(theirs, image, strict=True):
            weights, other_norms = weigh(grams)
            shared = [0.0] * ORDERS
            for gram, weight in ours.items():
                # Clipped: a word said twice as often as in the reference earns no more.
                other = weights.get(gram, 0.0)
                shared[len(gram) - 1] += min(weight, other) * other
            cosines = [
                product / (mine * others) if product else 0.0
                for product, mine, others in zip(shared, norms, other_norms, strict=True)
            ]
            difference = len(candidate) - len(words)
            similar.append(fmean(cosines) * math.exp(-(difference**2) / (2 * CIDER_SIGMA**2)))
        scores.append(10.0 * fmean(similar))
    return fmean(scores)


def _ngrams(words: Words) -> Counter[tuple[str, ...]]:
    """How often each n-gram of 1 to 4 words occurs."""
    return Counter(tuple(words[i : i + n]) for n in range(1, ORDERS + 1) for i in range(len(words) - n + 1))
