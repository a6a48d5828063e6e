"""How long to wait before the next attempt: longer each time, never quite the same."""

import random


class Backoff:
    """Doubling waits with jitter, so that many runners do not come back to a server all at once.

    Args:
        first_s, most_s: the first wait and the longest, in seconds, before jitter takes up to a quarter off.

    Example:
        backoff = Backoff(0.5, 30.0)
        while not connect():
            time.sleep(backoff.next())
        backoff.reset()
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next(self) -> float:
        """Seconds to wait now."""
        wait_s = self._next_s
        self._next_s = min(self._most_s, 2 * wait_s)
        return wait_s * random.uniform(0.75, 1.0)

    def reset(self) -> None:
        """It worked: the next wait is the first again."""
        self._next_s = self._first_s
