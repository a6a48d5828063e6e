"""The runner's log: structured, without secrets, and never faster than anyone can read.

Set up once by the program with `log_to`; everything else uses Python's `logging` as ever, with fields in `extra`:

    logger = logging.getLogger("rnnedge.camera")
    logger.warning("no frame for %.1f s", 2.0, extra={"camera": "door"})
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from rnnedge_device.errors import InputError
from rnnedge_device.redaction import redact

FORMATS = ("text", "json", "journal")
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_MAX_KINDS = 500  # told apart in one window; all others are one kind
# How systemd's journal takes a level from the beginning of a line.
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))


class LineFormatter(logging.Formatter):
    """A record as one line.

    Args:
        form: `text` (`2024-05-01T12:00:00.000Z warning rnnedge.camera: no frame camera=door`), `json` (an object with
            `ts`, `level`, `logger`, `message` and the fields), or `journal` (as `text`, with the level where journald
            reads it and without the time, which it has itself).
    """

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        fields = {name: value for name, value in vars(record).items() if name not in _OWN}
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        when = when.replace("+00:00", "Z")
        level = record.levelname.lower()
        if self._form == "json":
            line = {"ts": when, "level": level, "logger": record.name, "message": message, **fields}
            return json.dumps({key: _hidden(key, value) for key, value in line.items()}, default=str)
        words = [f"{name}={_quoted(_hidden(name, value))}" for name, value in fields.items()]
        # One line, whatever is in it: a source's name must not be able to forge an entry.
        text = " ".join([f"{record.name}: {_escaped(redact(message))}", *words])
        if self._form == "journal":
            priority = next(number for least, number in _PRIORITIES if record.levelno >= least)
            return f"<{priority}>{text}"
        return f"{when} {level} {text}"


@dataclass
class _Window:
    """What one kind of message did since its window began."""

    since_s: float
    told: int = 0
    held: int = 0
    last: logging.LogRecord | None = None


class RateLimit(logging.Filter):
    """Holds repeats back and sums them up: of each kind of message `burst` pass in `window_s` seconds.

    A kind is the logger, the level, the message before its arguments are filled in, and the camera. The sum is told as
    a record of its own, the last of those held back with the field `repeated`: with the first message of any kind after
    the window is over, or by `flush`.

    Args:
        tell: takes the sums, such as a handler's `handle`.
        clock: seconds that do not go back.
    """

    def __init__(
        self,
        tell: Callable[[logging.LogRecord], Any],
        burst: int = 5,
        window_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        if burst < 1 or not window_s > 0:
            raise InputError(f"burst = {burst!r}, window_s = {window_s!r}: must be 1 or more, and above zero")
        self._tell, self._burst, self._window_s, self._clock = tell, burst, window_s, clock
        self._windows: dict[tuple[Any, ...], _Window] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "repeated"):
            return True
        now_s = self._clock()
        self._close(now_s - self._window_s)
        kind: tuple[Any, ...] = (
            record.name,
            record.levelno,
            str(record.msg),
            getattr(record, "camera", None),
        )
        with self._lock:
            if kind not in self._windows and len(self._windows) >= _MAX_KINDS:
                kind = ("others",)
            window = self._windows.setdefault(kind, _Window(now_s))
            if window.told < self._burst:
                window.told += 1
                return True
            window.held += 1
            window.last = record
        return False

    def flush(self) -> None:
        """Tell what is held back, without waiting for the end of its window."""
        self._close(float("inf"))

    def _close(self, before_s: float) -> None:
        with self._lock:
            over = [kind for kind, window in self._windows.items() if window.since_s <= before_s]
            ended = [self._windows.pop(kind) for kind in over]
        for window in ended:
            if window.last is not None:
                # The record itself may be on its way through other handlers.
                told = logging.makeLogRecord(vars(window.last))
                told.repeated = window.held
                self._tell(told)


@contextmanager
def log_to(
    stream: TextIO, form: str | None = None, level: str = "info", burst: int = 5, window_s: float = 60.0
) -> Iterator[logging.Logger]:
    """Send everything that `rnnedge...` loggers say to a stream while the block runs.

    Args:
        form: of `FORMATS`; None takes `journal` where systemd's journal reads the stream, else `text`.
        level: `debug`, `info`, `warning` or `error`, and above.
        burst, window_s: as `RateLimit` takes them.

    Yields:
        The logger `rnnedge`.

    Raises:
        InputError: an unknown form or level.
    """
    if form is None:
        form = "journal" if _read_by_journal(stream) else "text"
    if form not in FORMATS:
        raise InputError(f"log form = {form!r}: must be one of {', '.join(FORMATS)}")
    if level not in ("debug", "info", "warning", "error"):
        raise InputError(f"log level = {level!r}: must be one of debug, info, warning, error")
    logger = logging.getLogger("rnnedge")
    handler = logging.StreamHandler(_own(stream))
    handler.setFormatter(LineFormatter(form))
    limit = RateLimit(handler.handle, burst, window_s)
    handler.addFilter(limit)
    # Modules log under the name of their package: for as long as this lasts it is a part of `rnnedge`.
    package = logging.getLogger("rnnedge_device")
    before, parent = (logger.level, logger.propagate), package.parent
    package.parent = logger
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    try:
        yield logger
    finally:
        limit.flush()
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        package.parent = parent
        handler.close()
        if handler.stream is not stream:
            handler.stream.close()


def _own(stream: TextIO) -> TextIO:
    """The same file under a descriptor of its own: while a model loads, the runtime's chatter on 2 is sent away."""
    try:
        handle = os.dup(stream.fileno())
    except (OSError, ValueError):  # not a file, as in a test, or closed
        return stream
    return os.fdopen(handle, "w", buffering=1, encoding="utf-8", errors="backslashreplace")


def _read_by_journal(stream: TextIO) -> bool:
    """JOURNAL_STREAM is the device and inode of what systemd connected to the journal."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _hidden(name: str, value: Any) -> Any:
    """A field's value without secrets; numbers and such as they are."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # With its name before it, so that a field called password is seen as one.
    return redact(f"{name}={value}")[len(name) + 1 :]


def _quoted(value: Any) -> str:
    text = str(value)
    return (
        text
        if text and all(letter.isprintable() and letter not in ' "=' for letter in text)
        else json.dumps(text)
    )


def _escaped(text: str) -> str:
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
