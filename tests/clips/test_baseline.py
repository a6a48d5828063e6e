"""What a single frame tells, counted over frames that have a label."""

from __future__ import annotations

import numpy as np

from rnnedge.clips.baseline import single_frame
from rnnedge.data.clips import Clip, ClipSet


def clip(label: int, frame_labels: list[int] | None, count: int = 4) -> Clip:
    labels = None if frame_labels is None else np.array(frame_labels)
    return Clip("a", label, np.zeros((count, 1, 1, 1), np.uint8), np.arange(count) * 100.0, labels)


def said(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


def test_frames_are_judged_by_their_own_labels() -> None:
    clips = ClipSet([clip(1, None), clip(-1, [0, 2, -1, -1])], ["a", "b", "c"], "made")
    figures = single_frame([said(1, 1, 0, 2), said(0, 0, 0, 0)], clips)
    assert figures == {"accuracy": 3 / 6, "best_frame": 1.0, "frames": 6}
