"""How good detected events are: matched with the labelled ones at a temporal overlap, with delay and false alarms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnedge.data.clips import Truth

IOU = 0.5
_HOUR_MS = 3_600_000.0


@dataclass(frozen=True)
class Detection:
    """One detected event of one video.

    Attributes:
        start_ms, end_ms: its span in the video.
        label: index of its class.
        reported_ms: when the stream said that it had begun.
        score: the highest smoothed probability.
    """

    start_ms: float
    end_ms: float
    label: int
    reported_ms: float
    score: float


def detections(events: Iterable[dict[str, Any]], labels: Sequence[str]) -> list[Detection]:
    """The stream's ``start`` and ``end`` events, paired, in order of their starts."""
    reported: dict[tuple[str, float], float] = {}
    found = []
    for event in events:
        key = (event["label"], event["start_ms"])
        if event["event"] == "start":
            reported[key] = event["ts_ms"]
        else:
            found.append(
                Detection(
                    event["start_ms"],
                    event["end_ms"],
                    labels.index(event["label"]),
                    reported.get(key, event["ts_ms"]),
                    event["score"],
                )
            )
    return sorted(found, key=lambda d: (d.start_ms, d.label))


def overlap(a: Detection | Truth, b: Detection | Truth) -> float:
    """Temporal intersection over union of two spans, 0..1."""
    shared = min(a.end_ms, b.end_ms) - max(a.start_ms, b.start_ms)
    whole = max(a.end_ms, b.end_ms) - min(a.start_ms, b.start_ms)
    return max(0.0, shared) / whole if whole > 0 else 0.0


def match(found: Sequence[Detection], truths: Sequence[Truth], iou: float = IOU) -> list[tuple[int, int]]:
    """Pairs (detection, truth) of one label that overlap by ``iou`` or more, the largest overlaps first, each once."""
    pairs = [
        (overlap(detection, truth), i, j)
        for i, detection in enumerate(found)
        for j, truth in enumerate(truths)
        if detection.label == truth.label
    ]
    used: tuple[set[int], set[int]] = (set(), set())
    matched = []
    for value, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if value >= iou and i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
            matched.append((i, j))
    return matched


def score_events(
    found: Sequence[Sequence[Detection]],
    truths: Sequence[Sequence[Truth]],
    hours: float,
    labels: Sequence[str],
    background: str = "",
    iou: float = IOU,
) -> dict[str, Any]:
    """Figures over several videos.

    Args:
        found, truths: by video; truths have ``start_ms``, ``end_ms`` and ``label`` (an index).
        hours: the videos' whole length.

    Returns:
        ``{"precision", "recall", "f1", "delay_ms", "false_alarms_per_hour", "events", "detections", "iou",
        "classes": {label: the same without iou}}``. ``delay_ms`` is the mean time from a truth's start to the report
        of its detection, None without a match; a report may come first, where labels are late.
    """
    rows: list[tuple[int, int, int, list[float]]] = []
    for index in range(len(labels)):
        hits, delays = 0, []
        mine = [[d for d in video if d.label == index] for video in found]
        real = [[t for t in video if t.label == index] for video in truths]
        for ours, theirs in zip(mine, real, strict=True):
            for i, j in match(ours, theirs, iou):
                hits += 1
                delays.append(ours[i].reported_ms - theirs[j].start_ms)
        rows.append((sum(map(len, mine)), sum(map(len, real)), hits, delays))
    chosen = [index for index, label in enumerate(labels) if label != background]
    total = (
        sum(rows[i][0] for i in chosen),
        sum(rows[i][1] for i in chosen),
        sum(rows[i][2] for i in chosen),
        [delay for i in chosen for delay in rows[i][3]],
    )
    classes = {labels[i]: _figures(*rows[i], hours) for i in chosen}
    return {**_figures(*total, hours), "iou": iou, "hours": round(hours, 4), "classes": classes}


def _figures(found: int, real: int, hits: int, delays: list[float], hours: float) -> dict[str, Any]:
    precision, recall = hits / found if found else 0.0, hits / real if real else 0.0
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / (precision + recall), 4) if hits else 0.0,
        "delay_ms": round(float(np.mean(delays)), 1) if delays else None,
        "false_alarms_per_hour": round((found - hits) / hours, 2) if hours else None,
        "events": real,
        "detections": found,
    }


def hours_of(ts_ms: Iterable[np.ndarray]) -> float:
    """The whole length in hours of videos whose frames are at ``ts_ms`` (float64 ``[T]`` each)."""
    return sum(float(ts[-1] - ts[0]) for ts in ts_ms) / _HOUR_MS
