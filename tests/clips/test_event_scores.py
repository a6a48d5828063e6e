"""Matching detected events with labelled ones, and the figures that follow, checked against counts done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rnnedge.clips.event_scores import Detection, detections, hours_of, match, overlap, score_events
from rnnedge.clips.streamed import answer, decode
from rnnedge.data.clips import Truth
from rnnedge_device.events import EventRules

LABELS = ["none", "fall", "walk"]


def detection(start: float, end: float, label: int = 1, reported: float | None = None) -> Detection:
    return Detection(start, end, label, start if reported is None else reported, 0.9)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 100), (0, 100), 1.0),
        ((0, 100), (50, 150), 1 / 3),
        ((0, 100), (100, 200), 0.0),
        ((0, 100), (25, 75), 0.5),
        ((50, 50), (50, 50), 0.0),
    ],
)
def test_overlap(a: tuple[float, float], b: tuple[float, float], expected: float) -> None:
    assert overlap(detection(*a), Truth(*b, 1)) == pytest.approx(expected)


def test_each_truth_is_matched_once_by_its_best_detection() -> None:
    found = [detection(0, 80), detection(0, 100), detection(0, 100, label=2)]
    assert match(found, [Truth(0, 100, 1)]) == [(1, 0)]


def test_figures_of_two_videos() -> None:
    found = [
        [detection(100, 1000, reported=300), detection(5000, 5500)],  # a hit, a false alarm
        [detection(0, 400)],  # overlaps its truth by too little
    ]
    truths = [[Truth(0, 1000, 1)], [Truth(0, 1000, 1), Truth(2000, 3000, 2)]]
    figures = score_events(found, truths, 0.5, LABELS, "none")
    assert (figures["events"], figures["detections"]) == (3, 3)
    assert figures["precision"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["recall"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["f1"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["delay_ms"] == 300
    assert figures["false_alarms_per_hour"] == 4
    assert set(figures["classes"]) == {"fall", "walk"}
    assert figures["classes"]["fall"]["recall"] == 0.5
    assert figures["classes"]["walk"] == {
        **{"precision": 0.0, "recall": 0.0, "f1": 0.0, "delay_ms": None},
        **{"false_alarms_per_hour": 0.0, "events": 1, "detections": 0},
    }


def test_a_looser_overlap_finds_more() -> None:
    found, truths = [[detection(0, 400)]], [[Truth(0, 1000, 1)]]
    assert score_events(found, truths, 1.0, LABELS)["f1"] == 0
    assert score_events(found, truths, 1.0, LABELS, iou=0.4)["f1"] == 1


def test_events_of_the_device_decoder_become_detections() -> None:
    ts = np.arange(0, 4000, 100.0)
    scores = np.tile(np.float32([0.9, 0.05, 0.05]), (40, 1))
    scores[10:20] = [0.1, 0.8, 0.1]
    scores[30:] = [0.1, 0.1, 0.8]
    found = decode(scores, ts, LABELS, "none", EventRules(0, 0.6, 0.4, 200, 0))
    assert [(d.start_ms, d.end_ms, d.label, d.reported_ms) for d in found] == [
        (1000, 2000, 1, 1200),
        (3000, 3900, 2, 3200),  # still running at the end of the video
    ]


def test_an_end_without_its_start_is_dated_by_its_end() -> None:
    events = [
        {"event": "end", "label": "fall", "start_ms": 0.0, "end_ms": 500.0, "ts_ms": 500.0, "score": 1.0}
    ]
    assert detections(events, LABELS)[0].reported_ms == 500


def test_the_background_is_no_answer() -> None:
    scores = np.float32([[0, 1, 0], [0.8, 0.05, 0.15]])
    assert answer(scores, LABELS) == 0
    assert answer(scores, LABELS, "none") == 2


def test_hours() -> None:
    assert hours_of([np.array([0.0, 3_600_000.0]), np.array([500.0, 500.0 + 1_800_000.0])]) == pytest.approx(
        1.5
    )
