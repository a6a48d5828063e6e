"""What a stream needs beside the weights, measured on data the model did not learn from: event rules, scene cuts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnedge.clips.event_scores import hours_of, score_events
from rnnedge.clips.streamed import decode
from rnnedge.data.clips import Clip
from rnnedge.scene_threshold import scene_threshold
from rnnedge_device.events import EventRules
from rnnedge_device.scene import SceneCut, difference

SMOOTH_MS = (0.0, 150.0, 300.0, 600.0, 1000.0)
ON = (0.4, 0.5, 0.6, 0.7, 0.8)
OFF = (0.5, 0.75)  # of `on`
MIN_MS = (200.0, 600.0, 1200.0)
SAMPLES = 2000


def tune_rules(
    scores: Sequence[np.ndarray],
    clips: Sequence[Clip],
    labels: Sequence[str],
    background: str,
    start: EventRules,
) -> tuple[EventRules, dict[str, Any]]:
    """The rules with the best F1 on these videos, of a grid about ``start``; with equals, the plainest.

    Args:
        scores: of each clip, float32 ``[T, K]``.
        clips: with their truths.

    Returns:
        The rules and their figures (``score_events``); ``start`` where the videos hold no event.
    """
    truths = [clip.truths for clip in clips]
    hours = hours_of([clip.ts_ms for clip in clips])

    def figures(rules: EventRules) -> dict[str, Any]:
        found = [
            decode(s, clip.ts_ms, labels, background, rules) for s, clip in zip(scores, clips, strict=True)
        ]
        return score_events(found, truths, hours, labels, background)

    best, result = start, figures(start)
    if not any(truths):
        return best, result
    for smooth_ms, on, off, min_ms in itertools.product(SMOOTH_MS, ON, OFF, MIN_MS):
        rules = EventRules(smooth_ms, on, round(on * off, 3), min_ms, start.refractory_ms)
        row = figures(rules)
        if row["f1"] > result["f1"]:
            best, result = rules, row
    return best, result


def measure_scene_cut(clips: Sequence[Clip], seed: int = 0) -> tuple[SceneCut | None, dict[str, Any]]:
    """A threshold that lies above nearly every change within a clip and below most changes between clips.

    Returns:
        The detector's parameter and ``{"threshold", "false_rate", "hit_rate", "within", "between"}`` (rates, and how
        many pairs of frames they were measured on); None where the two cannot be told apart: a fixed camera that
        always sees the same room has no cuts.
    """
    rng = np.random.default_rng(seed)
    within, between = [], []
    last = None
    for index in rng.permutation(len(clips))[:SAMPLES]:
        clip = clips[int(index)]
        at = int(rng.integers(0, len(clip)))
        part = np.asarray(clip.frames[at : at + 1 + SAMPLES // len(clips)])
        within += [difference(a, b) for a, b in itertools.pairwise(part)]
        if last is not None:
            between.append(difference(last, part[0]))
        last = part[-1]
    return scene_threshold(within, between)
