"""The two commands, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys

ENV = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def rnnedge(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rnnedge", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def run_device(
    *arguments: object, python: str = sys.executable, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "rnnedge_device", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENV, **env}, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
