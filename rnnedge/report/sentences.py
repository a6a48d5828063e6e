"""Test images with the sentences of the float and the int8 model side by side, and the words in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import cv2
import numpy as np

from rnnedge.report.canvas import data_uri
from rnnedge.report.caption_answer import CaptionRun
from rnnedge.report.caption_facts import CaptionSample
from rnnedge.report.record import damaged
from rnnedge.report.samples import decoded

MOST = 24
LARGEST_SIDE = 256
# Small drawings stay as they are; photos of this side or more are lighter as JPEG.
JPEG_FROM, QUALITY = 128, 82


@dataclass(frozen=True)
class Word:
    """A word of a sentence; ``differs``: the other model says another, or none."""

    text: str
    differs: bool


@dataclass(frozen=True)
class Captioned:
    """A test image on the page: ``uri`` is its picture of ``size`` (width, height), ``image`` it as BGR."""

    sample: CaptionSample
    image: np.ndarray
    uri: str
    size: tuple[int, int]
    float_: list[Word]
    int8: list[Word]

    @property
    def same(self) -> bool:
        """Do both models say the same?"""
        return not any(word.differs for word in (*self.float_, *self.int8))


def choose(run: CaptionRun) -> list[Captioned]:
    """Those that float and int8 tell in other words come first.

    Raises:
        InputError: an image is not a PNG in base64.
    """
    found = []
    for index, sample in enumerate(run.evaluations.samples[:MOST]):
        image = decoded(sample.image)
        if image is None:
            where = f"samples.{index}.image ({sample.id})"
            raise damaged(run.folder / "evaluation.json", f"{where}: is not an 8-bit PNG in base64")
        found.append(_captioned(sample, image))
    return sorted(found, key=lambda item: item.same)


def _captioned(sample: CaptionSample, image: np.ndarray) -> Captioned:
    factor = LARGEST_SIDE / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    height, width = image.shape[:2]
    uri = jpeg_uri(image) if max(height, width) >= JPEG_FROM else _png_uri(image)
    return Captioned(
        sample, image, uri, (width, height), *compare(sample.float_.split(), sample.int8.split())
    )


def _png_uri(image: np.ndarray) -> str:
    return data_uri(cv2.imencode(".png", image)[1].tobytes())


def jpeg_uri(image: np.ndarray, quality: int = QUALITY) -> str:
    """A BGR image as a JPEG in a ``data:`` URI."""
    options: Sequence[Any] = (cv2.IMWRITE_JPEG_QUALITY, quality)
    return data_uri(cv2.imencode(".jpg", image, options)[1].tobytes(), "jpeg")


def compare(one: list[str], other: list[str]) -> tuple[list[Word], list[Word]]:
    """Both sentences, each word with whether it stands in the other one at the same place of the common order."""
    common = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    kept = [{block[side] + step for block in common for step in range(block.size)} for side in (0, 1)]
    first, second = (
        [Word(word, at not in same) for at, word in enumerate(words)]
        for words, same in zip((one, other), kept, strict=True)
    )
    return first, second
