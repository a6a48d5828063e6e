"""``rnnedge evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options
from rnnedge.evaluate import Evaluation


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@options.data
@options.split
@options.group
@click.option("--form", help="For a bundle: the form that computes.  [default: the bundle's first]")
@click.option(
    "--recipe", type=click.Path(path_type=Path), help="For a .keras file: its recipe.  [default: beside it]"
)
@options.strict
@options.as_json
def command(
    model: Path,
    data: str | None,
    split: str,
    group: str | None,
    form: str | None,
    recipe: Path | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Score MODEL, a bundle or a model.keras, on labelled images.

    A bundle is scored image by image through the device's own code; a Keras model with the preprocessing of
    its recipe.

    \b
    Example:
      rnnedge evaluate runs/digits/model.keras --data digits --split test
      rnnedge evaluate digits.rnnedge --data folder:/data/scans --split all --json
    """
    from rnnedge_device.errors import InputError

    if not model.is_file():
        raise InputError(
            f"MODEL={str(model)!r}: is not a file; give a bundle (.rnnedge) or a Keras model (.keras)"
        )
    if model.suffix == ".keras":
        if form:
            raise InputError(f"--form {form}: is for bundles, not for {model.name}")
        result = _keras(model, recipe, data, split, group, strict)
    else:
        if recipe:
            raise InputError(f"--recipe {recipe}: is for .keras files; a bundle holds its own preprocessing")
        result = _bundle(model, data, split, group, strict, form)
    if as_json:
        options.print_json(result.to_dict())
    else:
        _table(result)


def _keras(
    model: Path, recipe_path: Path | None, data: str | None, split: str, group: str | None, strict: bool
) -> Evaluation:
    from rnnedge.data import load_data
    from rnnedge.evaluate import evaluate_model
    from rnnedge.models.files import load_model
    from rnnedge.recipes import load_recipe
    from rnnedge_device.errors import InputError

    path = recipe_path or model.parent / "recipe.toml"
    if not recipe_path and not path.is_file():
        raise InputError(f"{model}: there is no recipe.toml beside it; name its recipe with --recipe")
    recipe = load_recipe(path)
    dataset = load_data(
        data or recipe.data.name, split, group=_group(group, recipe.data.group, data), strict=strict
    )
    return evaluate_model(load_model(model), dataset, recipe.preprocess())


def _bundle(
    model: Path, data: str | None, split: str, group: str | None, strict: bool, form: str | None
) -> Evaluation:
    from rnnedge.data import load_data
    from rnnedge.evaluate import evaluate_bundle
    from rnnedge_device.bundle import read_bundle
    from rnnedge_device.errors import InputError

    bundle = read_bundle(model)
    if not data:
        raise InputError(f"--data: a bundle does not name its data; allowed: {options.DATA_HELP}")
    return evaluate_bundle(bundle, load_data(data, split, group=group, strict=strict), form=form)


def _group(given: str | None, recipe: str, data: str | None) -> str | None:
    """The recipe's groups hold for the recipe's own data; other data name their own."""
    return given or (recipe if not data else None) or None


def _table(result: Evaluation) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "class", "images", "precision", "recall", "f1", title=f"{result.data}, split {result.split}"
    )
    for name, row in result.classes.items():
        table.add_row(name, str(row["images"]), *(f"{row[key]:.4f}" for key in ("precision", "recall", "f1")))
    Console().print(table)
    skipped = f", {result.skipped} damaged images skipped" if result.skipped else ""
    timed = f", {result.latency_us:.0f} us an image" if result.latency_us is not None else ""
    click.echo(f"accuracy {result.accuracy:.4f} on {result.images} images ({result.form}{timed}{skipped})")
