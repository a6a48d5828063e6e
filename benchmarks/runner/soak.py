"""``python -m benchmarks.runner.soak``: two cameras for 200,000 frames; memory, threads and descriptors stay as they
are."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import click

from rnnedge_device.runner.runner import Runner
from rnnedge_device.sinks import CallSink, Message

MOST_BYTES = 5 * 2**20  # drift
_SETTLED = 0.1  # of the frames, before which pools and caches still fill


def resident() -> int:
    """Bytes of memory that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held() -> dict[str, int]:
    """What may leak."""
    gc.collect()
    return {
        "bytes": resident(),
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


def soak(bundle: Path, frames: int) -> dict[str, Any]:
    """Two cameras that share a bundle, half of the frames each, with a log that rotates.

    Returns:
        `{"frames", "seconds", "early", "late", "after"}`: what was held when a tenth was over, at the end, and when
        all was closed.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "soak.toml"
        text = "".join(
            f'[[camera]]\nname = "{name}"\nsource = "synthetic:64x48@30x{frames // 2}"\nbundle = "{bundle}"\n\n'
            for name in ("door", "hall")
        )
        path.write_text(f'{text}[jsonl]\npath = "{folder}/lines.jsonl"\nmax_bytes = 1000000\nkeep = 2\n')
        seen: dict[str, dict[str, int]] = {}
        count = [0]

        def look(message: Message) -> None:
            if not message.line or "event" not in message.line:
                count[0] += 1
                if count[0] in (round(_SETTLED * frames), frames - 10):
                    seen["early" if "early" not in seen else "late"] = held()

        begin = time.monotonic()
        runner = Runner(path, extra={"look": CallSink(look)})
        code = runner.run()
        answered, seconds = runner.status.progress, time.monotonic() - begin
        del runner
    return {"code": code, "frames": answered, "seconds": round(seconds, 1), **seen, "after": held()}


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--frames", default=200_000, show_default=True, help="Of both cameras.")
def main(bundle: Path, frames: int) -> None:
    """Run BUNDLE for long and say what was held; exit code 1 if it grew."""
    found = soak(bundle, frames)
    drift = found["late"]["bytes"] - found["early"]["bytes"]
    found["drift_bytes"] = drift
    same = all(found["late"][what] <= found["early"][what] for what in ("threads", "descriptors"))
    found["ok"] = found["code"] == 0 and found["frames"] == frames and drift <= MOST_BYTES and same
    click.echo(json.dumps(found, indent=1))
    if not found["ok"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
