"""The rules of every section of the config that is about a sink."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Queue = Annotated[int, Field(ge=1, le=1_000_000)]
Bytes = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
Above = Annotated[float, Field(gt=0, le=86_400)]
Name = Annotated[str, Field(min_length=1)]


class SinkOptions(BaseModel):
    """No unknown keys, no silent change of type, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
