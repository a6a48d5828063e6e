"""The checks of the models' arguments: each refusal names the argument, its value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rnnedge_device.errors import InputError

CHANNELS = {1: "1 (grey)", 3: "3 (colour)"}
# What a stream of frames may have instead.
STREAM_CHANNELS = {1: "1 (grey)", 2: "2 (foreground and motion)", 3: "3 (colour)"}


def checked_shape(shape: Sequence[int], channels: Mapping[int, str] = CHANNELS) -> tuple[int, int, int]:
    """``(h, w, c)`` of a preprocessed image; ``channels`` are the c that are allowed, and what each is."""
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes)
    if len(sizes) != 3 or not whole or sizes[2] not in channels:
        raise InputError(
            f"input_shape={shape!r}: must be (height, width, channels), channels {' or '.join(channels.values())}"
        )
    return sizes


def check_whole(argument: str, value: Any, least: int) -> None:
    """Refuse what is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{argument}={value!r}: must be a whole number of at least {least}")


def check_choice(argument: str, value: Any, allowed: Sequence[str | int]) -> None:
    """Refuse a word or number that is not one of those allowed."""
    if isinstance(value, bool) or value not in allowed:
        raise InputError(f"{argument}={value!r}: must be one of {', '.join(map(str, allowed))}")


def check_share(argument: str, value: Any) -> None:
    """Refuse what is not a number from 0 to below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise InputError(f"{argument}={value!r}: must be a number from 0 to below 1")
