"""Commands of the web app's folder, as `make` runs them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

WEB = Path(__file__).parents[2] / "device" / "web"


def run(*command: object, timeout: float = 1200, **env: object) -> str:
    """What a command printed. It fails with that."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=WEB,
        env={**os.environ, **{name: str(value) for name, value in env.items()}},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout
