"""``rnnedge evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnedge.commands import options
from rnnedge.evaluate import Evaluation

if TYPE_CHECKING:
    from rnnedge.captions.evaluate import CaptionEvaluation
    from rnnedge.clips.evaluate import ClipEvaluation
    from rnnedge.data.clips import ClipSet
    from rnnedge.recipes import Recipe
    from rnnedge_device.bundle import Bundle


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@options.data
@options.split
@options.group
@click.option("--form", help="For a bundle: the form that computes.  [default: the bundle's first]")
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help="For a .keras file: its recipe.  [default: beside it]  For a clip bundle: whose data to score it on.",
)
@options.beam
@options.strict
@options.as_json
def command(
    model: Path,
    data: str | None,
    split: str,
    group: str | None,
    form: str | None,
    recipe: Path | None,
    beam: int | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Score MODEL, a bundle or a model.keras, on labelled images, clips or captioned images.

    A bundle is scored image by image, or frame by frame, through the device's own code; a Keras model with the
    preprocessing of its recipe.

    \b
    Example:
      rnnedge evaluate runs/digits/model.keras --data digits --split test
      rnnedge evaluate digits.rnnedge --data folder:/data/scans --split all --json
      rnnedge evaluate runs/actions/actions.rnnedge --recipe runs/actions/recipe.toml
      rnnedge evaluate flickr8k.rnnedge --data flickr8k:/data/flickr8k --split test --beam 3
    """
    from rnnedge_device.errors import InputError

    result: Evaluation | ClipEvaluation | CaptionEvaluation

    if not model.is_file():
        raise InputError(
            f"MODEL={str(model)!r}: is not a file; give a bundle (.rnnedge) or a Keras model (.keras)"
        )
    if model.suffix == ".keras":
        if form:
            raise InputError(f"--form {form}: is for bundles, not for {model.name}")
        if beam:
            raise InputError(f"--beam {beam}: is for caption bundles, not for {model.name}")
        result = _keras(model, recipe, data, split, group, strict)
    else:
        result = _bundle(model, recipe, data, split, group, strict, form, beam)
    if as_json:
        options.print_json(result.to_dict())
    elif isinstance(result, Evaluation):
        _table(result)
    else:
        from rnnedge.captions.evaluate import CaptionEvaluation
        from rnnedge.commands.tables import print_scores

        if isinstance(result, CaptionEvaluation):
            print_scores(result.to_dict())
        else:
            _clip_tables(result)


def _keras(
    model: Path, recipe_path: Path | None, data: str | None, split: str, group: str | None, strict: bool
) -> Evaluation | ClipEvaluation:
    from rnnedge.data import load_data
    from rnnedge.evaluate import evaluate_model
    from rnnedge.models.files import load_model
    from rnnedge.recipes import load_recipe
    from rnnedge_device.errors import InputError

    path = recipe_path or model.parent / "recipe.toml"
    if not recipe_path and not path.is_file():
        raise InputError(f"{model}: there is no recipe.toml beside it; name its recipe with --recipe")
    recipe = load_recipe(path)
    if recipe.task == "captions":
        raise InputError(
            f"MODEL={str(model)!r}: is a captioner; `rnnedge quantize` scores it, float and int8"
        )
    if recipe.task == "clips":
        from rnnedge.clips.evaluate import evaluate_keras_clips

        clips = _recipe_clips(recipe, data, split, group, strict)
        return evaluate_keras_clips(load_model(model), clips, recipe)
    dataset = load_data(
        data or recipe.data.name, split, group=_group(group, recipe.data.group, data), strict=strict
    )
    return evaluate_model(load_model(model), dataset, recipe.preprocess())


def _bundle(
    model: Path,
    recipe_path: Path | None,
    data: str | None,
    split: str,
    group: str | None,
    strict: bool,
    form: str | None,
    beam: int | None,
) -> Evaluation | ClipEvaluation | CaptionEvaluation:
    from rnnedge.data import load_data
    from rnnedge.evaluate import evaluate_bundle
    from rnnedge.recipes import load_recipe
    from rnnedge_device.bundle import read_bundle
    from rnnedge_device.errors import InputError

    bundle = read_bundle(model)
    if bundle.manifest.task == "captions":
        from rnnedge.data.captions import NAMES

        for option, value in (("--form", form), ("--recipe", recipe_path), ("--group", group)):
            if value:
                raise InputError(f"{option} {value}: is not for caption bundles such as {model.name}")
        if not data:
            raise InputError(f"--data: a bundle does not name its data; allowed: {', '.join(NAMES)}")
        return _captions(bundle, data, split, beam, strict)
    if beam:
        raise InputError(
            f"--beam {beam}: is for caption bundles; {model.name} is of task {bundle.manifest.task}"
        )
    if bundle.manifest.task == "clips":
        from rnnedge.clips.evaluate import bundle_recipe, evaluate_clips, matched
        from rnnedge_device.clips import ClipModel

        if not data and not recipe_path:
            raise InputError(
                "--data: a bundle does not name its data; allowed: motion, videos:PATH, events:PATH"
            )
        clip_model = ClipModel(bundle, form or "step")
        recipe = bundle_recipe(bundle.manifest, load_recipe(recipe_path) if recipe_path else None)
        clips = _recipe_clips(recipe, data, split, group, strict)
        return evaluate_clips(clip_model, matched(clips, bundle.manifest.labels))
    if recipe_path:
        raise InputError(
            f"--recipe {recipe_path}: is for .keras files and clip bundles, not for {model.name}"
        )
    if not data:
        raise InputError(f"--data: a bundle does not name its data; allowed: {options.DATA_HELP}")
    return evaluate_bundle(bundle, load_data(data, split, group=group, strict=strict), form=form)


def _captions(bundle: Bundle, data: str, split: str, beam: int | None, strict: bool) -> CaptionEvaluation:
    from rnnedge.captions.evaluate import evaluate_captions
    from rnnedge.data.captions import load_captions
    from rnnedge_device.captioner import Captioner
    from rnnedge_device.search import SearchOptions

    captioner = Captioner(bundle)
    options = SearchOptions.of(captioner.spec, beam=beam or captioner.spec.beam)
    return evaluate_captions(captioner, load_captions(data, split, strict=strict), options)


def _recipe_clips(recipe: Recipe, data: str | None, split: str, group: str | None, strict: bool) -> ClipSet:
    from rnnedge.training.clip_problem import recipe_clips

    update = {"name": data or recipe.data.name, "group": _group(group, recipe.data.group, data) or ""}
    return recipe_clips(
        recipe.model_copy(update={"data": recipe.data.model_copy(update=update)}), split, strict=strict
    )


def _group(given: str | None, recipe: str, data: str | None) -> str | None:
    """The recipe's groups hold for the recipe's own data; other data name their own."""
    return given or (recipe if not data else None) or None


def _table(result: Evaluation, unit: str = "images") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("class", unit, "precision", "recall", "f1", title=f"{result.data}, split {result.split}")
    for name, row in result.classes.items():
        table.add_row(name, str(row["images"]), *(f"{row[key]:.4f}" for key in ("precision", "recall", "f1")))
    Console().print(table)
    skipped = f", {result.skipped} damaged {unit} skipped" if result.skipped else ""
    each = "an image" if unit == "images" else "a frame"
    timed = f", {result.latency_us:.0f} us {each}" if result.latency_us is not None else ""
    click.echo(f"accuracy {result.accuracy:.4f} on {result.images} {unit} ({result.form}{timed}{skipped})")


def _clip_tables(result: ClipEvaluation) -> None:
    if result.clips:
        _table(result.clips, "clips")
        click.echo(f"balanced {result.balanced:.4f}")
    if result.frames:
        click.echo(
            f"frames: accuracy {result.frames['accuracy']:.4f}, balanced {result.frames['balanced']:.4f} "
            f"on {result.frames['frames']:,}"
        )
    if result.events:
        from rnnedge.commands.tables import print_events

        print_events("events", {"model": result.events})
