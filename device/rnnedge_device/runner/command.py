"""`rnnedge-run --config FILE`: a runner with the signals of a service."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rnnedge_device.logs import log_to
from rnnedge_device.runner.config import load_config
from rnnedge_device.runner.runner import Runner
from rnnedge_device.service import Notifier, Watchdog

_INTERRUPTED = 130


def run_config(path: str) -> int:
    """Run a config until its cameras end or a signal comes: TERM and Ctrl-C drain and end, HUP reads the config again,
    USR1 lets every camera begin anew.

    Returns:
        The exit code: 0; 3 when a camera gave up and none is left; 130 after Ctrl-C.

    Raises:
        InputError: whatever is wrong with the config or what it names; nothing was started.
    """
    with log_to(sys.stderr), Notifier() as notifier:
        runner = Runner(Path(path), notifier)
        with Watchdog(runner.status, notifier):
            return _run(runner)


def _run(runner: Runner) -> int:
    interrupted: list[int] = []

    def interrupt() -> None:
        interrupted.append(signal.SIGINT)
        runner.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second one kills

    handlers = {
        "SIGTERM": runner.stop,
        "SIGINT": interrupt,
        "SIGHUP": runner.reload,
        "SIGUSR1": runner.reset_all,
    }
    with _signals(handlers):
        code = runner.run()
    return _INTERRUPTED if interrupted else code


def check_config(path: str) -> str:
    """Open everything a config names, without a frame, and close it again; what to say when all is well.

    Raises:
        InputError: as `run_config`.
    """
    runner = Runner(Path(path))
    runner.close()
    names = ", ".join(camera.name for camera in runner.config.camera)
    return f"config {path}: in order; cameras: {names}"


def named_in(path: str) -> tuple[list[str], list[str]]:
    """The sources that a config names, and the files that it reads: bundles, and the key of their signatures.

    Raises:
        InputError: as `load_config`.
    """
    config = load_config(path)
    files = [camera.bundle for camera in config.camera]
    if config.runner.require_signature:
        files.append(config.runner.require_signature)
    return [camera.source for camera in config.camera], files


@contextlib.contextmanager
def _signals(handlers: dict[str, Callable[[], None]]) -> Iterator[None]:
    before: dict[int, Any] = {}
    for name, handler in handlers.items():
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, lambda *_, do=handler: do())
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
