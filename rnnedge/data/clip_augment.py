"""``ClipAugment``: random changes of a training clip, the same for all its frames, and of its pace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnedge.data.augment import DRAWS, Augment
from rnnedge_device.errors import InputError

LIMITS = {
    "jitter": (1, "share of a step"),
    "speed": (1, "share"),
    "trim": (0.4, "share of the clip"),
    "extend": (100, "steps"),
}


@dataclass(frozen=True)
class ClipAugment:
    """What may change.

    Attributes:
        image: the changes of each picture, drawn once a clip.
        flip: half of the clips are mirrored left to right.
        trim: up to this share of a clip is left out at its beginning, and up to as much at its end: where an action
            begins and ends is a matter of opinion.
        extend: each end may also lie up to so many steps further out, where the video goes on; evenly from there to
            what ``trim`` allows.
        upside_down: half of the clips are mirrored top to bottom, for a camera that looks down.
        jitter: each frame is taken up to this share of a step early or late, never out of order; windows of
            longer clips begin anywhere.
        speed: share; 0.2 draws a pace from 1/1.2 to 1.2.
        reverse: half of the clips all of whose labels it names run backwards and get the labels it gives, such as
            ``{"left": "right", "right": "left", "jump": "jump"}``.
    """

    image: Augment = field(default_factory=Augment)
    flip: bool = False
    jitter: float = 0.0
    speed: float = 0.0
    reverse: Mapping[str, str] = field(default_factory=dict)
    upside_down: bool = False
    trim: float = 0.0
    extend: float = 0.0

    def __post_init__(self) -> None:
        for name, (most, unit) in LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise InputError(f"{name}={value!r}: must be from 0 to {most} ({unit})")

    def __bool__(self) -> bool:
        """Whether anything is changed at all."""
        return bool(
            self.image
            or self.flip
            or self.upside_down
            or self.jitter
            or self.speed
            or self.trim
            or self.extend
            or self.reverse
        )

    def reversal(self, names: Sequence[str], background: str = "") -> np.ndarray:
        """The label that each label becomes when its clip runs backwards, int64 ``[K]``; -1: it must not.

        ``background`` stays what it is.

        Raises:
            InputError: ``reverse`` names a class that is not among ``names``.
        """
        for name in [*self.reverse, *self.reverse.values()]:
            if name not in names:
                raise InputError(f"reverse: {name!r} is no class; the classes are {', '.join(names)}")
        same = {background: background} if self.reverse and background in names else {}
        reverse = same | dict(self.reverse)
        return np.array([names.index(reverse[n]) if n in reverse else -1 for n in names], np.int64)

    def draw(self, seed: int, epoch: int, count: int) -> np.ndarray:
        """Draws from -1 to 1, float64 ``[count, 20]``: row i depends on (seed, epoch, i) alone."""
        time = np.random.default_rng([seed, epoch, 5]).uniform(-1.0, 1.0, (count, 6))
        return np.hstack([self.image.draw(seed, epoch, count), time])

    def paced(self, count: int, draw: np.ndarray) -> int:
        """How many frames ``count`` frames become, trimmed and at the drawn pace."""
        first, last = self._kept(count, draw)
        return int((last - first) / self._pace(draw)) + 1

    def positions(self, count: int, draw: np.ndarray, key: Sequence[int]) -> np.ndarray:
        """Where the frames that are shown lie among ``count`` frames, in steps, float64 ``[paced]``, never falling.

        0 is the first frame; with ``extend`` they begin before it and end behind the last. ``key`` seeds the jitter.
        """
        steps = self._kept(count, draw)[0] + np.arange(self.paced(count, draw)) * self._pace(draw)
        if self.jitter:
            steps += self.jitter * np.random.default_rng([*key, 6]).uniform(-1.0, 1.0, len(steps))
        return np.maximum.accumulate(np.clip(steps, -self.extend, count - 1 + self.extend))

    def _kept(self, count: int, draw: np.ndarray) -> tuple[float, float]:
        """The first and the last position that trimming and extending leave."""
        inward = (draw[DRAWS + 4 : DRAWS + 6] + 1) / 2 * (self.extend + int(count * self.trim)) - self.extend
        first, behind = inward if self.extend else np.floor(inward)
        return float(first), max(float(first), float(count - 1 - behind))

    def backwards(self, draw: np.ndarray) -> bool:
        """Whether a clip that may be reversed is."""
        return bool(self.reverse) and draw[DRAWS + 1] < 0

    def apply(self, frames: np.ndarray, draw: np.ndarray, mean: float) -> np.ndarray:
        """Change pixels uint8 ``[T, h, w, c]``, every frame alike; ``mean`` is what contrast turns about."""
        if self.flip and draw[DRAWS] < 0:
            frames = np.ascontiguousarray(frames[:, :, ::-1])
        if self.upside_down and abs(draw[DRAWS]) < 0.5:
            frames = np.ascontiguousarray(frames[:, ::-1])
        if not self.image:
            return frames
        return np.stack([self.image.apply(frame, draw[:DRAWS], mean) for frame in frames])

    def _pace(self, draw: np.ndarray) -> float:
        return float((1 + self.speed) ** draw[DRAWS + 2])
