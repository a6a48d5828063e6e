"""`rnnedge deploy`, run as a user runs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

from machine import Machine


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def deploy(*words: object, netns: str | None = None) -> tuple[int, dict[str, Any], str]:
    """`rnnedge deploy WORDS --json`: exit code, the answer or {}, stderr."""
    before = ["ip", "netns", "exec", netns] if netns else []
    done = subprocess.run(
        [*before, sys.executable, "-m", "rnnedge", "deploy", *map(str, words), "--json"],
        capture_output=True, text=True, timeout=600, env={**os.environ, "COLUMNS": "200"}, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


def deploy_to(
    machine: Machine, *words: object, user: str = "pi", port: int = 0
) -> tuple[int, dict[str, Any]]:
    """To one device: exit code and its report."""
    to = f"{user}@{machine.address}:{port or machine.port}"
    code, answer, err = deploy(*words, "--to", to, "--ssh-config", machine.folder / "ssh_config")
    assert answer, err
    return code, answer["hosts"][0]
