"""What a recipe may hold. An unknown key, a wrong type or a value out of range is refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt

from rnnedge.data.augment import LIMITS, Augment
from rnnedge_device.preprocess import Preprocess

Whole = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Border = Literal["constant", "replicate", "reflect"]


class Section(BaseModel):
    """The rules of every section: no unknown keys, no silent change of type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(Section):
    """Which images, and how they become the model's input (``rnnedge_device.preprocess``)."""

    name: str = "digits"
    group: str = ""
    size: Annotated[list[Annotated[StrictInt, Field(ge=1)]], Field(min_length=2, max_length=2)] = [28, 28]
    color: Literal["gray", "rgb"] = "gray"
    fit: Literal["stretch", "pad", "crop"] = "stretch"
    mean: Annotated[list[StrictFloat | StrictInt], Field(max_length=3)] = []
    std: Annotated[list[StrictFloat | StrictInt], Field(max_length=3)] = []
    invert: bool = False


class Model(Section):
    """The arguments of :func:`rnnedge.models.row_rnn`."""

    kind: Literal["row_rnn"] = "row_rnn"
    cell: Literal["simple_rnn", "lstm", "gru"] = "lstm"
    units: Whole = 128
    layers: Whole = 1
    bidirectional: bool = False
    scan: Literal["rows", "columns", "pixels"] = "rows"
    rows_per_step: Whole = 1
    dropout: Share = 0.0
    irnn: bool = False
    stem: list[Annotated[StrictInt, Field(ge=1)] | Literal["pool"]] = []


class Train(Section):
    """Optimisation. Steps are batches; a warm-up rises linearly from zero."""

    epochs: Whole = 20
    batch_size: Whole = 128
    optimizer: Literal["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "step", "exponential"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    step_epochs: Annotated[float, Field(gt=0)] = 10.0
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    clip: Literal["none", "norm", "global_norm", "value"] = "norm"
    clip_at: Annotated[float, Field(gt=0)] = 1.0
    patience: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0)] = 0
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    checkpoint_steps: Whole = 200


def _limit(name: str) -> float:
    return float(LIMITS[name][0])


class AugmentSection(Section):
    """The largest random change of each kind; see :class:`rnnedge.data.Augment`."""

    shift: Annotated[float, Field(ge=0, le=_limit("shift"))] = 0.0
    rotate: Annotated[float, Field(ge=0, le=_limit("rotate"))] = 0.0
    scale: Annotated[float, Field(ge=0, le=_limit("scale"))] = 0.0
    shear: Annotated[float, Field(ge=0, le=_limit("shear"))] = 0.0
    brightness: Annotated[float, Field(ge=0, le=_limit("brightness"))] = 0.0
    contrast: Annotated[float, Field(ge=0, le=_limit("contrast"))] = 0.0
    blur: Annotated[float, Field(ge=0, le=_limit("blur"))] = 0.0
    border: Border = "replicate"


class Quantize(Section):
    """Quantisation-aware fine-tuning and conversion, used by ``rnnedge quantize``."""

    epochs: Annotated[int, Field(ge=0)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    batch_size: Whole = 128
    form: Literal["auto", "loop", "unrolled", "step", "fused"] = "auto"
    io: Literal["int8", "float32"] = "int8"


class Recipe(Section):
    """A whole training configuration."""

    name: str = "recipe"
    description: str = ""
    data: Data = Data()
    model: Model = Model()
    train: Train = Train()
    augment: AugmentSection = AugmentSection()
    quantize: Quantize = Quantize()

    def preprocess(self) -> Preprocess:
        """The preprocessing that training, export and device share."""
        d = self.data
        return Preprocess(
            (d.size[0], d.size[1]), d.color, d.fit, 1 / 255, tuple(d.mean), tuple(d.std), d.invert
        )

    def augmentation(self) -> Augment:
        """The training images' random changes."""
        return Augment(**self.augment.model_dump())
