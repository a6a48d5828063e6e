"""A recording as a source: the same frames, times and orders to the model, so that the same events come of it."""

from collections.abc import Iterator

from rnnedge_device.errors import SourceError
from rnnedge_device.recording import read_frames, read_head
from rnnedge_device.source import Frame, Source


class ReplaySource(Source):
    """What `--record` wrote. A frame that is cut off at the end counts as skipped.

    Args:
        path: of the recording.

    Raises:
        SourceError: no such file or no recording; (iterating) a damaged one.
    """

    def __init__(self, path: str) -> None:
        name = f"replay:{path}"
        try:
            self._stream = open(path, "rb")  # noqa: SIM115
        except OSError as problem:
            raise SourceError(f"source {name!r}: {problem.strerror}") from None
        try:
            head = read_head(self._stream, name)
        except SourceError:
            self._stream.close()
            raise
        super().__init__(name, float(head["fps"]))
        self.timed = head["timed"]

    def frames(self) -> Iterator[Frame]:
        try:
            yield from read_frames(self._stream, self.name)
        except EOFError:
            self.skipped += 1

    def close(self) -> None:
        super().close()
        self._stream.close()
