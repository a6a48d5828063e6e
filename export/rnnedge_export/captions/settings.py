"""``DecoderSettings``: the shape of a caption decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class DecoderSettings:
    """The shape of a decoder.

    Args:
        words: of the vocabulary.
        image: ``first`` (features are the first input), ``state`` (they make the initial states) or ``attention``.
        cell: ``lstm`` or ``gru`` (``reset_after``).
        units, layers: of the recurrent network.
        embedding: E of words and features; attention: A of the keys.
    """

    words: int
    image: str
    cell: str
    units: int
    layers: int
    embedding: int
    attention: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> DecoderSettings:
        """Those of a trained decoder, which may have others, such as its dropout."""
        return cls(**{field.name: settings[field.name] for field in fields(cls)})
