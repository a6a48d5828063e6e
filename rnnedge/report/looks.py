"""Where the int8 model looked for each word: its attention laid over the image, one small picture a word."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rnnedge.report.caption_answer import CaptionRun
from rnnedge.report.sentences import Captioned, jpeg_uri
from rnnedge_device.preprocess import Preprocess

# Six images with some ten words each: about 300 KB of page.
MOST = 6
TILE, QUALITY = 96, 80  # pixels of the longer side
# The picture below the map: brighter by LIFT, so that dark ones show it as well, with this share of its own colour.
LIFT, COLOR = 64, 0.3
# The map's colours in BGR, from little attention (where it is all but transparent) to most (where it covers so much).
COOL, HOT, COVER = np.array([30.0, 70.0, 255.0]), np.array([40.0, 235.0, 255.0]), 0.8


@dataclass(frozen=True)
class Tile:
    """One word with its picture."""

    word: str
    uri: str
    alt: str
    peak: float


@dataclass(frozen=True)
class Look:
    """One image with a tile for each word; ``size`` is that of its pictures (width, height)."""

    id: str
    uri: str
    size: tuple[int, int]
    grid: tuple[int, int]
    tiles: list[Tile]


def choose(run: CaptionRun, shown: list[Captioned]) -> list[Look]:
    """Images with attention, as many that both models tell alike as others, if there are."""
    seen = [item for item in shown if item.sample.attention and grid(run, len(item.sample.attention[0]))]
    differ, same = ([item for item in seen if item.same == alike] for alike in (False, True))
    half = max(MOST // 2, MOST - len(same))
    chosen = differ[:half]
    return [_look(run, item) for item in chosen + same[: MOST - len(chosen)]]


def grid(run: CaptionRun, places: int) -> tuple[int, int] | None:
    """Rows and columns of the map: as measured, as in the bundle, or of a square; None where none of them fits."""
    known = [run.evaluations.grid, run.bundle.caption.grid if run.bundle and run.bundle.caption else None]
    side = round(places**0.5)
    fits = [found for found in (*known, (side, side)) if found and found[0] * found[1] == places]
    return fits[0] if fits else None


def _look(run: CaptionRun, item: Captioned) -> Look:
    rows = item.sample.attention
    assert rows is not None
    shape = grid(run, len(rows[0]))
    assert shape is not None
    picture = as_seen(item.image, run.recipe.preprocess())
    maps = np.asarray(rows, np.float32).reshape(-1, *shape)
    # One scale for the whole sentence: what is bright for one word would be for the next.
    most = float(maps.max())
    tiles = [
        Tile(word, jpeg_uri(overlay(picture, seen, most), QUALITY), _alt(word, seen), float(seen.max()))
        for word, seen in zip(item.sample.int8.split(), maps, strict=True)
    ]
    size = picture.shape[1], picture.shape[0]
    return Look(item.sample.id, jpeg_uri(picture, QUALITY), size, shape, tiles)


def as_seen(image: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """What the model saw of a BGR image, BGR, its longer side ``TILE``; a stretched one in its own proportions.

    The map's places are those of the model's frame: what ``crop`` cut off has none, what ``pad`` added has.
    """
    shape = image.shape[:2] if preprocess.fit == "stretch" else preprocess.size
    factor = TILE / max(shape)
    height, width = (max(1, round(side * factor)) for side in shape)
    pixels = Preprocess((height, width), "rgb", preprocess.fit).pixels(image)
    return np.ascontiguousarray(pixels[..., ::-1])


def overlay(picture: np.ndarray, seen: np.ndarray, most: float) -> np.ndarray:
    """A BGR picture ``[H, W, 3]``: pale, from red to yellow where the map ``[R, C]`` is up to ``most``."""
    height, width = picture.shape[:2]
    strength = np.clip(seen / most, 0, 1) if most > 0 else np.zeros_like(seen)
    strength = cv2.resize(strength, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None]
    pale = LIFT + (1 - LIFT / 255) * (COLOR * picture + (1 - COLOR) * grey)
    heat = COOL + strength * (HOT - COOL)
    return np.rint(pale + COVER * strength * (heat - pale)).clip(0, 255).astype(np.uint8)


def _alt(word: str, seen: np.ndarray) -> str:
    row, column = np.unravel_index(int(seen.argmax()), seen.shape)
    return (
        f"{word}: most, {100 * float(seen.max()):.0f} %, at row {row + 1} of {seen.shape[0]}, column {column + 1} of "
        f"{seen.shape[1]}"
    )
