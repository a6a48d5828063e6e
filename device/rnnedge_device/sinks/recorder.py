"""A recorder: the frames as the model was given them, for `--source replay:FILE`."""

from rnnedge_device.files import atomic_path
from rnnedge_device.recording import write_frame, write_head
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import OpenedSink
from rnnedge_device.source import Frame


class Recorder(OpenedSink):
    """Each frame of one source, raw, with its time. The file takes its name when the sink is closed.

    A VGA camera of 30 frames a second fills 27 MB a second.

    Args:
        path: of the recording.
        fps, timed: of the source, see `Source`.

    Raises:
        InputError: a path that cannot be written.
        OSError: (`put`, `close`) a frame could not be written, as on a full disk.
    """

    def __init__(self, path: str, fps: float, timed: bool = True) -> None:
        super().__init__("record")
        temporary = self._opened.enter_context(atomic_path(path))
        self._stream = self._opened.enter_context(temporary.open("wb"))
        write_head(self._stream, fps, timed)
        self._last: Frame | None = None

    def put(self, message: Message) -> None:
        # Further lines about a frame do not record it again.
        if message.frame is not None and message.frame is not self._last:
            self._last = message.frame
            write_frame(self._stream, message.frame)
            self.sent += 1
