"""What every sink is: something that takes what a stream or a runner says."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rnnedge_device.closing import Closing
from rnnedge_device.sinks.message import Message


class Sink(Closing, ABC):
    """Takes messages and brings them somewhere. A context manager that closes itself.

    Messages come in the order in which they were said, one for each line; a frame without a line comes once, with
    an empty one. Each sink says what it promises: which lines it delivers or else counts as lost.

    Args:
        name: in the status and in messages; unique in a runner.
    """

    name: str

    @abstractmethod
    def put(self, message: Message) -> None:
        """Take a message. Never blocks for long and never raises for trouble outside: that is in the status.

        Only a sink that is the purpose of a run (stdout, a file written whole, a window) raises, to end it.
        """

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """`{"queued": int, "sent": int, "lost": int, "failing": str | None}`.

        Queued, sent and lost count promised lines (of a sink that promises steps too, these as well); lost are those
        given up. Failing is what is wrong right now, in words.
        """

    @abstractmethod
    def close(self, deadline_s: float = 5.0) -> None:
        """Deliver what was promised, for so many seconds at most, then give everything back. Harmless when called
        again."""


class DirectSink(Sink):
    """A sink that is done with a message when `put` returns: nothing waits in it and nothing is lost."""

    sent = 0

    def status(self) -> dict[str, Any]:
        return {"queued": 0, "sent": self.sent, "lost": 0, "failing": None}

    def close(self, deadline_s: float = 5.0) -> None:
        pass


class OpenedSink(DirectSink):
    """A sink around what it opened. At the end of its context that learns whether it ended well or with an error:
    a file written whole takes its name, or the old one stays."""

    def __init__(self, name: str) -> None:
        self.name, self._opened = name, contextlib.ExitStack()

    def close(self, deadline_s: float = 5.0) -> None:
        self._opened.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)


class CallSink(DirectSink):
    """Calls a function with each message.

    Example:
        stream(source, model, [CallSink(lambda message: print(message.line))])
    """

    def __init__(self, function: Callable[[Message], object], name: str = "call") -> None:
        self.name, self._function = name, function

    def put(self, message: Message) -> None:
        self._function(message)
        self.sent += 1
