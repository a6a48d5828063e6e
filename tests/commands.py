"""The two commands, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys

from click.testing import CliRunner

from rnnedge.cli import main

ENV = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}


def rnnedge(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rnnedge", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENV, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def rnnedge_here(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has loaded what takes seconds to load."""
    words = list(map(str, arguments))
    done = CliRunner().invoke(main, words)
    assert not check or done.exit_code == 0, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def run_device(
    *arguments: object, python: str = sys.executable, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "rnnedge_device", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENV, **env}, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
