"""The converter's process, kept from one conversion to the next: TensorFlow takes seconds to load."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from time import monotonic

from rnnedge_device.closing import Closing


class ConverterProcess(Closing):
    """A child that runs job files. It is started when it is needed, and anew after it has crashed or hung.

    It ends with this process at the latest, by the end of its standard input.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile(prefix="rnnedge-converter-")  # noqa: SIM115
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """The child's, if there is one."""
        return self._child.pid if self._child else None

    def run(self, jobs: str, time_limit_s: float) -> tuple[str | None, str]:
        """Have the jobs of the file ``jobs`` converted (see ``convert_child``).

        Returns:
            The job at which the child ended and how it ended; ``(None, "")`` if it did not end, and no job but a
            reason if it ended before the first.
        """
        deadline = monotonic() + time_limit_s
        child = self._running()
        known = self._errors.seek(0, os.SEEK_END)
        started, reason = None, ""
        try:
            for line in _lines(child, jobs, deadline):
                if line == "end":
                    return None, ""
                word, _, name = line.partition(" ")
                started = name if word == "start" else started
            code = child.wait()
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            reason = f"the converter's process ended with {how}"
        except TimeoutError:
            reason = f"the converter took longer than {time_limit_s:.0f} s"
        except BaseException:  # Ctrl-C: what it is at is nobody's any more
            self.close()
            raise
        self.close()
        self._errors.seek(known)
        return started, f"{reason}\n{self._errors.read()[-2000:].decode(errors='replace').strip()}"

    def close(self) -> None:
        """End the child, whatever it is at."""
        if self._child is not None:
            self._child.kill()
            # Closing what the child's end has left unread or unwritten is no matter of its own.
            with contextlib.suppress(OSError):
                self._child.communicate()
            self._child = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = subprocess.Popen(
                [sys.executable, "-m", "rnnedge_export.convert_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        return self._child


def _lines(child: subprocess.Popen[bytes], jobs: str, deadline: float) -> Iterator[str]:
    """What the child says about the jobs, line by line, until it ends."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # it ended in the meantime, and its output will say so
        child.stdin.write(f"{jobs}\n".encode())
        child.stdin.flush()
    unread = b""
    while True:
        ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - monotonic()))
        if not ready:
            raise TimeoutError
        read = os.read(child.stdout.fileno(), 65536)
        if not read:
            return
        *whole, unread = (unread + read).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)
