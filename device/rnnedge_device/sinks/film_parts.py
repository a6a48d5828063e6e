"""A film without an end, in parts: after a crash or a power cut all but the last one are there."""

import re
from pathlib import Path

from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.pictures import VideoFile
from rnnedge_device.sinks.sink import OpenedSink


class FilmParts(OpenedSink):
    """The annotated frames as videos of some minutes each: `NAME-000001.mp4`, `NAME-000002.mp4`, …

    Each takes its name when it is whole. Numbers go on from those that are there; nothing is written over.

    Args:
        path: `NAME.mp4` or `NAME.avi`.
        fps: of the film.
        minutes: of a part, by the source's time.

    Raises:
        InputError: another suffix, or a path that cannot be written.
        OSError: (`put`, `close`) a part could not be written, as on a full disk; those before it stay.
    """

    def __init__(self, path: str, fps: float, minutes: float) -> None:
        super().__init__("film parts")
        self._path, self._fps, self._part_ms = Path(path), fps, minutes * 60_000
        self._part: VideoFile | None = None
        self._begin_ms = 0.0
        name = re.escape(self._path.stem)
        there = re.compile(rf"{name}-(\d{{6,}}){re.escape(self._path.suffix)}")
        cut_off = re.compile(rf"\.{name}-\d{{6,}}-[0-9a-f]{{8}}\.tmp{re.escape(self._path.suffix)}")
        self._number = 0
        for file in self._path.parent.iterdir() if self._path.parent.is_dir() else ():
            if match := there.fullmatch(file.name):
                self._number = max(self._number, int(match[1]))
            elif cut_off.fullmatch(file.name):
                file.unlink(missing_ok=True)  # of a runner that was killed; nothing can play it

    def put(self, message: Message) -> None:
        frame = message.frame
        if frame is None or message.prediction is None:
            return
        if self._part is not None and frame.ts_ms - self._begin_ms >= self._part_ms:
            self._opened.close()
            self._part = None
        if self._part is None:
            self._number, self._begin_ms = self._number + 1, frame.ts_ms
            name = f"{self._path.stem}-{self._number:06d}{self._path.suffix}"
            self._part = self._opened.enter_context(VideoFile(str(self._path.with_name(name)), self._fps))
        before = self._part.sent
        self._part.put(message)
        self.sent += self._part.sent - before
