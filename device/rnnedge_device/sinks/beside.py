"""A thread for a sink that takes its time with pictures, so that whoever puts never waits."""

import queue
import threading
import time
from typing import Any

from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.sink import Sink

_QUEUED = 16  # messages, each with its picture


class BesideSink(Sink):
    """Another sink in a thread of its own. What comes while the queue is full is lost, and counted.

    The promise: what it took goes through the other sink in order; once that has failed, all further is lost.

    Args:
        inner: closed with this one; after a failure as its context is left with an error, so that no broken file
            takes its name.
        queued: messages that may wait.

    Example:
        with BesideSink(VideoFile("seen.mp4", 30.0)) as sink:
            sink.put(message)
    """

    def __init__(self, inner: Sink, name: str = "", queued: int = _QUEUED) -> None:
        self.name, self._inner = name or inner.name, inner
        self._queue = queue.Queue[Message | None](queued)
        self._sent = self._lost = 0
        self._failing: BaseException | None = None
        self._closed = False
        self._deadline = float("inf")
        self._lock = threading.Lock()
        # A daemon: a disk that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"sink {self.name}", daemon=True)
        self._thread.start()

    def put(self, message: Message) -> None:
        try:
            if self._closed or self._failing is not None:
                raise queue.Full
            self._queue.put_nowait(message)
        except queue.Full:
            with self._lock:
                self._lost += 1

    def status(self) -> dict[str, Any]:
        with self._lock:
            return {
                "queued": self._queue.qsize(),
                "sent": self._sent,
                "lost": self._lost,
                "failing": None if self._failing is None else str(self._failing),
            }

    def close(self, deadline_s: float = 5.0) -> None:
        if self._closed:
            return
        self._closed, self._deadline = True, time.monotonic() + deadline_s
        try:
            self._queue.put(None, timeout=deadline_s)
        except queue.Full:
            return  # it hangs; the thread dies with the process
        self._thread.join(max(0.1, self._deadline - time.monotonic()))

    def _work(self) -> None:
        try:
            with self._inner:
                while (message := self._queue.get()) is not None:
                    if time.monotonic() > self._deadline:
                        raise TimeoutError("closed before all was written")
                    self._inner.put(message)
                    with self._lock:
                        self._sent += 1
        except Exception as problem:
            self._failing = problem
            self._drop()

    def _drop(self) -> None:
        """Whoever closes must find room in the queue."""
        while True:
            try:
                left = self._queue.get_nowait()
            except queue.Empty:
                return
            with self._lock:
                self._lost += left is not None
