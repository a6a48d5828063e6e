"""A few clips as strips of pictures with their scores a frame, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from rnnedge.clips.streamed import Streamed, answer
from rnnedge.data.clips import Clip, ClipSet
from rnnedge.runs import png

WRONG, RIGHT = 4, 6
PICTURES = 12
FRAMES = 240  # of a long video, those around its first event


def film_samples(
    int8: Sequence[Streamed], floats: Sequence[Streamed], clips: ClipSet, background: str = ""
) -> list[dict[str, Any]]:
    """Some clips, those that int8 gets wrong first.

    Each: ``{"id", "label", "int8", "float" (class names; None for a video without one label), "ts_ms" [T],
    "scores" [T][K], "truths" [[start_ms, end_ms, label]], "pictures" [[ts_ms, base64 PNG]]}``.
    """
    said = [
        tuple(answer(streamed.scores, clips.names, background) for streamed in pair)
        for pair in zip(int8, floats, strict=True)
    ]
    chosen = _chosen([one for one, _ in said], clips)
    return [_sample(int8[i], clips.clips[i], clips.names, said[i]) for i in chosen]


def _chosen(answers: Sequence[int], clips: ClipSet) -> list[int]:
    wrong, right, seen = [], [], set()
    for index, (given, clip) in enumerate(zip(answers, clips.clips, strict=True)):
        if clip.label >= 0 and given != clip.label:
            wrong.append(index)
        elif clip.label not in seen or clip.label < 0:  # one of each class
            seen.add(clip.label)
            right.append(index)
    return wrong[:WRONG] + right[:RIGHT]


def _sample(int8: Streamed, clip: Clip, names: Sequence[str], said: tuple[int, ...]) -> dict[str, Any]:
    begin = 0
    if len(clip) > FRAMES and clip.truths:
        begin = max(0, int(np.searchsorted(clip.ts_ms, clip.truths[0].start_ms)) - FRAMES // 8)
    part = slice(begin, begin + FRAMES)
    ts = clip.ts_ms[part]
    shown = begin + np.unique(np.linspace(0, len(ts) - 1, PICTURES).round().astype(int))
    alone = clip.label >= 0
    return {
        "id": clip.id,
        "label": names[clip.label] if alone else None,
        "int8": names[said[0]] if alone else None,
        "float": names[said[1]] if alone else None,
        "ts_ms": [round(float(t), 1) for t in ts],
        "scores": np.round(int8.scores[part].astype(np.float64), 4).tolist(),
        "truths": [
            [t.start_ms, t.end_ms, names[t.label]]
            for t in clip.truths
            if t.end_ms > ts[0] and t.start_ms <= ts[-1]
        ],
        "pictures": [
            [round(float(clip.ts_ms[i]), 1), png(_picture(clip.frames[int(i) : int(i) + 1][0]))]
            for i in shown
        ],
    }


def _picture(pixels: np.ndarray) -> np.ndarray:
    """Model pixels ``[h, w, c]`` as a small BGR or grey image."""
    return pixels[..., 0] if pixels.shape[-1] < 3 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
