"""A backlog on disk: lines that wait outlive the process, and a power cut."""

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from rnnedge_device.errors import InputError
from rnnedge_device.sinks.backlog import Backlog
from rnnedge_device.sinks.backoff import Backoff
from rnnedge_device.sinks.encode import to_json
from rnnedge_device.sinks.message import Message

_log = logging.getLogger(__name__)
_TABLE = "CREATE TABLE IF NOT EXISTS lines (n INTEGER PRIMARY KEY AUTOINCREMENT, camera TEXT, line TEXT)"


class Spool(Backlog):
    """Lines in an SQLite file, written by a thread of its own: `add` waits for no disk.

    A line is safe within milliseconds of `add`, as soon as its write is synced; `pending` tells how many are not
    yet. It is taken out once it was delivered; a crash between the two gives it twice. While the disk takes none,
    lines stay in memory and are delivered from there.

    Args:
        path: the file; made if it is missing. One that SQLite finds broken is put aside as
            `PATH.broken-TIME`.
        limit: as of every backlog; of lines on disk and in memory together.

    Raises:
        InputError: the file cannot be opened, or another process has it.

    Example:
        spool = Spool("door.spool", 10_000)
        spool.add(message)
    """

    durable = True

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(limit)
        self._path = Path(path)
        self._pending: deque[Message] = deque()
        self._flying: list[int] = []  # numbers of the lines being delivered, or
        self._from_memory = 0  # how many of those in memory are
        self._last_done = self._stores = 0
        self._trouble: str | None = None
        self._closing = False
        self._changed = threading.Condition()  # guards what is in memory
        self._disk = threading.Lock()  # guards the file; taken before the other one
        self._file = self._open()
        self._stored = int(self._file.execute("SELECT COUNT(*) FROM lines").fetchone()[0])
        self._thread = threading.Thread(target=self._write, name=f"spool {self._path.name}", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """How many lines are in memory only."""
        return len(self._pending)

    def add(self, message: Message) -> None:
        with self._changed:
            # Room is made on disk by the thread that writes; in memory here, where the disk is out of order.
            if len(self._pending) >= self.limit:
                self.lost += 1
                if self._from_memory >= self.limit:
                    return
                del self._pending[self._from_memory]
            self._pending.append(message)
            self._changed.notify_all()

    def first(self, count: int) -> list[Message]:
        with self._disk:
            if not self._from_memory:
                if rows := self._read(count):
                    return rows
                if not self._trouble:
                    return []
            with self._changed:
                # They cannot be made safe, so they go as they are; the same ones again until they are done.
                self._from_memory = self._from_memory or min(count, len(self._pending))
                return [self._pending[number] for number in range(self._from_memory)]

    def done(self, count: int) -> None:
        with self._disk:
            if self._from_memory:
                with self._changed:
                    for _ in range(count):
                        self._pending.popleft()
                    self._from_memory -= count
                return
            # Kept in mind too: where the disk takes nothing, it cannot be taken out either.
            self._last_done = self._flying[count - 1]
            del self._flying[:count]
            self._stored -= count
            try:
                # Not synced: all that a power cut could bring back is a line that was delivered, a double.
                with _transaction(self._file, synced=False) as file:
                    file.execute("DELETE FROM lines WHERE n <= ?", (self._last_done,))
            except sqlite3.Error as problem:
                self._note(problem)
            else:
                if not self._pending:
                    self._note(None)

    def _read(self, count: int) -> list[Message]:
        query = "SELECT n, camera, line FROM lines WHERE n > ? ORDER BY n LIMIT ?"
        found = []
        try:
            for number, camera, line in self._file.execute(query, (self._last_done, count)).fetchall():
                try:
                    found.append((number, Message(camera, json.loads(line))))
                except (ValueError, TypeError):
                    # As a failing disk gives it back; what comes after it must not wait for it for ever.
                    self._drop(number)
        except sqlite3.Error as problem:
            self._note(problem)
        self._flying = [number for number, _ in found]
        return [message for _, message in found]

    def _drop(self, number: int) -> None:
        _log.error("spool %s: line %d cannot be read and is lost", self._path, number)
        with _transaction(self._file) as file:
            file.execute("DELETE FROM lines WHERE n = ?", (number,))
        with self._changed:
            self.lost += 1
            self._stored -= 1
        self.on_ready()

    def __len__(self) -> int:
        with self._changed:
            return self._stored + len(self._pending)

    def trouble(self) -> str | None:
        return self._trouble

    def close(self, deadline_s: float) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(deadline_s)
        with self._changed:
            # What is in memory only goes with it.
            self.lost += len(self._pending)
            self._pending.clear()
        if self._disk.acquire(timeout=deadline_s):
            self._file.close()
            self._disk.release()

    def _write(self) -> None:
        """From memory to disk, whatever came meanwhile in one go."""
        backoff = Backoff(0.5, 10.0)
        while True:
            with self._changed:
                # In trouble it looks now and then whether there is room again, even if nothing waits for it.
                self._changed.wait_for(lambda: self._pending or self._closing or self._trouble)
                if self._closing and not self._pending:
                    return
            try:
                with self._disk:
                    self._store()
            except sqlite3.Error as problem:
                self._note(problem)
                self.on_ready()
                with self._changed:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing, backoff.next())
            else:
                backoff.reset()
                self._note(None)
                self.on_ready()

    def _store(self) -> None:
        with self._changed:
            # Those being delivered from memory stay there until they are done.
            lines = list(self._pending)[self._from_memory :]
        excess = max(0, self._stored + len(lines) - self.limit)
        with _transaction(self._file) as file:
            file.execute("DELETE FROM lines WHERE n <= ?", (self._last_done,))
            file.execute(f"PRAGMA user_version = {self._stores}")  # so that something is written in any case
            file.executemany(
                "INSERT INTO lines (camera, line) VALUES (?, ?)",
                ((line.camera, to_json(line.line).decode()) for line in lines),
            )
            if excess:
                spared = self._flying[-1] if self._flying else self._last_done
                excess = file.execute(
                    "DELETE FROM lines WHERE n IN (SELECT n FROM lines WHERE n > ? ORDER BY n LIMIT ?)",
                    (spared, excess),
                ).rowcount
        self._stores = (self._stores + 1) % 1_000_000
        with self._changed:
            for _ in lines:
                del self._pending[self._from_memory]
            self._stored += len(lines) - excess
            self.lost += excess

    def _note(self, problem: sqlite3.Error | None) -> None:
        before, self._trouble = self._trouble, f"spool {self._path}: {problem}" if problem else None
        if self._trouble and not before:
            _log.warning("%s; lines wait in memory", self._trouble)

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self._path)
        except sqlite3.OperationalError as problem:
            raise InputError(f"spool = {str(self._path)!r}: cannot be opened: {problem}") from None
        except sqlite3.DatabaseError as problem:
            # As a dying SD card leaves it. A runner that does not start would lose more than this.
            broken = f"{self._path}.broken-{time.time_ns()}"
            _log.error("spool %s: %s; put aside as %s, lines in it are lost", self._path, problem, broken)
            os.replace(self._path, broken)
            for suffix in ("-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            return _connect(self._path)


def _connect(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        # One owner: two runners on one spool would send everything twice.
        file.execute("PRAGMA locking_mode = EXCLUSIVE")
        file.execute("PRAGMA journal_mode = WAL")
        with _transaction(file):
            file.execute(_TABLE)
        if file.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the file is damaged")
    except BaseException:
        file.close()
        raise
    return file


@contextlib.contextmanager
def _transaction(file: sqlite3.Connection, synced: bool = True) -> Iterator[sqlite3.Connection]:
    file.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
    file.execute("BEGIN IMMEDIATE")
    try:
        yield file
        file.execute("COMMIT")
    except BaseException:
        if file.in_transaction:
            file.execute("ROLLBACK")
        raise
