"""How a camera is watched: when it counts as gone, and how often it is opened again. The same with and without a
config."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Supervision:
    """What `Capture` goes by. Seconds, all of them.

    Args:
        restart_budget, restart_window_s: so many restarts in so long; one more and the camera gives up.
        backoff_s, backoff_most_s: the first wait before a restart, and the longest.
        hang_s: without a frame for so long, it hangs.
        open_s: how long opening it may take.
        black_s, frozen_s: how long its picture may be black or stand still to the bit; 0 for as long as it likes.
    """

    restart_budget: int = 10
    restart_window_s: float = 600.0
    backoff_s: float = 0.5
    backoff_most_s: float = 30.0
    hang_s: float = 10.0
    open_s: float = 20.0
    black_s: float = 60.0
    frozen_s: float = 30.0
