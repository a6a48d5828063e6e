"""``Record``: a finished run's folder, read."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError

from rnnedge.recipes import Recipe, load_recipe
from rnnedge.report.caption_facts import CaptionEvaluations, CaptionQuantization
from rnnedge.report.clip_facts import ClipEvaluations
from rnnedge.report.facts import Evaluations, Facts, Quantization, Summary, Training
from rnnedge_device.bundle import read_bundle
from rnnedge_device.errors import InputError
from rnnedge_device.manifest import Manifest

# The command that writes each input, for the error that misses it.
WRITTEN_BY = {
    "recipe.toml": "rnnedge train",
    "train.json": "rnnedge train",
    "history.csv": "rnnedge train",
    "quantize.json": "rnnedge quantize",
    "evaluation.json": "rnnedge quantize",
    "summary.json": "rnnedge demo",
}
VIDEO = "stream.mp4"


F = TypeVar("F", bound=Facts)
E = TypeVar("E", Evaluations, ClipEvaluations, CaptionEvaluations)

# What evaluation.json and quantize.json hold, by the recipe's task.
FACTS: dict[str, tuple[type[Facts], type[Quantization]]] = {
    "classify": (Evaluations, Quantization),
    "clips": (ClipEvaluations, Quantization),
    "captions": (CaptionEvaluations, CaptionQuantization),
}


@dataclass(frozen=True)
class Record(Generic[E]):
    """A finished run, of images, of clips or of captions.

    Attributes:
        folder: where it lies.
        epochs: the rows of ``history.csv``.
        recipe_text: ``recipe.toml`` as it stands.
        bundle, bundle_name: the manifest and file name of the folder's bundle, if there is one.
        video: the annotated video's file name, if there is one.
    """

    folder: Path
    recipe: Recipe
    recipe_text: str
    training: Training
    epochs: list[dict[str, float]]
    quantization: Quantization
    evaluations: E
    summary: Summary | None
    bundle: Manifest | None
    bundle_name: str | None
    video: str | None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name


def read_record(folder: Path) -> Record[Any]:
    """Read a finished run's folder; the recipe's task decides what was evaluated.

    Raises:
        InputError: a file is missing or damaged; the message names it and the command that writes it.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: is not a folder; expected a finished run's, as `rnnedge train --out` makes it"
        )
    text = _text(folder / "recipe.toml")
    try:
        recipe = load_recipe(folder / "recipe.toml")
    except InputError as error:
        raise damaged(folder / "recipe.toml", str(error)) from None
    # The run's own bundle carries the recipe's name; what post-training conversion left beside it is not meant.
    bundles = sorted(path for path in folder.glob("*.rnnedge") if ".ptq-" not in path.name)
    bundle = next((path for path in bundles if path.stem == recipe.name), bundles[0] if bundles else None)
    evaluations, quantization = FACTS[recipe.task]
    return Record(
        folder,
        recipe,
        text,
        _json(folder / "train.json", Training),
        _history(folder / "history.csv"),
        _json(folder / "quantize.json", quantization),
        cast(Any, _json(folder / "evaluation.json", evaluations)),
        _json(folder / "summary.json", Summary) if (folder / "summary.json").exists() else None,
        read_bundle(bundle).manifest if bundle else None,
        bundle.name if bundle else None,
        VIDEO if (folder / VIDEO).is_file() else None,
    )


def _json(path: Path, facts: type[F]) -> F:
    try:
        return facts.model_validate_json(_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        shown = repr(first["input"]) if isinstance(first["input"], str | int | float | bool | None) else ""
        problem = first["msg"].removeprefix("Value error, ") + (
            f", not {shown[:60]}" if where and shown else ""
        )
        raise damaged(path, f"{where}: {problem}" if where else problem) from None


def _history(path: Path) -> list[dict[str, float]]:
    """Rows of numbers; a diverged training's NaN is a number, too."""
    wanted = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
    rows = []
    for line, row in enumerate(csv.DictReader(io.StringIO(_text(path))), start=2):
        try:
            rows.append({key: float(row[key]) for key in wanted})
        except (KeyError, ValueError, TypeError):
            raise damaged(path, f"line {line}: needs a number in each of {', '.join(wanted)}") from None
    if not rows:
        raise damaged(path, "it holds no epoch")
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: is missing; `{WRITTEN_BY[path.name]}` writes it") from None
    except UnicodeDecodeError:
        raise damaged(path, "it is not UTF-8 text") from None


def damaged(path: Path, problem: str) -> InputError:
    """The error for an input that cannot be what its command wrote."""
    return InputError(f"{path}: is damaged: {problem}; `{WRITTEN_BY[path.name]}` writes it anew")
