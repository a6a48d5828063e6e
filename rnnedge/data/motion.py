"""``motion``: real digit scans moved along named motions over noise, drawn when asked for; one frame tells nothing.

Whatever the motion, the scan is anywhere in the frame, small or large, at its first instant as at its last: a motion
begins at a random pose among those from which all of it fits, and goes a small part of what there is to go. (Given a
frame's exact pose, the best guess of the motion is right in about one case of six.)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np

from rnnedge.data.clips import Clip, ClipOptions, ClipSet, Truth
from rnnedge.data.dataset import Dataset
from rnnedge.data.digits import load_digits
from rnnedge_device.preprocess import Preprocess

COUNTS = {"train": 2400, "val": 480, "test": 600}
SIDE = 32
SECONDS = (1.2, 2.4)
# Where frames need labels of their own, a clip is a run of several motions.
RUN = 3

DIRECTIONS = ["east", "northeast", "north", "northwest", "west", "southwest", "south", "southeast"]
NAMES = [*DIRECTIONS, "zoom in", "zoom out", "circle", "shake"]

# A pose: x and y of the scan's middle (pixels), the logarithm of its size (pixels of the frame a pixel of the 8x8
# scan), its turn (radians).
LEAST = np.array([1.0, 1.0, np.log(0.9), -0.4])
MOST = np.array([SIDE - 2.0, SIDE - 2.0, np.log(2.8), 0.4])


@dataclass(frozen=True, eq=False)
class Scene:
    """One scan moving over one background.

    Attributes:
        scan: uint8 ``[8, 8]``.
        poses: float64 ``[T, 4]``, from :data:`LEAST` to :data:`MOST`.
        key: the seed of everything else.
    """

    scan: np.ndarray
    poses: np.ndarray
    key: tuple[int, ...]

    def draw(self, index: np.ndarray) -> np.ndarray:
        """The frames at ``index``, uint8 ``[n, SIDE, SIDE]``."""
        rng = np.random.default_rng([*self.key, 1])
        coarse = rng.normal(rng.uniform(20, 50), rng.uniform(10, 30), (SIDE, SIDE)).astype(np.float32)
        ground = cv2.GaussianBlur(coarse, (0, 0), rng.uniform(0.7, 2.5))
        ink, grain = np.float32(rng.uniform(170, 230)), np.float32(rng.uniform(3, 6))
        cover = self._cover(self.poses[index]) / np.float32(255)
        frames = ground + cover * ink
        for frame, i in zip(frames, index, strict=True):
            noise = np.random.default_rng([*self.key, 2, int(i)])
            frame += grain * noise.standard_normal((SIDE, SIDE), np.float32)
        return np.clip(np.rint(frames), 0, 255).astype(np.uint8)

    def _cover(self, poses: np.ndarray) -> np.ndarray:
        """How much of each pixel the scan covers, float32 ``[n, SIDE, SIDE]`` of 0..255."""
        x, y, size, turn = (column[:, None, None] for column in poses.T)
        dy, dx = np.arange(SIDE)[:, None] - y, np.arange(SIDE) - x
        cos, sin = np.cos(turn) / np.exp(size), np.sin(turn) / np.exp(size)
        middle = (len(self.scan) - 1) / 2
        columns = (dx * cos + dy * sin + middle).astype(np.float32).reshape(-1, SIDE)
        rows = (dy * cos - dx * sin + middle).astype(np.float32).reshape(-1, SIDE)
        found = cv2.remap(self.scan.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderValue=0)
        return found.reshape(len(poses), SIDE, SIDE)


@dataclass(frozen=True, eq=False)
class MotionFrames:
    """A scene as a model's pixels, uint8 ``[T, h, w, c]``, drawn anew each time."""

    scene: Scene
    preprocess: Preprocess

    def __len__(self) -> int:
        return len(self.scene.poses)

    def __getitem__(self, item: Any) -> np.ndarray:
        frames = self.scene.draw(np.arange(len(self))[item])
        return np.stack([self.preprocess.pixels(frame) for frame in frames])


@dataclass(frozen=True, eq=False)
class MotionVideo:
    """A stream of motions one after another.

    Attributes:
        frames: uint8 ``[T, SIDE, SIDE]``.
        ts_ms: float64 ``[T]``.
        truths: one a motion, labels into :data:`NAMES`.
    """

    frames: np.ndarray
    ts_ms: np.ndarray
    truths: tuple[Truth, ...]


def load_motion(split: str, preprocess: Preprocess, clip: ClipOptions) -> ClipSet:
    """Load a split; each part draws with the scans of its own part of ``digits``.

    With ``head = "every"`` a clip is a run of three motions, each frame labelled, and the clip has the label of the
    last one; else it is one motion, of which every part has the same number.
    """
    parts = list(COUNTS) if split == "all" else [split]
    clips = [_clip(part, i, preprocess, clip) for part in parts for i in range(COUNTS[part])]
    return ClipSet(clips, NAMES, "motion", split, clip.rate)


def motion_video(
    motions: int = 12, *, fps: float = 20.0, seed: int = 0, split: str = "test", cuts: bool = True
) -> MotionVideo:
    """Motions one after another in random order, no two alike in a row.

    Args:
        motions: how many.
        fps: frames a second.
        seed: names the order and everything in it.
        split: whose scans are used.
        cuts: each motion is a scene of its own, with another scan and background; else one scan goes on from
            where it is.
    """
    key = (list(COUNTS).index(split), seed, 4)
    rng = np.random.default_rng([*key, 3])
    frames: list[np.ndarray] = []
    truths: list[Truth] = []
    label, begin = int(rng.integers(len(NAMES))), 0
    for number in range(motions if cuts else 1):
        count = 1 if cuts else motions
        scene, found = _scene(_scans(split), label, count, fps, (*key, number), begin)
        frames.append(scene.draw(np.arange(len(scene.poses))))
        truths += found
        begin += len(scene.poses)
        label = _other(label, rng)
    return MotionVideo(np.concatenate(frames), np.arange(begin) * 1000 / fps, tuple(truths))


def _clip(part: str, index: int, preprocess: Preprocess, options: ClipOptions) -> Clip:
    every = options.head == "every"
    scene, truths = _scene(
        _scans(part),
        index % len(NAMES),
        RUN if every else 1,
        options.rate,
        (list(COUNTS).index(part), index),
    )
    ts_ms = np.arange(len(scene.poses)) * 1000 / options.rate
    labels = np.array([t.label for t in truths])[np.searchsorted([t.end_ms for t in truths], ts_ms, "right")]
    return Clip(
        f"motion/{part}/{index:04d}",
        truths[-1].label,
        MotionFrames(scene, preprocess),
        ts_ms,
        labels if every else None,
        tuple(truths),
    )


@cache
def _scans(part: str) -> Dataset:
    return load_digits(part)


def _other(label: int, rng: np.random.Generator) -> int:
    return (label + int(rng.integers(1, len(NAMES)))) % len(NAMES)


def _scene(
    scans: Dataset, label: int, motions: int, rate: float, key: tuple[int, ...], begin: int = 0
) -> tuple[Scene, list[Truth]]:
    """A scene that begins with the motion ``label`` and goes on with others that fit; ``begin`` is its first frame."""
    rng = np.random.default_rng([*key, 0])
    scan = scans.images[int(rng.integers(len(scans)))]
    gone = _moved(label, rate, rng)
    way = rng.uniform(LEAST - gone.min(axis=0), MOST - gone.max(axis=0)) + gone
    ways: list[np.ndarray] = []
    truths: list[Truth] = []
    while True:
        end = begin + len(way) - 1
        truths.append(Truth(begin * 1000 / rate, end * 1000 / rate, label))
        # The pose after a motion's last frame is the next one's first.
        ways.append(way[:-1])
        begin, last = end, way[-1]
        if len(ways) == motions:
            return Scene(scan, np.concatenate(ways), key), truths
        fits = False
        while not fits:
            label = _other(truths[-1].label, rng)
            way = last + _moved(label, rate, rng)
            fits = bool(np.all((way >= LEAST) & (way <= MOST)))


def _moved(label: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """How a motion changes the pose it begins at: ``[frames + 1, 4]``, zero at first."""
    seconds = rng.uniform(*SECONDS)
    count = max(1, round(seconds * rate))
    t = np.arange(count + 1) / rate
    share = t / max(seconds, t[-1])
    gone = np.zeros((count + 1, 4))
    gone[:, 3] = rng.uniform(-0.2, 0.2) * share
    name = NAMES[label]
    if name in DIRECTIONS:
        heading = np.deg2rad(45 * label + rng.uniform(-4, 4))
        way = rng.uniform(11, 15) * share
        gone[:, 0], gone[:, 1] = way * np.cos(heading), -way * np.sin(heading)
    elif name == "circle":
        radius, start = rng.uniform(4, 5.5), rng.uniform(0, 2 * np.pi)
        angle = start + rng.choice([-1, 1]) * 2 * np.pi * rng.uniform(0.7, 0.9) * t
        gone[:, 0] = radius * (np.cos(angle) - np.cos(start))
        gone[:, 1] = radius * (np.sin(angle) - np.sin(start))
    elif name == "shake":
        axis, start = rng.uniform(0, 2 * np.pi, 2)
        way = rng.uniform(3.5, 5) * (np.sin(start + 2 * np.pi * rng.uniform(1.7, 2.5) * t) - np.sin(start))
        gone[:, 0], gone[:, 1] = way * np.cos(axis), way * np.sin(axis)
    else:
        gone[:, 2] = (1 if name == "zoom in" else -1) * rng.uniform(0.6, 0.75) * share
    return gone
