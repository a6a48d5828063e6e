"""``Run``: what a finished run's folder says, read once and checked, so that nothing else has to doubt it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rnnedge.evaluate import Evaluation
from rnnedge.recipes import Recipe, load_recipe
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

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class Facts(BaseModel):
    """The rules of every file: types as written, no NaN; keys that the report does not show are left alone."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)


class Training(Facts):
    """``train.json``; see ``rnnedge.training.result``, which this does not import: it would load Keras."""

    recipe: str
    data: str
    val_accuracy: Share
    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    images: dict[str, int]
    skipped: int
    parameters: int
    backend: str
    stopped: bool


class Parity(Facts):
    """How a form compares with the model it stands for."""

    top1: Share
    max_lsb: int
    equal: Share
    repeatable: bool
    samples: int


class Audit(Facts):
    """What a ``.tflite`` file holds; see ``rnnedge_export.auditing``."""

    ops: dict[str, int]
    versions: dict[str, int]
    dtypes: dict[str, int]
    float_ops: dict[str, str]
    ties: list[str]
    macs: int
    runtimes: dict[str, list[str]]
    failures: list[str]
    passed: bool


class FormFacts(Facts):
    """One form of the model."""

    size_bytes: Count
    latency_us: Positive | None = None
    parity: Parity | None = None
    audit: Audit


class LayerName(Facts):
    """A layer of the float model."""

    name: str
    type: str


class Quantization(Facts):
    """``quantize.json``: the report of ``rnnedge_export.quantize``."""

    form: str
    io: str
    forms: dict[str, FormFacts]
    refused: dict[str, str] = {}
    parity: dict[str, Any] = {}
    history: list[dict[str, float]] = []
    layers: list[LayerName] = []
    ranges: dict[str, dict[str, tuple[float, float]]] = {}

    @model_validator(mode="after")
    def _has_its_form(self) -> Quantization:
        if self.form not in self.forms:
            raise ValueError(f"form {self.form!r} is not among forms ({', '.join(self.forms)})")
        return self

    @property
    def shipped(self) -> FormFacts:
        """The default form's facts."""
        return self.forms[self.form]

    @property
    def types(self) -> dict[str, str]:
        """Each layer's type by its name."""
        return {layer.name: layer.type for layer in self.layers}


class Sample(Facts):
    """A test image and what the three models called it; ``image`` is a PNG in base64."""

    image: str
    label: str
    float_: str = Field(alias="float")
    qat: str
    int8: str
    score: float
    id: str


class Sizes(Facts):
    """File sizes in bytes."""

    float32_tflite: Annotated[int, Field(gt=0)]
    int8_tflite: Annotated[int, Field(gt=0)]


class Evaluations(Facts):
    """``evaluation.json``: the same test images through the float, the QAT and the int8 model."""

    data: str
    split: str
    labels: Annotated[list[str], Field(min_length=2)]
    float_: Evaluation = Field(alias="float")
    qat: Evaluation
    int8: Evaluation
    agreement: Share
    max_lsb: int
    sizes: Sizes
    latency_us: dict[str, Positive]
    samples: list[Sample] = []

    @model_validator(mode="after")
    def _agree(self) -> Evaluations:
        for name, found in (("float", self.float_), ("qat", self.qat), ("int8", self.int8)):
            rows = found.confusion
            if len(rows) != len(self.labels) or any(len(row) != len(self.labels) for row in rows):
                raise ValueError(
                    f"{name}.confusion: must be {len(self.labels)} rows of as many, one for each label"
                )
            if set(found.classes) != set(self.labels):
                raise ValueError(f"{name}.classes: its names are not those in labels")
            total = sum(map(sum, rows))
            if total != found.images or total < 1:
                raise ValueError(
                    f"{name}.confusion: holds {total} images, but {name}.images is {found.images}"
                )
            if not abs(right(found) / total - found.accuracy) < 1e-3:
                raise ValueError(
                    f"{name}.accuracy: {found.accuracy}, but its confusion says {right(found) / total}"
                )
        return self


class Stream(Facts):
    """The demo's stream."""

    frames: Count
    accuracy: Share
    fps: float
    dropped: Count


class Summary(Facts):
    """``summary.json``, of which only the stream is not told elsewhere."""

    stream: Stream | None = None
    seconds: float | None = None


def right(found: Evaluation) -> int:
    """How many images were called what they are."""
    return sum(row[i] for i, row in enumerate(found.confusion))


@dataclass(frozen=True)
class Run:
    """A finished run.

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
    evaluations: Evaluations
    summary: Summary | None
    bundle: Manifest | None
    bundle_name: str | None
    video: str | None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name


def read_run(folder: Path) -> Run:
    """Read a finished run's folder.

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
    bundles = sorted(folder.glob("*.rnnedge"))
    # More than one: the run's own carries the recipe's name.
    bundle = next((b for b in bundles if b.stem == recipe.name), bundles[0] if bundles else None)
    return Run(
        folder,
        recipe,
        text,
        _json(folder / "train.json", Training),
        _history(folder / "history.csv"),
        _json(folder / "quantize.json", Quantization),
        _json(folder / "evaluation.json", Evaluations),
        _json(folder / "summary.json", Summary) if (folder / "summary.json").exists() else None,
        read_bundle(bundle).manifest if bundle else None,
        bundle.name if bundle else None,
        VIDEO if (folder / VIDEO).is_file() else None,
    )


F = TypeVar("F", bound=Facts)


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
