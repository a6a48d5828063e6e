"""Score a captioner on captioned images, every sentence written by the device's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np

from rnnedge.captions.metrics import CaptionScores, score_captions
from rnnedge.data.caption_text import tokens
from rnnedge.data.captions import CaptionSet
from rnnedge.data.scenes import Scene, attribute_accuracy, parse
from rnnedge_device.captioner import Caption, Captioner
from rnnedge_device.search import SearchOptions, State


@dataclass(frozen=True)
class CaptionEvaluation:
    """Figures of one captioner on one set.

    Attributes:
        scores: against the reference sentences.
        scenes: ``{"attributes", "exact", "grammar"}``, shares, where it is known what the images show, else None.
        beam: of the search.
        encode_us, decode_us, step_us: medians: an image, a sentence, and a sentence's mean step.
        data, split, skipped: what it was scored on.
    """

    scores: CaptionScores
    scenes: dict[str, float] | None
    beam: int
    encode_us: float
    decode_us: float
    step_us: float
    data: str
    split: str
    skipped: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "data": self.data,
            "split": self.split,
            "images": self.scores.count,
            "skipped": self.skipped,
            "beam": self.beam,
            **self.scores.to_dict(),
            **({"scenes": self.scenes} if self.scenes else {}),
            "encode_us": round(self.encode_us, 1),
            "decode_us": round(self.decode_us, 1),
            "step_us": round(self.step_us, 1),
        }


@dataclass(frozen=True)
class Encoded:
    """The images of a set as one captioner's decoder begins with them; they can be searched more than once.

    Attributes:
        states: one an image.
        encode_us: what each took, with preprocessing.
    """

    captioner: Captioner
    states: list[State]
    encode_us: list[float]

    @classmethod
    def of(cls, captioner: Captioner, captions: CaptionSet) -> Encoded:
        """Encode every image."""
        states, times = [], []
        for image in captions.images:
            begin = perf_counter_ns()
            states.append(captioner.encode(image))
            times.append((perf_counter_ns() - begin) / 1000)
        return cls(captioner, states, times)

    def write(self, options: SearchOptions) -> list[Caption]:
        """The best sentence for each image."""
        return [
            self.captioner.caption_state(state, options, encode_us=time)[0]
            for state, time in zip(self.states, self.encode_us, strict=True)
        ]


def evaluate_captions(
    captioner: Captioner, captions: CaptionSet, options: SearchOptions | None = None
) -> CaptionEvaluation:
    """Write a sentence for each image and score them; ``options`` by default the bundle's."""
    options = options or SearchOptions.of(captioner.spec)
    return score_written(Encoded.of(captioner, captions).write(options), captions, options.beam)


def score_written(sentences: Sequence[Caption], captions: CaptionSet, beam: int) -> CaptionEvaluation:
    """Figures of sentences that are there already."""
    candidates = [tokens(sentence.text) for sentence in sentences]
    references = [[tokens(text) for text in row] for row in captions.captions]
    return CaptionEvaluation(
        scores=score_captions(candidates, references),
        scenes=score_scenes([s.text for s in sentences], captions.scenes) if captions.scenes else None,
        beam=beam,
        encode_us=float(np.median([s.encode_us for s in sentences])),
        decode_us=float(np.median([s.decode_us for s in sentences])),
        step_us=float(np.median([s.decode_us / max(1, s.steps) for s in sentences])),
        data=captions.name,
        split=captions.split,
        skipped=len(captions.skipped),
    )


def score_scenes(sentences: Sequence[str], scenes: Sequence[Scene]) -> dict[str, float]:
    """How true sentences are of scenes: the share of right attributes, of wholly right ones, of grammatical ones."""
    found = [parse(sentence) for sentence in sentences]
    counts = np.array([attribute_accuracy(s, scene) for s, scene in zip(sentences, scenes, strict=True)])
    exact = [s is not None and s.matches(scene) for s, scene in zip(found, scenes, strict=True)]
    return {
        "attributes": float(counts[:, 0].sum() / counts[:, 1].sum()),
        "exact": float(np.mean(exact)),
        "grammar": float(np.mean([s is not None for s in found])),
    }
