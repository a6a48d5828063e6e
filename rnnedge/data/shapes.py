"""``shapes``: pictures of coloured shapes with sentences about them, drawn when asked for, no download.

Some combinations are kept back: training and val show no large red triangle, though they show small ones, and large
red and large triangular things. Every picture of the test split shows such a combination, so that only a model that
composes its words is right about it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rnnedge.data.captions import CaptionSet
from rnnedge.data.scenes import (
    COLOURS,
    RELATIONS,
    SHAPES,
    SIZES,
    Scene,
    Thing,
    attribute_accuracy,
    parse,
    sentences,
)

__all__ = ["Drawing", "Scene", "Thing", "attribute_accuracy", "load_shapes", "parse", "sentences"]

PICTURES = {"train": 40000, "val": 400, "test": 500}
# To each picture; many pictures teach more than many wordings.
SENTENCES = {"train": 1, "val": 5, "test": 5}
SIDE = 64

# Combinations that only the test split shows.
UNSEEN = {
    Thing("red", "large", "triangle"),
    Thing("red", "small", "square"),
    Thing("green", "large", "circle"),
    Thing("blue", "small", "circle"),
    Thing("blue", "large", "cross"),
    Thing("yellow", "large", "cross"),
    Thing("purple", "small", "square"),
    Thing("white", "small", "triangle"),
}
EVERY_THING = [Thing(*kind) for kind in product(COLOURS, SIZES, SHAPES)]
SEEN_THINGS = [thing for thing in EVERY_THING if thing not in UNSEEN]
UNSEEN_THINGS = [thing for thing in EVERY_THING if thing in UNSEEN]

# Half the side of a thing's bounding box, in pixels, and the least gap between two boxes and around them.
RADIUS = {"small": (5.5, 7.0), "large": (10.0, 11.5)}
GAP = 4.0
# Two things in a relation may be this much askew: the way across as a share of the way along.
ASKEW = 0.4
BGR = {
    "red": (40, 40, 215),
    "green": (60, 170, 40),
    "blue": (225, 90, 30),
    "yellow": (40, 215, 235),
    "purple": (190, 45, 150),
    "white": (240, 240, 240),
}


def _outlines() -> dict[str, NDArray[np.float64]]:
    turn = np.arange(32) * np.pi / 16
    arm = 0.36
    corner = np.array([[arm, 1], [arm, arm], [1, arm]])
    quarter = np.array([[0, -1], [1, 0]])
    return {
        "circle": np.stack([np.cos(turn), np.sin(turn)], axis=1),
        "square": np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]),
        "triangle": np.array([[0.0, -1], [1, 0.8], [-1, 0.8]]),
        "cross": np.concatenate([corner @ np.linalg.matrix_power(quarter, k) for k in range(4)]),
    }


OUTLINES = _outlines()
# By how much a byte darkens a pixel, 0 to n - 1, for each n.
GRAIN = [(np.arange(256) * n // 256).astype(np.uint8) for n in range(25)]


@dataclass(frozen=True)
class Drawing:
    """A picture of a scene: which one, and the seed of all that its sentences do not say."""

    scene: Scene
    key: tuple[int, ...]

    def draw(self) -> NDArray[np.uint8]:
        """The picture, uint8 ``[SIDE, SIDE, 3]`` BGR."""
        rng = np.random.default_rng([*self.key, 1])
        things = list(self.scene.things) * self.scene.count
        radii = np.array([rng.uniform(*RADIUS[thing.size]) for thing in things])
        picture = _background(rng)
        for thing, radius, middle in zip(
            things, radii, _places(radii, self.scene.relation, rng), strict=True
        ):
            colour = [level + rng.uniform(-15, 15) for level in BGR[thing.colour]]
            # In sixteenths of a pixel.
            corners = np.rint((_outline(thing.shape, rng) * radius + middle) * 16).astype(np.int32)
            cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA, 4)
        noise = np.frombuffer(rng.bytes(picture.size), np.uint8).reshape(picture.shape)
        return picture - np.minimum(picture, cv2.LUT(noise, GRAIN[rng.integers(8, 25)]).astype(np.uint8))


class Drawings(Sequence[NDArray[np.uint8]]):
    """Pictures drawn when they are first asked for, and kept: drawing took a fifth of a training step."""

    def __init__(self, drawings: list[Drawing]) -> None:
        self._drawings = drawings
        self._drawn: dict[int, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return len(self._drawings)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, slice):
            return Drawings(self._drawings[item])
        number = range(len(self))[item]
        if number not in self._drawn:
            self._drawn[number] = self._drawings[number].draw()
        return self._drawn[number].copy()


def load_shapes(split: str) -> CaptionSet:
    """Load a split; see :func:`rnnedge.data.captions.load_captions`.

    Half of the pictures show two different things, of the training's two thirds: they are harder to tell.
    """
    numbers = [(part, i) for part in PICTURES if split in (part, "all") for i in range(PICTURES[part])]
    drawings: list[Drawing] = []
    captions: list[tuple[str, ...]] = []
    for part, i in numbers:
        key = (list(PICTURES).index(part), i)
        rng = np.random.default_rng([*key, 0])
        scene = _scene(part, i, rng)
        said = sentences(scene)
        drawings.append(Drawing(scene, key))
        captions.append(tuple(said[k] for k in rng.choice(len(said), SENTENCES[part], replace=False)))
    return CaptionSet(
        Drawings(drawings),
        captions,
        [f"shapes/{part}/{i:04d}" for part, i in numbers],
        "shapes",
        split,
        scenes=tuple(drawing.scene for drawing in drawings),
    )


def _scene(part: str, index: int, rng: np.random.Generator) -> Scene:
    """A scene; those of the test split show an unseen thing at least, the others none."""
    first = _one_of(UNSEEN_THINGS if part == "test" else SEEN_THINGS, rng)
    if index % (3 if part == "train" else 2) == 0:
        return Scene((first,), int(rng.integers(1, 4)))
    # Of another colour or shape: size alone would make two things hard to tell apart in words.
    others = EVERY_THING if part == "test" else SEEN_THINGS
    second = _one_of([t for t in others if (t.colour, t.shape) != (first.colour, first.shape)], rng)
    scene = Scene((first, second), relation=_one_of(list(RELATIONS), rng))
    return scene.turned() if rng.integers(2) else scene


def _one_of(choices: Sequence[Any], rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _background(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A dark ground of a few soft patches, none as bright as a thing."""
    patches = int(rng.integers(1, 6))
    coarse = (55 * rng.random(3) + 50 * rng.random((patches, patches, 3))).astype(np.uint8)
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _outline(shape: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """A shape a little turned, in a bounding box from -1 to 1 (its longer side)."""
    turn = rng.uniform(-0.2, 0.2)
    cos, sin = math.cos(turn), math.sin(turn)
    turned = OUTLINES[shape] @ np.array([[cos, sin], [-sin, cos]])
    least, most = turned.min(axis=0), turned.max(axis=0)
    return (turned - (least + most) / 2) / ((most - least).max() / 2)


def _places(radii: NDArray[np.float64], relation: str, rng: np.random.Generator) -> NDArray[np.float64]:
    """The middles of things in the picture, ``[n, 2]`` as x and y; their bounding boxes do not touch."""
    while True:
        # Many at once, for the first that will do.
        edge = radii[:, None] + GAP
        middles = edge + rng.random((128, len(radii), 2)) * (SIDE - 1 - 2 * edge)
        fits = np.ones(len(middles), bool)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            if j < len(radii):
                way = np.abs(middles[:, i] - middles[:, j])
                fits &= (way > radii[i] + radii[j] + GAP).any(axis=1)
        if relation:
            x, y = (middles[:, 0] - middles[:, 1]).T
            along, across = {"left": (-x, y), "right": (x, y), "above": (-y, x), "below": (y, x)}[relation]
            fits &= (along > radii.sum() + GAP) & (np.abs(across) < ASKEW * along)
        if fits.any():
            return middles[fits.argmax()]
