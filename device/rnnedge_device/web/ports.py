"""What the web view needs of the runner behind it."""

from pathlib import Path
from typing import Any, Protocol


class Status(Protocol):
    """How the runner is. Safe to ask from another thread."""

    def snapshot(self) -> dict[str, Any]:
        """Ready for JSON: `run`, `healthy`, `cameras`, `sinks`, …"""


class Controls(Protocol):
    """What may be asked of the runner, from any thread; each returns at once or raises InputError."""

    def reset(self, camera: str) -> None: ...

    def swap(self, camera: str, bundle: Path) -> None: ...

    def rollback(self, camera: str) -> None: ...
