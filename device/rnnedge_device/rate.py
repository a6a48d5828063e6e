"""A fixed model rate: frames are picked by timestamp, so that every camera gives the model the same film."""

import math
from collections import deque

from rnnedge_device.errors import InputError

_KEPT = 15  # intervals; enough for a median that jitter hardly moves
# How much of the source's interval before its instant a frame is taken. Not quite half: of two frames equally near,
# such as 15 a second give a model of 10 all the time, the later is taken, however their times are rounded.
_EARLY = 0.45


class FramePicker:
    """Which frames of a source the model takes, so that it takes `rate` a second.

    The instants of a grid, anchored at the first frame after a reset, each get the frame nearest to them:
    one that is due within almost half the source's own interval (the median of the last few) is taken now. A
    frame of a source slower than the model is held: it makes several steps. Nothing here looks at a clock.

    Args:
        rate: model steps a second.
        max_gap_ms: the longest pause between two frames over which memory makes sense.

    Raises:
        InputError: an argument that is not above zero.

    Example:
        picker = FramePicker(10.0)
        [picker.take(ts_ms) for ts_ms in (0, 33, 67, 100, 133)]  # [1, 0, 0, 1, 0]
    """

    def __init__(self, rate: float, max_gap_ms: float = math.inf) -> None:
        for name, value in (("rate", rate), ("max_gap_ms", max_gap_ms)):
            if not value > 0:
                raise InputError(f"{name} = {value!r}: must be above zero")
        self._period_ms, self._max_gap_ms = 1000 / rate, max_gap_ms
        self._taken = 0
        self.reset()

    def set_rate(self, rate: float) -> None:
        """Another rate from now on; the grid goes on from the last step.

        Raises:
            InputError: `rate` is not above zero.
        """
        if not rate > 0:
            raise InputError(f"rate = {rate!r}: must be above zero")
        self._period_ms = 1000 / rate
        self._anchor_ms, self._taken = self._step_ms, min(self._taken, 1)

    def reset(self) -> None:
        """The next frame is taken, and the grid is anchored at it."""
        self._last_ms: float | None = None  # of any frame, taken or not
        self._anchor_ms = self._step_ms = 0.0
        self._taken = 0
        self._intervals: deque[float] = deque(maxlen=_KEPT)

    def gap(self, ts_ms: float) -> bool:
        """Is the pause before a frame at `ts_ms` too long? True also where time has gone back."""
        return self._last_ms is not None and not 0 <= ts_ms - self._last_ms <= self._max_gap_ms

    def take(self, ts_ms: float) -> int:
        """How many steps the model makes with the frame at `ts_ms`: 0 passes it over, more hold it."""
        return len(self.steps(ts_ms))

    def steps(self, ts_ms: float) -> list[float]:
        """The same as the steps' times: the frame's own for the last, those of a held frame evenly before."""
        if self._last_ms is None:
            self._anchor_ms = self._step_ms = ts_ms
        elif ts_ms > self._last_ms:
            self._intervals.append(ts_ms - self._last_ms)
        self._last_ms = ts_ms
        early = _EARLY * sorted(self._intervals)[len(self._intervals) // 2] if self._intervals else 0.0
        # The small share: an instant that equals the grid's but for rounding is on it.
        due = math.floor((ts_ms + early - self._anchor_ms) / self._period_ms + 1e-6) + 1
        count = due - self._taken
        if count <= 0:
            return []
        before, self._step_ms, self._taken = self._step_ms, ts_ms, due
        return [ts_ms - (ts_ms - before) * (left / count) for left in range(count - 1, -1, -1)]
