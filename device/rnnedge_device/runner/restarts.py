"""How often a camera may be started anew before it gives up."""

from collections import deque


class Restarts:
    """A budget of restarts in a sliding window.

    Args:
        budget: restarts allowed within the window.
        window_s: its length.
        count: restarts so far, of all time.
    """

    def __init__(self, budget: int, window_s: float) -> None:
        self._budget, self._window_s = budget, window_s
        self._times = deque[float]()
        self.count = 0

    def allowed(self, now: float) -> bool:
        """Count a restart; False where it is one too many. `now` is by `time.monotonic`."""
        while self._times and now - self._times[0] > self._window_s:
            self._times.popleft()
        if len(self._times) >= self._budget:
            return False
        self._times.append(now)
        self.count += 1
        return True
