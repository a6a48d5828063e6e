"""``[model]``: the arguments of each model, told apart by ``kind``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictInt, Tag

from rnnedge.recipes.section import Above, Cell, Section, Share, Whole


class RowRnn(Section):
    """The arguments of :func:`rnnedge.models.row_rnn`."""

    kind: Literal["row_rnn"] = "row_rnn"
    cell: Cell = "lstm"
    units: Whole = 128
    layers: Whole = 1
    bidirectional: bool = False
    scan: Literal["rows", "columns", "pixels"] = "rows"
    rows_per_step: Whole = 1
    dropout: Share = 0.0
    irnn: bool = False
    stem: list[Annotated[StrictInt, Field(ge=1)] | Literal["pool"]] = []


class ClipRnn(Section):
    """The arguments of :func:`rnnedge.models.clip_rnn`."""

    kind: Literal["clip_rnn"] = "clip_rnn"
    encoder: Literal["row_rnn", "cnn", "mobilenet_v2", "mobilenet_v3"] = "cnn"
    cell: Cell = "gru"
    units: Whole = 64
    layers: Annotated[int, Field(ge=0)] = 1
    dropout: Share = 0.0
    encoder_cell: Cell = "gru"
    encoder_units: Whole = 64
    rows_per_step: Whole = 1
    filters: Annotated[list[Annotated[StrictInt, Field(ge=1)]], Field(min_length=1)] = [16, 24, 32, 48]
    features: Annotated[int, Field(ge=0)] = 0
    separable: bool = True
    first_stride: Annotated[int, Field(ge=1, le=2)] = 2
    pool: Literal["average", "both"] = "average"
    place: Annotated[int, Field(ge=0)] = 0
    alpha: Above = 0.35
    minimalistic: bool = False
    weights: str = ""


class Captioner(Section):
    """The arguments of :func:`rnnedge.models.captioner`; with ``freeze`` the encoder keeps its weights."""

    kind: Literal["captioner"] = "captioner"
    encoder: Literal["cnn", "mobilenet_v2", "mobilenet_v3", "efficientnet_lite", "resnet50"] = "cnn"
    image: Literal["first", "state", "attention"] = "first"
    cell: Literal["lstm", "gru"] = "lstm"
    units: Whole = 256
    layers: Whole = 1
    embedding: Whole = 256
    attention: Whole = 128
    dropout: Share = 0.0
    filters: Annotated[list[Annotated[StrictInt, Field(ge=1)]], Field(min_length=1)] = [16, 32, 48, 64]
    first_stride: Annotated[int, Field(ge=1, le=2)] = 2
    alpha: Above = 1.0
    weights: str = ""
    freeze: bool = False


MODELS: dict[str, type[Section]] = {"row_rnn": RowRnn, "clip_rnn": ClipRnn, "captioner": Captioner}


def _kind(model: Any) -> str:
    """Which of :data:`MODELS` a ``[model]`` is; one without a kind is the first."""
    return str(model.get("kind", "row_rnn") if isinstance(model, dict) else getattr(model, "kind", "row_rnn"))


Model = Annotated[
    Annotated[RowRnn, Tag("row_rnn")]
    | Annotated[ClipRnn, Tag("clip_rnn")]
    | Annotated[Captioner, Tag("captioner")],
    Discriminator(_kind),
]
