"""A training that takes seconds: small scans, a small cell, everything that makes an exact resume hard."""

import csv
import os
import subprocess
import sys
import textwrap

from rnnedge.recipes import load_recipe

# Dropout (a random state in the model), augmentation, an optimiser with moments, a schedule with a warm-up,
# clipping, and a checkpoint every seven of an epoch's nineteen steps.
TINY = [
    "data.size=[8, 8]",
    "model.units=12",
    "model.dropout=0.2",
    "train.epochs=3",
    "train.batch_size=64",
    "train.learning_rate=0.01",
    "train.warmup_epochs=1.0",
    "train.checkpoint_steps=7",
]
STEPS = 19


def tiny(*overrides):
    return load_recipe("digits-lstm", [*TINY, *overrides])


def history(folder):
    """The rows of history.csv without the seconds."""
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def python(code, *arguments, **env):
    """Run code in a process of its own; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.path.dirname(__file__)} | env,
        capture_output=True,
        text=True,
        timeout=240,
    )
