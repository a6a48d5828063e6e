"""The two commands, run as a user runs them."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from rnnedge.cli import main
from rnnedge_device.cli import main as run_main

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


def run_device_here(*arguments: object) -> str:
    """The same command in this process; what it says on stdout."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        run_main([str(argument) for argument in arguments])
    assert not ended.value.code
    said.seek(0)
    return said.read()


def run_device(
    *arguments: object, python: str = sys.executable, check: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "rnnedge_device", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENV, **env}, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
