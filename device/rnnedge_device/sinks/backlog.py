"""What waits to be delivered: in order, bounded, the oldest given up first and counted."""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from rnnedge_device.sinks.message import Message


class Backlog(ABC):
    """Promised lines from `add` until `done`. Safe between the threads that add and the one that delivers.

    Args:
        limit: how many lines may wait; one more, and the oldest that is not being delivered is lost.
        lost: how many were given up for want of room, so far.
        durable: do lines that wait outlive the process?
        on_ready: called by a backlog whose lines can be delivered only some time after `add`.
    """

    durable = False

    def __init__(self, limit: int) -> None:
        self.limit, self.lost = limit, 0
        self.on_ready: Callable[[], None] = lambda: None

    @abstractmethod
    def add(self, message: Message) -> None:
        """Take a line; never waits for anything."""

    @abstractmethod
    def first(self, count: int) -> list[Message]:
        """The oldest lines, `count` at most. They are being delivered until `done`, and not given up meanwhile."""

    @abstractmethod
    def done(self, count: int) -> None:
        """The first `count` lines need no longer be kept."""

    @abstractmethod
    def __len__(self) -> int:
        """How many wait, those being delivered among them."""

    def trouble(self) -> str | None:
        """What keeps the backlog from doing its work, in words."""
        return None

    def close(self, deadline_s: float) -> None:
        """Give everything back, in so many seconds at most. What is durable stays."""
        return


class MemoryBacklog(Backlog):
    """Lines in memory.

    Example:
        backlog = MemoryBacklog(1000)
        backlog.add(message)
        for message in backlog.first(1):
            send(message)
            backlog.done(1)
    """

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._lines: deque[Message] = deque()
        self._lock = threading.Lock()
        self._flying = 0

    def add(self, message: Message) -> None:
        with self._lock:
            if len(self._lines) >= self.limit:
                self.lost += 1
                if self._flying >= self.limit:
                    return
                del self._lines[self._flying]
            self._lines.append(message)

    def first(self, count: int) -> list[Message]:
        with self._lock:
            self._flying = min(count, len(self._lines))
            return [self._lines[number] for number in range(self._flying)]

    def done(self, count: int) -> None:
        with self._lock:
            for _ in range(min(count, len(self._lines))):
                self._lines.popleft()
            self._flying = max(0, self._flying - count)

    def __len__(self) -> int:
        return len(self._lines)
