"""The checking process: `python -m rnnedge_device.swap.checker_child`, a request a line in, an answer a line out.

It loads the runtime once and forks for every bundle, so that a trial begins in milliseconds and what one bundle did to
its process, a crash or worse, is gone with that process.
"""

import contextlib
import json
import os
import resource
import signal
import sys
from typing import Any

_MIB = 2**20
_MAX_DATA = 4096 * _MIB
_NICE = 5  # the live stream comes first


def main() -> None:
    """Serve requests until stdin ends.

    A request: `{"path", "key" (hexadecimal or null), "form", "threads", "task", "limit_s"}`. An answer: what
    `try_bundle` returns, or `{"error"}`, or `{"signal"}` where the trial's process died, of SIGALRM when the time
    was over.
    """
    # The runtime's C++ code may write to stdout; the answers have a channel of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _settle()
    import rnnedge_device.swap.trial  # noqa: F401  # before the fork, once for all trials
    from rnnedge_device.interpreter import runtime_version

    runtime_version()

    print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), file=answers, flush=True)


def _settle() -> None:
    """What a bundle could do to the machine ends here: no core files, bounded memory, first to go if it is short."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_DATA: min(_MAX_DATA, memory * 3 // 4)}
    # A hardened service may forbid either; the trial is then as safe as the service.
    for which, limit in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (limit, limit))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    with contextlib.suppress(OSError):
        os.nice(_NICE)


def _forked(request: dict[str, Any]) -> dict[str, Any]:
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        try:
            # The default action: the kernel ends the process, whatever C++ code is busy with.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, request["limit_s"])
            answer = json.dumps(_answer(request)).encode()
            with os.fdopen(there, "wb") as stream:
                stream.write(answer)
        finally:
            os._exit(0)  # nothing of the parent's is to be closed or flushed twice
    os.close(there)
    with os.fdopen(here, "rb") as stream:
        data = stream.read()
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    try:
        answer_found: dict[str, Any] = json.loads(data)
    except ValueError:
        return {"error": "its trial ended without an answer"}
    return answer_found


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from rnnedge_device.errors import InputError, SignatureError
    from rnnedge_device.fields import one_line
    from rnnedge_device.signature import PublicKey
    from rnnedge_device.swap.trial import try_bundle

    path, kind = request["path"], "bundle"
    key = PublicKey(bytes.fromhex(request["key"])) if request["key"] else None
    try:
        return try_bundle(path, key, request["form"], request["threads"], request["task"])
    except InputError as problem:
        text = str(problem)
        kind = "signature" if isinstance(problem, SignatureError) else kind
    except MemoryError:
        text = "needs more memory than this machine has to give"
    except Exception as problem:  # the runtime's own errors, of any kind
        text = f"cannot be used: {type(problem).__name__}: {problem}"
    text = text if text.startswith("bundle ") else f"bundle {path!r}: {one_line(text)}"
    return {"error": text, "kind": kind}


if __name__ == "__main__":
    main()
