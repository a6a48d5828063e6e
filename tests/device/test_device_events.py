"""From scores to events: thresholds, times and what vanishes, each worked out by hand."""

import json
import math

import numpy as np
import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.events import EventDecoder, EventRules

PLAIN = EventRules(smooth_ms=0.0, on=0.6, off=0.4, min_ms=0.0, refractory_ms=0.0)


def rules(**changes):
    return EventRules(**{**PLAIN.to_dict(), **changes})


def decode(scores, made=PLAIN, labels=("none", "fall"), background="none", step_ms=100.0, finish=True):
    """Events of scores `[T]` (of the second label) or `[T, K]`, a step each 100 ms."""
    decoder = EventDecoder(labels, background, made)
    scores = np.asarray(scores, np.float32)
    if scores.ndim == 1:
        scores = np.stack([1 - scores, scores], axis=1)
    found = [event for number, row in enumerate(scores) for event in decoder.step(number * step_ms, row)]
    return found + (decoder.finish() if finish else [])


def spans(events):
    """[(label, start_ms, end_ms)] of the events that ended."""
    return [(e["label"], e["start_ms"], e["end_ms"]) for e in events if e["event"] == "end"]


def test_an_event_has_a_start_and_an_end_with_times_and_score():
    events = decode([0.1, 0.7, 0.9, 0.8, 0.3, 0.1])
    assert events == [
        {"event": "start", "label": "fall", "start_ms": 100.0, "ts_ms": 100.0, "score": 0.7},
        {"event": "end", "label": "fall", "start_ms": 100.0, "end_ms": 400.0, "ts_ms": 400.0, "score": 0.9},
    ]
    assert json.loads(json.dumps(events)) == events


def test_between_the_thresholds_nothing_changes():
    """A score that wavers around `on` is one event, not five."""
    wavering = [0.0, 0.61, 0.5, 0.61, 0.41, 0.7, 0.59, 0.39, 0.59, 0.5]
    assert spans(decode(wavering)) == [("fall", 100.0, 700.0)]
    assert spans(decode(wavering, rules(off=0.6))) == [
        ("fall", 100.0, 200.0),
        ("fall", 300.0, 400.0),
        ("fall", 500.0, 600.0),
    ]


def test_the_thresholds_themselves_are_on():
    assert spans(decode([0.5, 0.5, 0.25], rules(on=0.5, off=0.5))) == [("fall", 0.0, 200.0)]


def test_a_start_is_reported_when_it_has_lasted_and_a_shorter_one_vanishes():
    made = rules(min_ms=200.0)
    events = decode([0, 0.9, 0.9, 0, 0, 0.8, 0.8, 0.7, 0.9, 0], made)
    assert [(e["event"], e["start_ms"], e["ts_ms"]) for e in events] == [
        ("start", 500.0, 700.0),
        ("end", 500.0, 900.0),
    ]
    assert events[0]["score"] == pytest.approx(0.8)
    assert events[1]["score"] == pytest.approx(0.9)
    # What had not lasted at the end of the source vanishes too.
    assert decode([0, 0.9, 0.9], made) == []


def test_refractory_time_keeps_the_same_label_down():
    scores = [0.9, 0, 0.9, 0.9, 0, 0, 0, 0.9, 0]
    assert spans(decode(scores)) == [("fall", 0.0, 100.0), ("fall", 200.0, 400.0), ("fall", 700.0, 800.0)]
    assert spans(decode(scores, rules(refractory_ms=500.0))) == [
        ("fall", 0.0, 100.0),
        ("fall", 700.0, 800.0),
    ]
    # A score that is still up when the time is over begins an event then, not in the past.
    long = decode([0.9, 0, 0.9, 0.9, 0.9, 0.9, 0], rules(refractory_ms=300.0))
    assert spans(long) == [("fall", 0.0, 100.0), ("fall", 400.0, 600.0)]


def test_what_vanished_has_no_refractory_time():
    made = rules(min_ms=200.0, refractory_ms=10_000.0)
    assert spans(decode([0.9, 0, 0.9, 0.9, 0.9, 0], made)) == [("fall", 200.0, 500.0)]


def test_smoothing_is_an_exponential_mean_by_time():
    """After a step from 0 to 1 the mean is 1 - exp(-t / smooth_ms), whatever the rate of the steps."""
    for step_ms in (10.0, 25.0, 50.0):
        ones = [0.0] + [1.0] * 40
        (start, _) = decode(ones, rules(smooth_ms=100.0, on=0.63), step_ms=step_ms)
        exact = -100 * math.log(1 - 0.63)
        assert exact <= start["start_ms"] < exact + step_ms
        assert start["score"] == pytest.approx(1 - math.exp(-start["start_ms"] / 100), abs=1e-5)


def test_smoothing_hides_a_single_wrong_frame():
    scores = [0.9] * 5 + [0.0] + [0.9] * 5
    assert len(spans(decode(scores))) == 2
    assert spans(decode(scores, rules(smooth_ms=300.0))) == [("fall", 0.0, 1000.0)]


def test_labels_run_side_by_side_each_with_its_own_refractory_time():
    labels = ("none", "walk", "fall")
    walk, fall = [0.7, 0.7, 0.7, 0.1, 0.7, 0.1], [0.1, 0.7, 0.1, 0.1, 0.7, 0.1]
    scores = np.stack([np.zeros(6), walk, fall], axis=1)
    events = decode(scores, rules(refractory_ms=200.0), labels)
    assert spans(events) == [("fall", 100.0, 200.0), ("walk", 0.0, 300.0), ("fall", 400.0, 500.0)]


def test_running_labels_are_those_reported_and_not_ended():
    decoder = EventDecoder(("none", "fall"), "none", rules(min_ms=100.0))
    seen = []
    for number, score in enumerate([0.9, 0.9, 0.5, 0.1]):
        decoder.step(number * 100.0, np.array([1 - score, score], np.float32))
        seen.append(decoder.running)
    assert seen == [(), ("fall",), ("fall",), ()]


def test_the_background_gives_no_events_and_without_one_every_label_does():
    assert decode([0.1, 0.1, 0.1]) == []
    assert spans(decode([0.1, 0.1, 0.1], background="")) == [("none", 0.0, 200.0)]
    with pytest.raises(InputError, match="background = 'nothing'"):
        EventDecoder(("none", "fall"), "nothing", PLAIN)


def test_finish_ends_what_runs_and_only_once():
    decoder = EventDecoder(("none", "fall"), "none", PLAIN)
    (start,) = decoder.step(100.0, np.array([0.2, 0.8]))
    assert start["event"] == "start"
    decoder.step(200.0, np.array([0.3, 0.7]))
    assert spans(decoder.finish(250.0)) == [("fall", 100.0, 250.0)]
    assert decoder.finish() == []
    assert decoder.running == ()


def test_reset_forgets_everything():
    made = rules(smooth_ms=400.0, refractory_ms=5000.0, min_ms=100.0)
    scores = np.random.default_rng(1).random((60, 2)).astype(np.float32)
    decoder, fresh = (EventDecoder(("none", "fall"), "none", made) for _ in range(2))
    for number, row in enumerate(scores[:25]):
        decoder.step(number * 100.0, row)
    decoder.reset()
    assert decoder.finish() == []
    for number, row in enumerate(scores[25:]):
        assert decoder.step(number * 40.0, row) == fresh.step(number * 40.0, row)


def test_the_scores_given_are_left_alone():
    decoder = EventDecoder(("none", "fall"), "none", rules(smooth_ms=100.0))
    given = [np.array([0.2, 0.8]), np.array([0.6, 0.4])]
    kept = [row.copy() for row in given]
    for number, row in enumerate(given):
        decoder.step(number * 100.0, row)
    assert all((a == b).all() for a, b in zip(given, kept, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        {"smooth_ms": -1},
        {"min_ms": float("nan")},
        {"refractory_ms": "500"},
        {"on": 0.3},
        {"on": 1.1},
        {"off": 0},
        {"off": True},
    ],
)
def test_bad_rules_are_named(change):
    ((key, value),) = change.items()
    with pytest.raises(InputError, match=r"^events: ") as caught:
        EventRules(**change)
    assert key in str(caught.value)
    assert repr(value) in str(caught.value)


def test_rules_survive_json():
    made = EventRules(1.5, 0.75, 0.25, 0.0, 9.0)
    assert EventRules.from_dict(json.loads(json.dumps(made.to_dict()))) == made
