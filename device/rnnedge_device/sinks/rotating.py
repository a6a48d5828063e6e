"""JSON lines of a service: appended to a file that is rotated, through crashes and full disks."""

import contextlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.backlog import MemoryBacklog
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.encode import to_json
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.options import Bytes, Name, Queue, SinkOptions
from rnnedge_device.sinks.worker import PROMISED, WorkerSink

_SYNC_S = 5.0  # at most so much is missing after a power cut; more often would wear an SD card out
_BATCH = 256
_TAIL = 1 << 20  # bytes to look back through for the beginning of a torn line


class JsonlOptions(SinkOptions):
    """The section `[jsonl]`.

    Args:
        path: the file to append to; made if it is missing.
        max_bytes: the size at which it becomes `PATH.1`, `PATH.1` becomes `PATH.2`, …
        keep: how many of those are kept.
        steps: write the model's steps too, or only events, captions and health.
        queue: lines kept in memory while the disk takes none.
    """

    path: Name
    max_bytes: Bytes = 10_000_000
    keep: Queue = 5
    steps: bool = True
    queue: Queue = 10_000


class RotatingLines(WorkerSink):
    """One JSON object a line, appended.

    The promise: every event, caption and health line is in the file once and in order, or counted as lost when
    more than `queue` of them wait for a disk that takes none; a line is whole or not there. Steps are written as
    well while the disk keeps up; those it does not keep up with are left out and counted as `skipped`. What was
    written outlives a crash of the runner at once and a power cut after five seconds.

    Raises:
        InputError: the file cannot be opened.

    Example:
        with RotatingLines(JsonlOptions(path="events.jsonl")) as sink:
            sink.put(message)
    """

    def __init__(self, options: JsonlOptions, name: str = "jsonl", backoff: Backoff | None = None) -> None:
        super().__init__(
            name,
            MemoryBacklog(options.queue),
            (*PROMISED, "step") if options.steps else PROMISED,
            backoff or Backoff(0.5, 5.0),
            batch=_BATCH,
            idle_s=_SYNC_S,
        )
        # A link keeps pointing at its file: it is the file that is rotated.
        self._path = Path(os.path.realpath(options.path))
        self._options = options
        self._skipped = 0
        self._synced, self._dirty = time.monotonic(), False
        try:
            self._handle = self._open()
        except OSError as problem:
            raise InputError(
                f"{name}: path = {options.path!r}: cannot be written: {problem.strerror}"
            ) from None
        self.start()

    def keeps(self, message: Message) -> bool:
        return True

    def put(self, message: Message) -> None:
        # What is promised has the room that is left when the disk does not keep up.
        if not message.promised and (self._failing or len(self.backlog) > self._options.queue // 2):
            self._skipped += message.kind == "step"
            return
        super().put(message)

    def status(self) -> dict[str, object]:
        return {**super().status(), "skipped": self._skipped}

    def deliver(self, messages: Sequence[Message]) -> int:
        self._follow()
        lines = [to_json(message.line) + b"\n" for message in messages]
        if self._size and self._size + len(lines[0]) > self._options.max_bytes:
            self._rotate()
        count, length = 1, len(lines[0])
        while count < len(lines) and self._size + length + len(lines[count]) <= self._options.max_bytes:
            length += len(lines[count])
            count += 1
        self._append(b"".join(lines[:count]))
        return count

    def _append(self, lines: bytes) -> None:
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._handle, lines[written:])
        except OSError:
            # All or nothing: half a line is cut off again, and the whole batch comes once more.
            os.ftruncate(self._handle, self._size)
            raise
        self._size += written
        self._dirty = True
        if time.monotonic() - self._synced >= _SYNC_S:
            self.idle()

    def idle(self) -> None:
        if self._dirty:
            with contextlib.suppress(OSError):  # as a pipe, which cannot be synced
                os.fsync(self._handle)
        self._synced, self._dirty = time.monotonic(), False

    def release(self) -> None:
        self.idle()
        os.close(self._handle)

    def _open(self) -> int:
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._size = _mend(handle)
        except OSError:
            os.close(handle)
            raise
        self._identity = _identity(os.fstat(handle))
        return handle

    def _follow(self) -> None:
        """Someone moved or removed the file, as `logrotate` does: go on in one of the right name."""
        try:
            same = _identity(os.stat(self._path)) == self._identity
        except FileNotFoundError:
            same = False
        if not same:
            self._reopen()

    def _rotate(self) -> None:
        for number in range(self._options.keep, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                os.replace(older, self._numbered(number))
        self._reopen()

    def _reopen(self) -> None:
        handle = self._open()
        self._handle, before = handle, self._handle
        os.close(before)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _mend(handle: int) -> int:
    """The file's size once a line that a crash tore at its end is cut off, or has got its line break."""
    size = os.fstat(handle).st_size
    start = max(0, size - _TAIL)
    tail = os.pread(handle, size - start, start) if size else b""
    head, found, torn = tail.rpartition(b"\n")
    if not torn:
        return size
    try:
        json.loads(torn)
    except ValueError:
        if not found and start:
            return size  # longer than any line of ours: not ours to cut
        size = start + len(head) + len(found)
        os.ftruncate(handle, size)
        return size
    return size + os.write(handle, b"\n")
