"""``rnnedge train``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rnnedge.commands import options


@click.command()
@click.argument("recipe")
@options.data
@options.group
@options.overrides
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder.  [default: runs/RECIPE]")
@click.option("--resume", is_flag=True, help="Go on from the folder's checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace a training that lies in the folder.")
@options.strict
@options.as_json
def command(
    recipe: str,
    data: str | None,
    group: str | None,
    overrides: tuple[str, ...],
    out: Path | None,
    resume: bool,
    overwrite: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Train a recipe's model. RECIPE is a name from `rnnedge recipes` or a TOML file.

    \b
    Example:
      rnnedge train row-lstm --data mnist --set train.epochs=5 --out runs/mnist
      rnnedge train row-lstm --data mnist --set train.epochs=5 --out runs/mnist --resume
      rnnedge train videos --data videos:clips --out runs/clips
    """
    from rnnedge.recipes import load_recipe

    changes = list(overrides)
    # As TOML strings, so that a path is never read as another value.
    for key, text in (("data.name", data), ("data.group", group)):
        changes += [f"{key}={json.dumps(text, ensure_ascii=False)}"] if text else []
    chosen = load_recipe(recipe, changes)

    from rnnedge.training import train
    from rnnedge.training.progress import ProgressBar

    folder = out or Path("runs") / chosen.name
    result = train(
        chosen, folder, resume=resume, overwrite=overwrite, strict=strict, bar=ProgressBar(quiet=as_json)
    )
    if as_json:
        options.print_json(result.to_dict() | {"out": str(folder)})
        return
    what = "clips" if chosen.task == "clips" else "images"
    click.echo(
        f"{result.recipe} on {result.data}: val accuracy {result.val_accuracy:.4f} "
        f"({result.images['val']} {what}, epoch {result.best_epoch} of {result.epochs}), "
        f"{result.parameters:,} weights, {result.seconds:.0f} s on {result.backend}\n{folder / 'model.keras'}"
    )
