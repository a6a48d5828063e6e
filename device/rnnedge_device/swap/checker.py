"""Bundles tried in another process, so that one that crashes or hangs the runtime is an error and nothing more."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from rnnedge_device.closing import Closing
from rnnedge_device.errors import BundleError, SignatureError
from rnnedge_device.signature import PublicKey

_START_S = 60.0  # for the process to load the runtime, on a slow machine
_MARGIN_S = 5.0  # after a trial's own limit


@dataclass(frozen=True)
class Check:
    """A trial that was passed.

    Args:
        sha256: of the file that was tried.
        selftest: as `self_test` returns it.
        latency_us: `{"median", "p95", "best", "calls"}`, the interpreter's, measured in the trial.
    """

    sha256: str
    selftest: dict[str, Any]
    latency_us: dict[str, Any]


class Checker(Closing):
    """A process that tries bundles. It starts with the first, serves one at a time, and is started anew if it dies.

    Args:
        limit_s: for one bundle.

    Example:
        with Checker() as checker:
            print(checker.check("actions.rnnedge").latency_us)
    """

    def __init__(self, limit_s: float = 60.0) -> None:
        self.limit_s = limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def check(
        self,
        path: str | os.PathLike[str],
        *,
        key: PublicKey | None = None,
        form: str | None = None,
        threads: int = 1,
        task: str = "",
    ) -> Check:
        """Read, self-test and time a bundle over there.

        Args:
            as `try_bundle`.

        Raises:
            BundleError: whatever is wrong with it; it crashed the runtime; or it took longer than `limit_s`.
        """
        shown = os.fspath(path)
        request = {
            "path": os.path.abspath(shown),
            "key": key.raw.hex() if key else None,
            "form": form,
            "threads": threads,
            "task": task,
            "limit_s": self.limit_s,
        }
        with self._lock:
            # Once more where the process itself has died, such as for want of memory: that says nothing of the bundle.
            answer = self._ask(request) or self._ask(request)
        if answer is None:
            raise BundleError(f"bundle {shown!r}: could not be tried: the checking process died twice")
        if "signal" in answer:
            if answer["signal"] == signal.SIGALRM:
                raise BundleError(f"bundle {shown!r}: its trial took longer than {self.limit_s:g} s")
            name = signal.Signals(answer["signal"]).name
            raise BundleError(f"bundle {shown!r}: it crashes the runtime ({name})")
        if "error" in answer:
            kind = SignatureError if answer.get("kind") == "signature" else BundleError
            raise kind(answer["error"])
        return Check(answer["sha256"], answer["selftest"], answer["latency_us"])

    def close(self) -> None:
        """End the process. Harmless when called again."""
        with self._lock:
            self._end()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the process died over it."""
        try:
            process = self._started()
            assert process.stdin is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            return self._line(process, self.limit_s + _MARGIN_S)
        except TimeoutError as problem:
            self._end()
            raise BundleError(f"bundle {request['path']!r}: could not be tried: {problem}") from None
        except (OSError, EOFError):
            self._end()
            return None

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        # One thread of each library: a process that forks must have no others.
        alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rnnedge_device.swap.checker_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the runner
            env={**os.environ, **alone},
        )
        self._line(self._process, _START_S)
        return self._process

    def _line(self, process: "subprocess.Popen[bytes]", limit_s: float) -> dict[str, Any]:
        assert process.stdout is not None
        end, handle = time.monotonic() + limit_s, process.stdout.fileno()
        while b"\n" not in self._rest:
            left = end - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                raise TimeoutError(f"no answer in {limit_s:g} s")
            data = os.read(handle, 65536)
            if not data:
                raise EOFError
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the trial that may be under way
        process.wait()
