"""A sink with a thread of its own: whoever puts never waits, what was promised is delivered or counted as lost."""

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

from rnnedge_device.sinks.backlog import Backlog
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import Sink

PROMISED = ("event", "caption", "health")
_CLOSING_PAUSE_S = 0.2  # between attempts once the sink is being closed: there is no time for more
_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """The other side will never take this line, so that there is no use in sending it again."""


class WorkerSink(Sink):
    """Promised lines wait in a backlog and are delivered in order, the first again and again until it is through.
    Steps are best effort: of each camera the latest replaces the one before.

    A subclass says how to `deliver`, and calls `start` when it is ready to.

    Args:
        name: in the status and in messages.
        backlog: where promised lines wait.
        kinds: which lines to take, see `Message.kind`; others pass by.
        backoff: waits after failed attempts.
        batch: how many promised lines `deliver` gets at most.
        idle_s: `idle` is called when there was nothing to do for so long.
    """

    def __init__(
        self,
        name: str,
        backlog: Backlog,
        kinds: Collection[str] = PROMISED,
        backoff: Backoff | None = None,
        batch: int = 1,
        idle_s: float | None = None,
    ) -> None:
        self.name, self.backlog = name, backlog
        backlog.on_ready = self.stir
        self._kinds, self._backoff = frozenset(kinds), backoff or Backoff(0.5, 30.0)
        self._batch, self._idle_s = batch, idle_s
        self._latest: dict[str, Message] = {}
        self._failing: str | None = None
        self._sent = self._lost = 0
        self._stirred = self._ended = False
        self._deadline: float | None = None  # of closing
        self._wake = threading.Condition()
        # A delivery that hangs for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)

    @abstractmethod
    def deliver(self, messages: Sequence[Message]) -> int:
        """Bring messages to where they go; runs in the sink's thread and may take its time.

        Returns:
            How many of the first are there now, one at least; the others come again.

        Raises:
            RefusedError: the first will never be taken.
            Exception: trouble outside; none is there, and those of a backlog come again.
        """

    def idle(self) -> None:
        """Nothing came for `idle_s`."""

    def release(self) -> None:
        """Nothing more will be delivered: give back what deliveries need."""

    def start(self) -> None:
        self._thread.start()

    def keeps(self, message: Message) -> bool:
        """Does this message go into the backlog?"""
        return message.promised

    def put(self, message: Message) -> None:
        if message.kind not in self._kinds:
            return
        # Without its picture: a thousand lines that wait are no thousand pictures.
        message = Message(message.camera, message.line)
        keep = self.keeps(message)
        with self._wake:
            if self._ended:
                self._lost += keep
                return
            if not keep:
                self._latest[message.camera] = message
        if keep:
            self.backlog.add(message)
        self.stir()

    def stir(self) -> None:
        """There may be something to do."""
        with self._wake:
            self._stirred = True
            self._wake.notify_all()

    def status(self) -> dict[str, Any]:
        with self._wake:
            return {
                "queued": len(self.backlog),
                "sent": self._sent,
                "lost": self._lost + self.backlog.lost,
                "failing": self._failing or self.backlog.trouble(),
            }

    @property
    def closing(self) -> bool:
        return self._deadline is not None

    def seconds_left(self) -> float:
        """Until closing has to be over; endless before it began."""
        return float("inf") if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def close(self, deadline_s: float = 5.0) -> None:
        with self._wake:
            if self._deadline is not None:
                return
            self._deadline = time.monotonic() + deadline_s
        self.stir()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
        with self._wake:
            self._ended = True
            left = len(self.backlog)
            if not self.backlog.durable:
                self._lost += left
                self.backlog.done(left)
        self.backlog.close(min(1.0, deadline_s))
        if left:
            what = "wait in the spool for the next start" if self.backlog.durable else "are lost"
            _log.warning("%s: closed; %d promised lines %s", self.name, left, what)

    def _work(self) -> None:
        while self.seconds_left() > 0 and (found := self._next()):
            self._attempt(*found)
        self.release()

    def _next(self) -> tuple[list[Message], bool] | None:
        """What to deliver next, and is it kept? Waits; None when closing and there is nothing left."""
        while True:
            if kept := self.backlog.first(self._batch):
                return kept, True
            with self._wake:
                if self._latest:
                    return [self._latest.pop(next(iter(self._latest)))], False
                if self.closing and (len(self.backlog) == 0 or self.seconds_left() == 0):
                    return None
                wait_s = _CLOSING_PAUSE_S if self.closing else self._idle_s
                stirred = self._stirred or self._wake.wait_for(lambda: self._stirred, wait_s)
                self._stirred = False
            if not stirred:
                self.idle()

    def _attempt(self, messages: list[Message], kept: bool) -> None:
        count, lost = 1, False
        try:
            count = self.deliver(messages)
        except RefusedError as problem:
            lost = True
            self.note(str(problem))
        except Exception as problem:
            # Whatever is wrong outside, and be it never foreseen, must not end the thread.
            self.note(f"{type(problem).__name__}: {problem}")
            self._pause()
            return
        else:
            self._backoff.reset()
            self.note(None)
        # After the end of closing what was still on its way is counted as lost already.
        if kept and not self._ended:
            self.backlog.done(count)  # perhaps on a disk that hangs: not where `put` would wait for it
            with self._wake:
                self._lost += lost
                self._sent += 0 if lost else count

    def note(self, trouble: str | None) -> None:
        """What is wrong now, None for nothing; the log hears of it once."""
        with self._wake:
            before, self._failing = self._failing, trouble
        if trouble and not before:
            _log.warning("%s: failing: %s", self.name, trouble)
        elif before and not trouble:
            _log.warning("%s: works again", self.name)

    def wait_s(self) -> float:
        """Before the next attempt, after one that failed."""
        return self._backoff.next()

    def _pause(self) -> None:
        until = time.monotonic() + self.wait_s()
        with self._wake:
            while (left := until - time.monotonic()) > 0:
                if self.closing:
                    self._wake.wait(min(left, _CLOSING_PAUSE_S, self.seconds_left()))
                    return
                self._wake.wait(left)
