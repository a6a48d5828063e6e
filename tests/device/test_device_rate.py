"""Picking frames by timestamp: every camera gives the model the same film."""

import numpy as np
import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.rate import FramePicker


def pick(ts_ms, rate):
    """A whole recording's steps: the index of the frame of each, and the step's time."""
    picker = FramePicker(rate)
    picked = [(index, step) for index, ts in enumerate(ts_ms) for step in picker.steps(ts)]
    return np.array([index for index, _ in picked]), np.array([step for _, step in picked])


def recording(fps, seconds=20.0, start_ms=0.0):
    return start_ms + np.arange(round(seconds * fps)) * 1000 / fps


@pytest.mark.parametrize("rate", [5.0, 7.5, 15.0])
@pytest.mark.parametrize("start_ms", [0.0, 1234.567, 3_600_000.1])
def test_two_cameras_of_one_scene_give_the_same_instants(rate, start_ms):
    picks = {}
    for fps in (15, 30):
        ts_ms = recording(fps, start_ms=start_ms)
        indices, times = pick(ts_ms, rate)
        assert (times == ts_ms[indices]).all()
        picks[fps] = times
    assert picks[15] == pytest.approx(picks[30], abs=1e-6)
    assert len(picks[15]) == 20 * rate
    assert picks[15] == pytest.approx(start_ms + np.arange(20 * rate) * 1000 / rate, abs=1e-3)


@pytest.mark.parametrize(
    ("fps", "rate"), [(30, 10), (30, 15), (30, 30), (15, 10), (25, 10), (24, 9.6), (12, 8)]
)
@pytest.mark.parametrize("down", [0.0, 0.5])
def test_times_rounded_to_milliseconds_change_no_pick(fps, rate, down):
    """Also where an instant lies in the middle between two frames, as half of them do at 15 and 10 a second."""
    exact = recording(fps)
    assert (pick(exact, rate)[0] == pick(np.round(exact - down), rate)[0]).all()


def jittered(fps, seed, share=0.3):
    """Every frame but the first early or late by up to `share` of a frame's interval."""
    moves = np.random.default_rng(seed).uniform(-share, share, round(20 * fps)) * 1000 / fps
    return recording(fps) + moves * (np.arange(len(moves)) > 0)


@pytest.mark.parametrize("rate", [5.0, 7.5, 15.0])
@pytest.mark.parametrize("seed", range(8))
def test_jitter_changes_no_pick_of_either_camera(rate, seed):
    for fps in (15, 30):
        calm, shaken = pick(recording(fps), rate)[0], pick(jittered(fps, seed), rate)[0]
        assert len(calm) == len(shaken) == 20 * rate
        # Of a source's own interval little is known before a second has passed.
        known = calm >= fps
        assert (calm == shaken)[known].all()
        assert np.abs(calm - shaken).max() <= 1


@pytest.mark.parametrize("fps", [15.0, 24.0, 29.97])
@pytest.mark.parametrize("rate", [4.0, 7.5, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_under_jitter_each_instant_gets_one_frame_close_to_it(fps, rate, seed):
    """Also where no frame is meant for the instant: the first from half an interval before it."""
    interval, ts_ms = 1000 / fps, jittered(fps, seed)
    indices, times = pick(ts_ms, rate)
    assert (np.diff(indices) > 0).all()
    assert len(times) == pytest.approx(20 * rate, abs=1)
    late = (times - np.arange(len(times)) * 1000 / rate)[round(rate) :] / interval
    # Two frames are at most 1.6 intervals apart; the source's own is known to a tenth or so.
    assert late.min() > -0.6
    assert late.max() < -0.45 + 1.6 + 0.1
    assert abs(late.mean()) < 0.2


def test_a_frame_is_taken_whole_or_not_where_rates_are_no_multiples():
    picker = FramePicker(10.0)
    taken = [picker.take(ts_ms) for ts_ms in recording(25, seconds=4)]
    assert set(taken) == {0, 1}
    assert sum(taken) == 40


def test_a_slow_source_is_held():
    """Five frames a second for a model of fifteen: three steps a frame, evenly spaced, none in the future."""
    picker = FramePicker(15.0)
    counts, times = [], []
    for ts_ms in recording(5):
        steps = picker.steps(ts_ms)
        counts.append(len(steps))
        times += steps
        assert steps[-1] == ts_ms
    assert counts[0] == 1
    assert sum(counts) == pytest.approx(300, abs=2)
    assert set(counts[2:]) == {3}
    assert (np.diff(times) > 0).all()
    assert np.diff(times[-30:]) == pytest.approx(1000 / 15)
    indices, again = pick(recording(5), 15.0)
    assert again.tolist() == times
    assert (np.bincount(indices) == counts).all()


def test_dropped_frames_move_no_grid():
    """A busy second drops every other frame; before and after it the picks are those of the whole film."""
    ts_ms = recording(30, seconds=6)
    kept = np.delete(ts_ms, np.arange(61, 90, 2))
    whole, holes = (pick(times, 10.0)[1] for times in (ts_ms, kept))
    assert len(whole) == len(holes) == 60
    assert (whole[:20] == holes[:20]).all()
    assert (whole[34:] == holes[34:]).all()
    assert np.abs(whole - holes).max() <= 1000 / 30 + 1e-6


def test_it_drifts_nowhere_in_an_hour():
    """At 29.97 frames a second no step of an hour is further from its instant than half a frame."""
    _, times = pick(recording(29.97, seconds=3600), 10.0)
    assert len(times) == 36_000
    assert np.abs(times - np.arange(36_000) * 100).max() < 0.56 * 1000 / 29.97


def test_a_gap_is_a_pause_that_is_too_long_or_time_that_goes_back():
    picker = FramePicker(10.0, max_gap_ms=500)
    assert not picker.gap(9e9)  # before the first frame there is none
    picker.take(1000.0)
    assert not picker.gap(1500.0)
    assert picker.gap(1500.1)
    assert picker.gap(999.0)
    picker.take(1033.0)  # passed over, and yet the source is alive
    assert not picker.gap(1533.0)
    assert not FramePicker(10.0).gap(1e12)


def test_reset_anchors_the_grid_anew():
    picker, fresh = FramePicker(7.0), FramePicker(7.0)
    for ts_ms in recording(30, seconds=1.3):
        picker.take(ts_ms)
    picker.reset()
    later = recording(24, start_ms=5017.0)
    assert [picker.steps(ts_ms) for ts_ms in later] == [fresh.steps(ts_ms) for ts_ms in later]


def test_equal_times_make_no_steps_and_no_harm():
    picker = FramePicker(10.0)
    assert [picker.take(0.0) for _ in range(5)] == [1, 0, 0, 0, 0]
    assert [picker.take(ts_ms) for ts_ms in (50.0, 100.0, 150.0, 200.0)] == [0, 1, 0, 1]


@pytest.mark.parametrize(("rate", "gap"), [(0, 1), (-5, 1), (float("nan"), 1), (10, 0), (10, -1)])
def test_bad_arguments_are_named(rate, gap):
    with pytest.raises(InputError, match=r"(rate|max_gap_ms) = .*above zero"):
        FramePicker(rate, gap)
