"""The files of a finished run as types: what each must hold, checked once, so that nothing else has to doubt it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rnnedge.evaluate import Evaluation
from rnnedge.report import formats

# The name under which the float32 file was timed beside the forms.
FLOAT_FORM = "float32"

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

    @property
    def float_latency(self) -> float | None:
        """Median microseconds an image of the float32 ``.tflite``."""
        return self.latency_us.get(FLOAT_FORM)

    @property
    def skipped(self) -> int:
        """Test images that could not be decoded."""
        return self.int8.skipped

    @property
    def tested(self) -> str:
        """``359 test images``."""
        return formats.of_split(self.int8.images, self.split, "image")

    @model_validator(mode="after")
    def _agree(self) -> Evaluations:
        for name, found in (("float", self.float_), ("qat", self.qat), ("int8", self.int8)):
            check_evaluation(name, found, self.labels)
        return self


def check_evaluation(name: str, found: Evaluation, labels: list[str]) -> None:
    """Refuse (``ValueError``) one that does not hold together, or is not of ``labels``; ``name`` is where it lies."""
    rows = found.confusion
    if len(rows) != len(labels) or any(len(row) != len(labels) for row in rows):
        raise ValueError(f"{name}.confusion: must be {len(labels)} rows of as many, one for each label")
    if set(found.classes) != set(labels):
        raise ValueError(f"{name}.classes: its names are not those in labels")
    total = sum(map(sum, rows))
    if total != found.images or total < 1:
        raise ValueError(f"{name}.confusion: holds {total} images, but {name}.images is {found.images}")
    if not abs(right(found) / total - found.accuracy) < 1e-3:
        raise ValueError(f"{name}.accuracy: {found.accuracy}, but its confusion says {right(found) / total}")


def right(found: Evaluation) -> int:
    """How many images or clips were called what they are."""
    return sum(row[i] for i, row in enumerate(found.confusion))


class StreamEvents(Facts):
    """How well a clip demo's stream found the events of its film."""

    precision: Share
    recall: Share
    f1: Share
    delay_ms: float | None
    events: Count
    detections: Count


class Stream(Facts):
    """The demo's stream: of images with their accuracy, of clips with its steps, resets and events."""

    frames: Count
    accuracy: Share | None = None
    fps: float
    dropped: Count
    steps: Count | None = None
    resets: dict[str, Count] = {}
    events: StreamEvents | None = None


class Summary(Facts):
    """``summary.json``, of which only the stream is not told elsewhere."""

    stream: Stream | None = None
    seconds: float | None = None
