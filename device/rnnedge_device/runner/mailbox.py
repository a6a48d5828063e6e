"""Where a camera's capture leaves what it has for the model: the latest frame, or for a file each in its turn."""

import threading
from collections import deque
from dataclasses import dataclass

from rnnedge_device.source import Frame

_AHEAD = 8  # frames of a file that are read before the model takes them


@dataclass(frozen=True, slots=True)
class Interruption:
    """The source is gone for a while, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The source has ended; nothing follows."""


Item = Frame | Interruption | End


class Bell:
    """What an inference thread waits at, for all its cameras."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._rung = False

    def ring(self) -> None:
        """There is something to do."""
        with self._changed:
            self._rung = True
            self._changed.notify()

    def wait(self, timeout_s: float) -> None:
        """Until it rings, or has rung since the last time."""
        with self._changed:
            if not self._rung:
                self._changed.wait(timeout_s)
            self._rung = False


class Mailbox:
    """One camera's hand-over between two threads.

    Args:
        bell: rung when there is something.
        live: keep the latest frame only and count what it overtakes; otherwise each is kept, and who puts waits.
        dropped: frames that were overtaken, so far.
    """

    def __init__(self, bell: Bell, live: bool) -> None:
        self._bell, self._live = bell, live
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._items = deque[Item]()
        self._closed = False
        self.dropped = 0

    def put(self, item: Item) -> None:
        """Leave a frame, or say that there will be none for now."""
        with self._changed:
            if isinstance(item, Frame) and not self._live:
                while len(self._items) >= _AHEAD and not self._closed:
                    self._changed.wait()
            if isinstance(item, Frame) and self._closed:
                return
            if self._live and isinstance(item, Frame) and self._items and isinstance(self._items[-1], Frame):
                self._items.pop()
                self.dropped += 1
            self._items.append(item)
        self._bell.ring()

    def take(self) -> Item | None:
        """What is next; None if there is nothing."""
        with self._lock:
            if not self._items:
                return None
            item = self._items.popleft()
            # Not at every frame: to wake a thread costs a small model a share of its time.
            if not self._live and len(self._items) == _AHEAD // 2:
                self._changed.notify()
        return item

    @property
    def waiting(self) -> bool:
        """Is there anything to take?"""
        return bool(self._items)

    def close(self) -> None:
        """Take no further frame, and drop those that wait: who stops does not want them."""
        with self._changed:
            self._closed = True
            self._items = deque(item for item in self._items if not isinstance(item, Frame))
            self._changed.notify_all()
