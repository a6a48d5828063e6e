"""What is measured for a stream: scene cuts on real drawn clips, event rules on scores with a known best answer."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from rnnedge.clips.tune import measure_scene_cut, tune_rules
from rnnedge.data import ClipOptions, load_clips
from rnnedge.data.clips import Clip, Truth
from rnnedge_device.events import EventRules
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.scene import SceneDetector

LABELS = ["none", "fall"]


def motion() -> list[Clip]:
    clips = load_clips("motion", "val", preprocess=Preprocess((32, 32)), clip=ClipOptions())
    return list(clips.clips)[:120]


def test_a_threshold_tells_new_scenes_from_motion() -> None:
    clips = motion()
    cut, figures = measure_scene_cut(clips)
    assert cut is not None
    assert figures["false_rate"] <= 0.001
    assert figures["hit_rate"] >= 0.9
    # On clips it was not measured on, laid one behind the other, in the device's detector.
    detector, found = SceneDetector(cut), []
    others = load_clips("motion", "test", preprocess=Preprocess((32, 32)), clip=ClipOptions()).clips[:60]
    begins = set(itertools.accumulate((len(clip) for clip in others), initial=0))
    for index, frame in enumerate(np.concatenate([np.asarray(clip.frames[:]) for clip in others])):
        found += [index] if detector.cut(frame) else []
    assert len(set(found) - begins) <= 3
    assert len(set(found) & begins) >= 0.85 * (len(others) - 1)


def test_one_room_has_no_cuts() -> None:
    """Clips that all show the same picture but for noise: no threshold is better than a wrong one."""
    rng = np.random.default_rng(0)
    room = rng.integers(0, 200, (16, 16, 1))
    clips = [
        replace(clip, frames=(room + rng.integers(0, 20, (len(clip), 16, 16, 1))).astype(np.uint8))
        for clip in motion()[:40]
    ]
    cut, figures = measure_scene_cut(clips)
    assert cut is None
    assert figures["threshold"] is None


def video(start: float, end: float) -> tuple[Clip, np.ndarray]:
    """A video whose scores flicker for one frame now and then, and rise slowly to 0.55 in its one event."""
    ts = np.arange(0, 20000, 100.0)
    inside = (ts >= start) & (ts < end)
    fall = np.where(inside, 0.55, 0.05)
    fall[::23] = 0.95
    clip = Clip(
        "a", -1, np.zeros((len(ts), 1, 1, 1), np.uint8), ts, inside.astype(np.int64), (Truth(start, end, 1),)
    )
    return clip, np.stack([1 - fall, fall], 1).astype(np.float32)


def test_rules_are_chosen_by_f1() -> None:
    videos = [video(4000, 8000), video(9000, 14000)]
    start = EventRules(0, 0.8, 0.6, 0, 0)
    rules, figures = tune_rules([s for _, s in videos], [c for c, _ in videos], LABELS, "none", start)
    assert figures["f1"] == 1
    assert rules.on <= 0.55
    assert rules.min_ms > 0 or rules.smooth_ms > 0  # else the flicker would be events


def test_without_events_the_rules_stay() -> None:
    clip, scores = video(4000, 8000)
    start = EventRules()
    assert tune_rules([scores], [replace(clip, truths=())], LABELS, "none", start)[0] is start
