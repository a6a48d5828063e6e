"""``python -m benchmarks.forms``: the table of forms, peers and the limit."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import click

from benchmarks.forms.timing import MIN_ROUNDS
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

PEERS = ("onnx", "onnxruntime", "torch")
CELLS = ("lstm", "gru", "simple_rnn")


@click.command(epilog="Example: python -m benchmarks.forms --units 64 --units 128 --json forms.json")
@click.argument("more_units", nargs=-1, type=click.IntRange(8, 1024), metavar="[UNITS]...")
@click.option(
    "--units", multiple=True, type=click.IntRange(8, 1024), help="Sizes: --units 64 128 256, the default."
)
@click.option("--cell", default="lstm", show_default=True, type=click.Choice(CELLS))
@click.option(
    "--rounds",
    default=300,
    show_default=True,
    type=click.IntRange(MIN_ROUNDS),
    help="Turns of each candidate.",
)
@click.option("--core", type=click.IntRange(0), help="Run on this processor core only.")
@click.option(
    "--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to this file."
)
def main(
    more_units: tuple[int, ...],
    units: tuple[int, ...],
    cell: str,
    rounds: int,
    core: int | None,
    path: Path | None,
) -> None:
    """Time one recurrent layer over 28 rows of 28 and a Dense(10): our forms, the peers, the limit.

    Batch 1, one thread, random float32 frames in and float32 logits out for every candidate, the same weights in all,
    and all of them in turns in one process. "median" and "p95" are of repeated calls, "in turn" of a candidate's first
    call after all the others.
    """
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(f"not installed: {', '.join(missing)}; pip install 'rnnedge[bench]'")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if core is not None:
        if core not in os.sched_getaffinity(0):
            raise click.BadParameter(
                f"{core}: not one of {sorted(os.sched_getaffinity(0))}", param_hint="--core"
            )
        os.sched_setaffinity(0, {core})
    from benchmarks.forms.run import run

    results = []
    try:
        for size in (*units, *more_units) or (64, 128, 256):
            results.append(run(cell, size, rounds))
            click.echo(results[-1].table() + "\n")
    except InputError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    if path:
        document = {"rounds": rounds, "results": [result.to_dict() for result in results]}
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
