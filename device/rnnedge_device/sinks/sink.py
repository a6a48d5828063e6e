"""What every sink is: something that takes what a stream or a runner says."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.sinks.message import Message
from rnnedge_device.source import Frame

# Called once for each line: a step, or (with the key `event`) the start or end of an event, or a finished caption.
# A clip model passes over some frames, and a caption takes several: such a frame comes with the prediction before
# it, or the words so far, and an empty `event`.
FrameSink = Callable[[Frame, Prediction, Event], None]


class Sink(ABC):
    """Takes messages and brings them somewhere. A context manager that closes itself.

    Each says what it promises: which lines it delivers or else counts as lost.

    Args:
        name: in the status and in messages; unique in a runner.
    """

    name: str

    @abstractmethod
    def put(self, message: Message) -> None:
        """Take a message. Never blocks for long and never raises for trouble outside: that is in the status."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
