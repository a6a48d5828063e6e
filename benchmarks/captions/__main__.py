"""``python -m benchmarks.captions``: a caption run's encoder and decoder beside the peers."""

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

PEERS = ("onnx", "onnxruntime")


@click.command(epilog="Example: python -m benchmarks.captions runs/demo-captions --json captions.json")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--rounds",
    default=MIN_ROUNDS,
    show_default=True,
    type=click.IntRange(MIN_ROUNDS),
    help="Turns of each candidate.",
)
@click.option(
    "--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures to this file."
)
def main(folder: Path, rounds: int, path: Path | None) -> None:
    """Time `encode` (an image) and `decode` (a word) of RUN, the folder of a trained and quantised captioner.

    One thread, random pictures and the states that the model reaches on them, the same weights in all candidates, and
    all of a half in turns in one process. Each is first held to the float model: float32 to 1/1000 of the largest
    value, int8 to a correlation of 0.95 in every output. "median" and "p95" are of repeated calls, "in turn" of a
    candidate's first call after all the others; "files" are those of both halves together.
    """
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(f"not installed: {', '.join(missing)}; pip install 'rnnedge[bench]'")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.captions.run import run

    try:
        result = run(folder, rounds)
    except InputError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    click.echo(result.table())
    if path:
        with atomic_path(path) as temporary:
            document = {"rounds": rounds, "run": str(folder), **result.to_dict()}
            temporary.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
