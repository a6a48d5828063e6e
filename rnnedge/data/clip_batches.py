"""``ClipBatches``: a set of clips as the batches of one epoch, windows of one length, for ``keras.Model.fit``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data.augment import DRAWS
from rnnedge.data.batches import to_inputs
from rnnedge.data.clip_augment import ClipAugment
from rnnedge.data.clips import Clip, ClipOptions, ClipSet, frames_near, nearest
from rnnedge_device.preprocess import Preprocess

use_backend()

import keras  # noqa: E402 - the backend is chosen first

Inputs = tuple[np.ndarray, np.ndarray, np.ndarray]


def class_weights(clips: ClipSet, head: str) -> np.ndarray:
    """Balanced weights float32 ``[K]``: rare classes count as much as frequent ones, 1 on average over the labels.

    What is counted is what the head learns from: clips for ``last``, labelled frames for ``every``, frames and
    clips' ends for ``both``. A class that never occurs gets 0.
    """
    counts = np.zeros(len(clips.names))
    for clip in clips.clips:
        labels = clip.labels
        counts += _tally(labels[-1:] if head != "every" else labels[:0], len(counts))
        counts += _tally(labels if head != "last" else labels[:0], len(counts))
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights.astype(np.float32)


def _tally(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(labels[labels >= 0], minlength=classes)


class ClipBatches(keras.utils.PyDataset):
    """The batches of one epoch: ``((frames, mask, keep), y, w)``.

    - frames float32 ``[B, L, h, w, c]``; what lies behind a clip's end repeats its last frame
    - mask bool ``[B, L]``, False behind the end
    - keep float32 ``[B, 1]``: 0 where the window begins with a fresh state, 1 where it goes on from the window in
      the same row of the batch before (only with ``carry``)
    - y int64 ``[B, L]``, 0 to K-1 everywhere
    - w float32 ``[B, L]``: ``last`` weighs the last frame of the window, ``every`` each labelled frame, ``both`` the
      last frame of a clip with a label of its own and each frame by ``frame_weight``; 0 elsewhere

    Order, windows and augmentation are a pure function of (seed, epoch, index), so that an epoch can be entered in
    its middle, and every epoch has the same number of batches of the same size. Without ``carry`` a clip that is judged
    at its end gives one window, which ends there, any other as many as its length holds, in random order; windows
    that do not fill the last batch wait for another epoch. With ``carry`` the clips lie in random order on one line,
    whole and cut into windows, and each row of the batch walks along its share of that line.

    Args:
        clips: see :func:`rnnedge.data.load_clips`.
        preprocess: turns pixels into inputs, after the augmentation.
        batch_size: windows a batch; all of them where there are fewer.
        options: ``length`` L, ``head`` and ``background``.
        augment: random changes, or None.
        weights: float32 ``[K]``, a factor on w for each class, or None.
        frame_weight: for ``both``, what each frame counts beside the last.
        whole_share: for ``both``, the share of the whole videos' windows that an epoch shows, drawn anew each
            time: else long videos would drown the clips that lie in them.
        carry: windows of a clip follow one another in one row.
        seed, epoch: name the order and the draws.
        start: batches of this epoch to leave out at its beginning, when it is resumed.
    """

    def __init__(
        self,
        clips: ClipSet,
        preprocess: Preprocess,
        batch_size: int,
        options: ClipOptions,
        *,
        augment: ClipAugment | None = None,
        weights: np.ndarray | None = None,
        frame_weight: float = 1.0,
        whole_share: float = 1.0,
        carry: bool = False,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._clips, self._preprocess, self._options = clips, preprocess, options
        self._augment = augment or ClipAugment()
        self._reversal = self._augment.reversal(clips.names, options.background)
        self._weights = np.ones(len(clips.names), np.float32) if weights is None else weights
        self._frame_weight = frame_weight
        self._carry, self._seed, self._epoch, self._start = carry, seed, epoch, start
        self._size = self.size(clips, batch_size, options, whole_share)
        self._count = self.count(clips, batch_size, options, carry, whole_share)
        rng = np.random.default_rng([seed, epoch, 1])
        # A row a window: its clip, its place among the clip's windows, and the row of its draws.
        self._windows = self._line(rng) if carry else self._shuffled(rng, whole_share)

    @staticmethod
    def size(clips: ClipSet, batch_size: int, options: ClipOptions, whole_share: float = 1.0) -> int:
        """Rows of every batch: ``batch_size``, or all windows where there are fewer."""
        return min(batch_size, sum(_shown(clips, options, whole_share)))

    @classmethod
    def count(
        cls,
        clips: ClipSet,
        batch_size: int,
        options: ClipOptions,
        carry: bool = False,
        whole_share: float = 1.0,
    ) -> int:
        """Batches in a whole epoch, the same in each."""
        size = cls.size(clips, batch_size, options, whole_share)
        if carry:
            return -(-int(_counts(clips, options, carry).sum()) // size)
        return sum(_shown(clips, options, whole_share)) // size

    def __len__(self) -> int:
        return self._count - self._start

    def __getitem__(self, index: int) -> tuple[Inputs, np.ndarray, np.ndarray]:
        rows = range(self._size)
        step = self._start + index
        places = [row * self._count + step if self._carry else step * self._size + row for row in rows]
        parts = [self._window(place) for place in places]
        pixels, valid, y = (np.stack([part[i] for part in parts]) for i in range(3))
        flat = pixels.reshape(-1, *self._preprocess.shape)
        frames = to_inputs(flat, self._preprocess).reshape(pixels.shape)
        keep = [[float(step > 0 and self._goes_on(place))] for place in places]
        owners = [self._clips.clips[self._windows[place][0]] for place in places]
        alone = np.array([[clip.label >= 0 and clip.frame_labels is None] for clip in owners])
        w = self._w(valid, y, alone) * self._weights[np.maximum(y, 0)]
        return (frames, valid, np.array(keep, np.float32)), np.maximum(y, 0), w

    def _shuffled(self, rng: np.random.Generator, whole_share: float) -> np.ndarray:
        counts = _counts(self._clips, self._options, carry=False)
        windows = _places(np.arange(len(counts)), counts)
        windows = np.column_stack([windows, np.arange(len(windows))])
        self._draws = self._augment.draw(self._seed, self._epoch, len(windows))
        windows = rng.permutation(windows)
        if self._options.head != "both":
            return windows
        whole = np.array([clip.frame_labels is not None for clip in self._clips.clips])[windows[:, 0]]
        _, most = _shown(self._clips, self._options, whole_share)
        return windows[~whole | (np.cumsum(whole) <= most)]

    def _line(self, rng: np.random.Generator) -> np.ndarray:
        clips, length = self._clips.clips, self._options.length
        # One draw a clip: what its windows carry over must not change within.
        self._draws = self._augment.draw(self._seed, self._epoch, len(clips))
        frames = [self._augment.paced(len(clip), draw) for clip, draw in zip(clips, self._draws, strict=True)]
        counts = -(-np.array(frames) // length)
        order = rng.permutation(len(clips))
        windows = _places(order, counts[order])
        windows = np.column_stack([windows, windows[:, 0]])
        # A drawn pace makes the line longer or shorter; the number of batches stays.
        return windows[np.arange(self._count * self._size) % len(windows)]

    def _goes_on(self, place: int) -> bool:
        if not self._carry:
            return False
        (before, last, _), (clip, number, _) = self._windows[place - 1 : place + 1]
        return bool(before == clip and number == last + 1)

    def _window(self, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A window's pixels uint8 ``[L, h, w, c]``, which of them are frames ``[L]`` and their labels ``[L]``."""
        index, number, row = self._windows[place]
        clip, draw, length = self._clips.clips[index], self._draws[row], self._options.length
        steps = self._augment.positions(len(clip), draw, (self._seed, self._epoch, int(row)))
        labels = clip.labels[nearest(steps, len(clip))]
        begin = int(number) * length if self._carry else self._begin(clip, int(number), len(steps), draw)
        if self._augment.backwards(draw):
            # A window by itself, unless the next one goes on from it.
            seen = labels if self._carry else labels[begin : begin + length]
            if np.all(self._reversal[seen[seen >= 0]] >= 0):
                steps, labels = steps[::-1], labels[::-1]
                labels = np.where(labels >= 0, self._reversal[labels], labels)
                if not self._carry and self._options.head != "last":
                    begin = max(0, len(steps) - length - begin)
        valid = np.arange(length) < len(steps) - begin
        chosen = np.minimum(np.arange(begin, begin + length), len(steps) - 1)
        # Only what is there is read; the last frame is repeated here.
        pixels = frames_near(clip.frames, steps[begin : begin + length])
        if self._augment:
            mean = float(np.mean(clip.frames[:1])) if self._augment.image.contrast else 0.0
            pixels = self._augment.apply(pixels, draw, mean)
        pixels = pixels[np.minimum(np.arange(length), len(pixels) - 1)]
        return pixels, valid, labels[chosen]

    def _begin(self, clip: Clip, number: int, frames: int, draw: np.ndarray) -> int:
        """Where a window begins that carries no state: spread over the clip, or at the end that is judged."""
        spare = max(0, frames - self._options.length)
        if _judged_at_end(clip, self._options) and not self._augment.jitter:
            return spare
        among = _window_count(clip, self._options, carry=False)
        return int((number + (draw[DRAWS + 3] + 1) / 2) / among * (spare + 1))

    def _w(self, valid: np.ndarray, y: np.ndarray, alone: np.ndarray) -> np.ndarray:
        """Weights ``[B, L]``; ``alone`` bool ``[B, 1]``: the clip has a label of its own."""
        last = valid & ~np.pad(valid, ((0, 0), (0, 1)))[:, 1:]
        parts = {
            "last": last,
            "every": valid,
            "both": (last & alone) + np.float32(self._frame_weight) * valid,
        }
        return np.where(y >= 0, parts[self._options.head], 0).astype(np.float32)


def _judged_at_end(clip: Clip, options: ClipOptions) -> bool:
    return options.head == "last" or (options.head == "both" and clip.frame_labels is None)


def _window_count(clip: Clip, options: ClipOptions, carry: bool) -> int:
    return 1 if _judged_at_end(clip, options) and not carry else -(-len(clip) // options.length)


def _counts(clips: ClipSet, options: ClipOptions, carry: bool) -> np.ndarray:
    return np.array([_window_count(clip, options, carry) for clip in clips.clips], np.int64)


def _shown(clips: ClipSet, options: ClipOptions, whole_share: float) -> tuple[int, int]:
    """How many windows an epoch shows: of clips with a label of their own, and of whole videos."""
    counts = _counts(clips, options, carry=False)
    whole = np.array([clip.frame_labels is not None for clip in clips.clips])
    share = whole_share if options.head == "both" else 1.0
    return int(counts[~whole].sum()), round(int(counts[whole].sum()) * share)


def _places(clips: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Every window of each clip in order, int64 ``[windows, 2]``: the clip and the window's number in it."""
    numbers = np.concatenate([np.arange(count) for count in counts])
    return np.column_stack([np.repeat(clips, counts), numbers])
