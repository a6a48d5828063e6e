"""``Clip`` and ``ClipSet``: labelled frames over time as every loader returns them, and the door to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rnnedge.data.split import check_split
from rnnedge_device.errors import InputError
from rnnedge_device.preprocess import Preprocess

HEADS = ("last", "every", "both")
NAMES = ("motion", "videos:PATH", "events:PATH")
UNLABELLED = -1


class Frames(Protocol):
    """Pixels over time, uint8 ``[T, h, w, c]``: an array, or something that reads or draws them when asked."""

    def __len__(self) -> int: ...

    def __getitem__(self, item: Any, /) -> Any:
        """An array uint8 ``[n, h, w, c]`` of the frames that a slice or an index array names."""


@runtime_checkable
class Footage(Frames, Protocol):
    """Frames of a video that has more of them: between those the model sees, and before and behind the clip."""

    def near(self, positions: np.ndarray, /) -> np.ndarray:
        """The frames nearest to ``positions`` in steps (0: the clip's first frame), uint8 ``[n, h, w, c]``."""


def frames_near(frames: Frames, positions: np.ndarray) -> np.ndarray:
    """The frames nearest to ``positions``, float64 ``[n]`` in steps; behind the ends they stand still or go on."""
    if isinstance(frames, Footage):
        return frames.near(positions)
    return np.asarray(frames[nearest(positions, len(frames))])


def nearest(positions: np.ndarray, count: int) -> np.ndarray:
    """Indices int64 ``[n]`` of the nearest of ``count`` frames."""
    return np.clip(np.rint(positions), 0, count - 1).astype(np.int64)


@dataclass(frozen=True)
class Truth:
    """One event as it was labelled: from ``start_ms`` up to, not including, ``end_ms``."""

    start_ms: float
    end_ms: float
    label: int

    def span(self, ts_ms: np.ndarray) -> slice:
        """The frames that it covers, of frames at ``ts_ms``, float64 ``[T]``, never falling."""
        first, last = np.searchsorted(ts_ms, [self.start_ms, self.end_ms])
        return slice(int(first), int(last))


@dataclass(frozen=True)
class ClipOptions:
    """How videos become clips; a recipe's ``[clip]``.

    Attributes:
        fps: frames are picked by their timestamps at this rate, frames a second.
        stride: every how many of those the model sees.
        length: frames of a training window.
        head: which logits are the answer: ``last`` (one label a clip), ``every`` (one a frame) or ``both``.
        background: the class of frames that no event covers; empty: such frames have no label.
        max_gap_ms: after a longer pause between two frames the picking begins anew.
        lead_ms: a labelled segment's clip begins so much before it, as a stream that runs has seen what came before.
    """

    fps: float = 10.0
    stride: int = 1
    length: int = 16
    head: str = "last"
    background: str = ""
    max_gap_ms: float = 1000.0
    lead_ms: float = 0.0

    def __post_init__(self) -> None:
        if not self.fps > 0 or not np.isfinite(self.fps):
            raise InputError(f"fps={self.fps!r}: must be above zero")
        for name in ("stride", "length"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)!r}: must be 1 or more")
        if self.head not in HEADS:
            raise InputError(f"head={self.head!r}: must be one of {', '.join(HEADS)}")
        if not self.max_gap_ms > 0:
            raise InputError(f"max_gap_ms={self.max_gap_ms!r}: must be above zero")
        if not 0 <= self.lead_ms < np.inf:
            raise InputError(f"lead_ms={self.lead_ms!r}: must be 0 or more")

    @property
    def rate(self) -> float:
        """The model's frames a second."""
        return self.fps / self.stride


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames at the model's rate, size and colour, with their label or labels.

    Attributes:
        id: a stable name: ``motion/test/0042``, a path inside the folder, a session and its segment.
        label: the clip's class, or -1 where it has none (a whole video of events).
        frames: uint8 ``[T, h, w, c]``, T >= 1; most are read or drawn only when asked for.
        ts_ms: float64 ``[T]``, never falling: the source's time of each frame.
        frame_labels: int64 ``[T]``, -1 where a frame has none; None: every frame has the clip's label.
        truths: the events as labelled, in order of their start.
        path: the video or folder of frames they come from; empty for drawn ones.
        group: what a split keeps together.
    """

    id: str
    label: int
    frames: Frames
    ts_ms: np.ndarray
    frame_labels: np.ndarray | None = None
    truths: tuple[Truth, ...] = ()
    path: str = ""
    group: str = ""

    def __len__(self) -> int:
        return len(self.ts_ms)

    @property
    def labels(self) -> np.ndarray:
        """The label of each frame, int64 ``[T]``; -1: none."""
        if self.frame_labels is not None:
            return self.frame_labels
        return np.full(len(self), self.label, np.int64)


@dataclass(frozen=True, eq=False)
class ClipSet:
    """Clips with the names of their classes.

    Attributes:
        clips: in a fixed order.
        names: the class names in label order.
        name: what was loaded, for reports: ``motion``, ``events:/data/sessions``.
        split: ``train``, ``val``, ``test`` or ``all``.
        rate: the model's frames a second.
        skipped: names of videos that could not be decoded, and of segments without a frame.
    """

    clips: Sequence[Clip]
    names: list[str]
    name: str
    split: str = "all"
    rate: float = 10.0
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse clips that do not hold together here, once for every loader."""
        most = len(self.names) - 1
        for clip in self.clips:
            where = f"{self.name}: clip {clip.id}"
            if not len(clip) or len(clip.frames) != len(clip):
                raise InputError(
                    f"{where}: {len(clip.frames)} frames and {len(clip)} times; must be equal, 1 or more"
                )
            if clip.frame_labels is not None and len(clip.frame_labels) != len(clip):
                raise InputError(
                    f"{where}: {len(clip)} frames and {len(clip.frame_labels)} labels; must be equal"
                )
            found = np.append(clip.labels, [clip.label, *(truth.label for truth in clip.truths)])
            if found.min() < UNLABELLED or found.max() > most:
                bad = found.min() if found.min() < UNLABELLED else found.max()
                raise InputError(
                    f"{where}: label {bad} is out of range; allowed: 0 to {most}, or -1 for none"
                )

    @property
    def labels(self) -> np.ndarray:
        """The clips' labels, int64 ``[N]``; -1: none."""
        return np.array([clip.label for clip in self.clips], np.int64)

    def __len__(self) -> int:
        return len(self.clips)

    def take(self, indices: np.ndarray | Sequence[int], split: str | None = None) -> ClipSet:
        """The clips at ``indices`` in that order, as a set of their own."""
        clips = [self.clips[int(i)] for i in indices]
        return ClipSet(clips, self.names, self.name, split or self.split, self.rate, self.skipped)


def joined(one: ClipSet, other: ClipSet) -> ClipSet:
    """Two splits of one set as one."""
    clips, skipped = [*one.clips, *other.clips], [*one.skipped, *other.skipped]
    return ClipSet(clips, one.names, one.name, one.split, one.rate, skipped)


def load_clips(
    spec: str,
    split: str = "train",
    *,
    preprocess: Preprocess,
    clip: ClipOptions,
    group: str | None = None,
    classes: Mapping[str, Sequence[str]] | None = None,
    fold: int = -1,
    folds: int = 0,
    strict: bool = False,
    cache: Path | None = None,
    workers: int = 2,
) -> ClipSet:
    """Load a set of clips by its name.

    Args:
        spec: ``motion`` (digit scans along named motions, drawn when asked for), ``videos:PATH`` (one
            sub-folder of videos, or of folders of frames, a class) or ``events:PATH`` (``labels.csv`` with the
            columns clip, start_ms, end_ms, label, beside ``videos/``).
        split: ``train``, ``val``, ``test`` or ``all``. No group lies in two of the first three.
        preprocess: its first half (colour, size) makes the frames' pixels.
        clip: rate, head and background.
        group: a regular expression on a video's relative path; all videos of a match go to one side.
        classes: which labels (or sub-folders) each class gathers; a label that none names is left out, or is
            background. Empty: every label is a class of its own.
        fold, folds: part ``fold`` of ``folds`` by group is ``test``; -1 splits by a hash of each group.
        strict: stop at a video that cannot be decoded, instead of skipping it with a count.
        cache: folder for decoded frames; None: ``$RNNEDGE_CACHE``, or the user's cache folder.
        workers: threads that decode.

    Raises:
        InputError: unknown name, missing or empty folder, malformed labels, an empty split.
    """
    check_split(split)
    name, _, path = spec.partition(":")
    if name in ("videos", "events"):
        if not path:
            raise InputError(f"data={spec!r}: needs the path of a folder, as in {name}:/data/sessions")
        from rnnedge.data.label_file import load_label_file
        from rnnedge.data.video_folder import load_video_folder
        from rnnedge.data.videos import VideoLoading

        loading = VideoLoading(preprocess, clip, group, classes, fold, folds, strict, cache, workers)
        return (load_video_folder if name == "videos" else load_label_file)(path, split, loading)
    if path or name not in NAMES:
        raise InputError(f"data={spec!r}: must be one of {', '.join(NAMES)}")
    given = {"group": group, "classes": classes, "background": clip.background, "fold": fold + 1}
    for key, value in given.items():
        if value:
            raise InputError(f"{key}: is for videos:PATH and events:PATH, not for {name}")
    from rnnedge.data.motion import load_motion

    return load_motion(split, preprocess, clip)
