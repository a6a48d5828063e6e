"""`python -m rnnedge_device.precompile`: keep the bytecode of what a runner loads, for whoever installs it.

Python writes bytecode by itself, but where the disk is full it may keep half a file, and the next start fails over it:
a device's launchers therefore forbid it, and this writes files that are whole or not there. Without them a runner
starts too, later.
"""

import importlib
import os
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from rnnedge_device.files import atomic_path

_MODULES = (
    *(
        "rnnedge_device.cli",
        "rnnedge_device.session",
        "rnnedge_device.device_report",
        "rnnedge_device.install.__main__",
    ),
    *("rnnedge_device.runner.command", "rnnedge_device.swap.checker_child", "rnnedge_device.swap.trial"),
    *("rnnedge_device.sources.capture_child", "rnnedge_device.sinks.rotating", "rnnedge_device.sinks.mqtt"),
    *("rnnedge_device.sinks.webhook", "rnnedge_device.sinks.event_clips", "rnnedge_device.web.server"),
)


def main() -> None:
    """Load what a runner loads. What cannot be loaded or written is left out."""
    written = 0

    def keep(loader: SourceFileLoader, path: str, data: bytes, **_: Any) -> None:
        nonlocal written
        try:
            Path(path).parent.mkdir(exist_ok=True)
            with atomic_path(path) as temporary:
                temporary.write_bytes(data)
                temporary.chmod(0o644)
            written += 1
        except OSError:
            pass  # a full disk, or one that is read only

    os.umask(0o022)  # the service is another user
    SourceFileLoader.set_data = keep  # type: ignore[assignment,method-assign]
    sys.dont_write_bytecode = False
    for module in _MODULES:
        try:
            importlib.import_module(module)
        except Exception as problem:  # an optional package that this machine lacks
            print(f"{module}: {problem}", file=sys.stderr)
    print(f"kept the bytecode of {written} modules")


if __name__ == "__main__":
    main()
