"""A source whose capture is a process of its own: what hangs or crashes there is killed, and costs nothing here."""

import json
import os
import select
import subprocess
import sys
import time
from typing import Any

from rnnedge_device.errors import SourceError, SourceHungError
from rnnedge_device.source import Frame
from rnnedge_device.sources.camera_spec import public_name
from rnnedge_device.sources.frame_ring import FrameRing
from rnnedge_device.sources.newest import NewestSource

_CHILD = "rnnedge_device.sources.capture_child"
_CHUNK = 65_536


class ProcessSource(NewestSource):
    """A camera or a network stream, captured in a process of its own.

    Args:
        spec: as the child's `open_capture` takes it.
        patience_s: how long the iteration waits for a frame.
        open_s: how long opening may take.

    Raises:
        SourceError: it cannot be opened.
        SourceHungError: opening takes too long.
    """

    def __init__(self, spec: str, patience_s: float = 5.0, open_s: float = 20.0) -> None:
        super().__init__(public_name(spec), 0.0, patience_s)
        self._memory = os.memfd_create("rnnedge frames", os.MFD_CLOEXEC)
        self._ring: FrameRing | None = None
        self._newest: dict[str, Any] | None = None
        self._rest = b""
        # A group of its own: Ctrl-C is for this process to answer. The path: the same package, wherever it is.
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._memory,),
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            self._open(spec, open_s)
        except BaseException:
            self.close()
            raise

    def _open(self, spec: str, open_s: float) -> None:
        assert self._child.stdin is not None
        # Not as an argument, which every user of the machine could read: a URL may hold a password.
        self._child.stdin.write(json.dumps({"spec": spec, "memory": self._memory}).encode() + b"\n")
        self._child.stdin.flush()
        deadline = time.monotonic() + open_s
        while not self._opened and not self._ended and not self.stopped:
            if time.monotonic() > deadline:
                raise SourceHungError(f"source {self.name!r}: does not open within {open_s:g} s")
            self._hear(0.1)
        if self._ended and not self._opened:
            raise SourceError(self._loss or f"source {self.name!r}: the capture process ended")
        self._begin = self._heard = time.monotonic()

    _opened = False

    def _waiting(self) -> bool:
        self._hear(0.0)
        return self._newest is not None

    def _take(self, wait_s: float) -> Frame | None:
        self._hear(0.0)
        if self._newest is None and wait_s:
            self._hear(wait_s)
        if self._newest is None:
            return None
        about, self._newest = self._newest, None
        if self._ring is None:
            self._ring = FrameRing(self._memory)
        number, taken_s = about["frame"], about["taken_s"]
        image = self._ring.get(number, tuple(about["shape"]))
        if image is None:
            self.dropped += 1  # overtaken while it was copied
            return None
        return Frame(image, number, max(0.0, taken_s - self._begin) * 1000, taken_s)

    def _hear(self, wait_s: float) -> None:
        """Take in what the child has said, waiting so long for it at most."""
        assert self._child.stdout is not None
        handle = self._child.stdout.fileno()
        while not self._ended and select.select([handle], [], [], wait_s)[0]:
            wait_s = 0.0
            data = os.read(handle, _CHUNK)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._told(json.loads(line))
            if not data:
                self._ended = True
                self._loss = self._loss or "the capture process ended"

    def _told(self, what: dict[str, Any]) -> None:
        if "frame" in what:
            if self._newest is not None:
                self.dropped += 1
            self._newest = what
            self._captured, self.skipped = what["frame"] + 1, what["skipped"]
            self._heard = time.monotonic()
        elif "fps" in what:
            self.fps, self._opened = what["fps"], True
        else:
            self._ended, self._loss = True, what.get("error") or what.get("end") or ""

    def close(self) -> None:
        super().close()
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1
        self._ended = True
