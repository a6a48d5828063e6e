"""Numbers as people read them, at the places where units and digits change."""

import pytest

from rnnedge.report import formats


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (formats.count, 1797, "1,797"),
        (formats.share, 0.98614, "0.9861"),
        (formats.percent, 0.99722, "99.72 %"),
        (formats.points, -0.00278, "−0.28"),
        (formats.points, 0.0125, "+1.25"),
        (formats.points, -0.00001, "0.00"),
        (formats.microseconds, 1.5, "1.5 µs"),
        (formats.microseconds, 9.96, "10 µs"),
        (formats.microseconds, 37.2, "37 µs"),
        (formats.microseconds, 999.6, "1.00 ms"),
        (formats.microseconds, 12_345, "12 ms"),
        (formats.microseconds, 2_100_000, "2.1 s"),
        (formats.microseconds, None, "–"),
        (formats.milliseconds, 420.4, "420 ms"),
        (formats.milliseconds, -80.0, "−80 ms"),
        (formats.milliseconds, -0.3, "0 ms"),
        (formats.milliseconds, 1000.0, "1.0 s"),
        (formats.milliseconds, -1260, "−1.3 s"),
        (formats.milliseconds, None, "–"),
        (formats.tenths, 1204.46, "1,204.5"),
        (formats.tenths, None, "–"),
        (formats.size, 812, "812 B"),
        (formats.size, 9_449, "9.4 KB"),
        (formats.size, 91_600, "92 KB"),
        (formats.size, 999_600, "1.0 MB"),
        (formats.size, 21_400_000, "21 MB"),
        (formats.size, None, "–"),
        (formats.times, 2.84, "2.8"),
        (formats.times, 24.3, "24"),
        (formats.seconds, 7.44, "7.4 s"),
        (formats.seconds, 125, "2 min 5 s"),
        (formats.seconds, 59.97, "1 min 0 s"),
        (formats.seconds, 4321, "1 h 12 min"),
        (formats.real, -1.63313, "−1.633"),
        (formats.real, 3e-8, "3e-08"),
        (formats.real, -3e-8, "−3e-08"),
        (formats.real, 0.0, "0"),
    ],
)
def test_numbers(function, value, text):
    assert function(value) == text


def test_a_single_one_is_not_many():
    assert formats.counted(1, "epoch") == "1 epoch"
    assert formats.counted(1468, "step") == "1,468 steps"
    assert formats.of_split(359, "test", "image") == "359 test images"
    assert formats.of_split(1, "all", "clip") == "1 clip"


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    # Wilson's interval, from R's binom.wilson and from its closed form at the ends.
    [(9, 10, 0.5958, 0.9821), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_interval(right, total, low, high):
    assert formats.interval(right, total) == pytest.approx((low, high), abs=1e-4)
