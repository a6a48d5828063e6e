"""``ClipLogits``: a Keras clip model's logits at every frame of whole clips, however long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnedge.backend import use_backend
from rnnedge.data.batches import to_inputs
from rnnedge.data.clips import Clip
from rnnedge_device.preprocess import Preprocess

use_backend()

import keras  # noqa: E402 - the backend is chosen first

FRAMES = 256  # encoded at once
CLIPS = 64  # run through the memory at once


class ClipLogits:
    """Call it with clips; it returns float32 ``[T, K]`` for each.

    The frames of all clips go through the encoder in equal portions, then each clip's features through the rest of
    the model, padded behind their end to one of few lengths: another shape would compile another graph, and padding
    behind the end changes nothing in a causal model.

    Args:
        model: a :func:`rnnedge.models.clip_rnn` of any length; its weights may change between calls.
        preprocess: turns pixels into inputs.
    """

    def __init__(self, model: keras.Model, preprocess: Preprocess) -> None:
        features = model.get_layer("encoder").output
        self._encoder = keras.Model(model.input, features)
        self._memory = keras.Model(features, model.output)
        self._preprocess = preprocess

    def __call__(self, clips: Sequence[Clip]) -> list[np.ndarray]:
        ends = np.cumsum([len(clip) for clip in clips])
        features = np.split(self._features(clips, ends), ends[:-1])
        logits: list[np.ndarray] = [np.empty(0)] * len(clips)
        lengths = np.array([_padded(len(clip)) for clip in clips])
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length)
            size = min(CLIPS, len(members))
            for first in range(0, len(members), size):
                chosen = members[first : first + size]
                batch = np.zeros((size, length, features[0].shape[1]), np.float32)
                for row, index in enumerate(chosen):
                    batch[row, : len(features[index])] = features[index]
                for index, found in zip(
                    chosen, np.asarray(self._memory.predict_on_batch(batch)), strict=False
                ):
                    logits[index] = found[: len(clips[index])]
        return logits

    def _features(self, clips: Sequence[Clip], ends: np.ndarray) -> np.ndarray:
        """Features float32 ``[N, F]`` of all frames, one clip behind the other."""
        size = min(FRAMES, int(ends[-1]))
        parts = []
        for first in range(0, int(ends[-1]), size):
            inputs = to_inputs(_frames(clips, ends, first, first + size), self._preprocess)
            short = size - len(inputs)
            if short:
                inputs = np.concatenate([inputs, np.repeat(inputs[-1:], short, axis=0)])
            parts.append(np.asarray(self._encoder.predict_on_batch(inputs[None]))[0, : size - short])
        return np.concatenate(parts)


def _frames(clips: Sequence[Clip], ends: np.ndarray, first: int, last: int) -> np.ndarray:
    """Frames ``first`` to ``last`` of all clips laid one behind the other, uint8 ``[n, h, w, c]``."""
    parts = []
    for index in range(int(np.searchsorted(ends, first, side="right")), len(clips)):
        begin = int(ends[index]) - len(clips[index])
        if begin >= last:
            break
        parts.append(np.asarray(clips[index].frames[max(first - begin, 0) : last - begin]))
    return np.concatenate(parts)


def _padded(length: int) -> int:
    """The next of 16, 24, 32, 48, 64, 96, ... that is not shorter."""
    step = 16
    while length > step:
        if length <= step * 3 // 2:
            return step * 3 // 2
        step *= 2
    return step
