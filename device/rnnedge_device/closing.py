"""What has to be given back at the end, as a context manager."""

from types import TracebackType
from typing import Self


class Closing:
    """Something with a `close()`, which the end of its context calls."""

    def close(self) -> None:
        """Give back what it holds. Harmless when called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
