"""``Section``: the rules of every part of a recipe, and the kinds of values that several have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Whole = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Above = Annotated[float, Field(gt=0)]
Score = Annotated[float, Field(gt=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0)]
Cell = Literal["simple_rnn", "lstm", "gru"]
Border = Literal["constant", "replicate", "reflect"]


class Section(BaseModel):
    """The rules of every section: no unknown keys, no silent change of type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
