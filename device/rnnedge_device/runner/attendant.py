"""Who watches over a runner from outside, such as systemd: told what it does, and that it gets on."""

from typing import Protocol


class Attendant(Protocol):
    """Told by the runner's main thread."""

    def ready(self) -> None:
        """Every camera was started."""

    def tick(self, progress: int) -> None:
        """Called twice a second with how many frames were answered so far."""

    def reloading(self) -> None:
        """The config is being read again; `ready` follows."""

    def stopping(self) -> None:
        """No further frame is taken."""


class NoAttendant:
    """Nobody watches."""

    def ready(self) -> None: ...
    def tick(self, progress: int) -> None: ...
    def reloading(self) -> None: ...
    def stopping(self) -> None: ...
