"""Numbers as people read them: 1,797; 0.9861; 37 µs; 92 KB."""

from __future__ import annotations

import math

MINUS = "−"
NOTHING = "–"


def count(value: int) -> str:
    """A whole number: ``1,797``."""
    return f"{value:,}".replace("-", MINUS)


def counted(value: int, noun: str) -> str:
    """How many of something: ``1 epoch``, ``1,468 steps``."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def of_split(value: int, split: str, noun: str) -> str:
    """How many of a split: ``359 test images``; of the whole, ``1,797 images``."""
    return counted(value, noun if split == "all" else f"{split} {noun}")


def share(value: float) -> str:
    """An accuracy, precision or recall, 0 to 1: ``0.9861``."""
    return f"{value:.4f}"


def percent(value: float) -> str:
    """A share as a percentage: ``99.72 %``."""
    return f"{100 * value:.2f} %"


def points(value: float) -> str:
    """A difference of shares in percentage points, signed: ``−0.28``."""
    text = f"{100 * value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", MINUS)


def microseconds(value: float | None) -> str:
    """A duration given in microseconds: ``1.5 µs``, ``37 µs``, ``1.27 ms``, ``2.1 s``."""
    if value is None:
        return NOTHING
    for limit, scale, digits, unit in (
        (9.95, 1, 1, "µs"),
        (999.5, 1, 0, "µs"),
        (9995, 1e3, 2, "ms"),
        (999_500, 1e3, 0, "ms"),
    ):
        if value < limit:
            return f"{value / scale:.{digits}f} {unit}"
    return f"{value / 1e6:.1f} s"


def milliseconds(value: float | None) -> str:
    """A delay given in milliseconds, which may be below zero: ``420 ms``, ``−80 ms``, ``1.3 s``."""
    if value is None:
        return NOTHING
    text = f"{value / 1000:.1f} s" if abs(value) >= 999.5 else f"{value:.0f} ms"
    return text.replace("-0 ms", "0 ms").replace("-", MINUS)


def tenths(value: float | None) -> str:
    """A rate or duration to one digit: ``1,204.5``."""
    return NOTHING if value is None else f"{value:,.1f}"


def size(value: int | None) -> str:
    """Bytes: ``812 B``, ``9.4 KB``, ``92 KB``, ``1.2 MB`` (1 KB is 1,000 bytes)."""
    if value is None:
        return NOTHING
    if value < 1000:
        return f"{value} B"
    scaled, unit = (value / 1e3, "KB") if value < 999_500 else (value / 1e6, "MB")
    return f"{scaled:.{1 if scaled < 9.95 else 0}f} {unit}"


def times(value: float) -> str:
    """A ratio: ``2.8``, ``24``."""
    return f"{value:.{1 if value < 9.95 else 0}f}"


def seconds(value: float) -> str:
    """A duration given in seconds: ``7.4 s``, ``2 min 5 s``, ``1 h 12 min``."""
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def real(value: float) -> str:
    """Any real number to four digits: ``−1.633``, ``3e-08``."""
    return "0" if value == 0 else f"{value:.4g}".replace("-", MINUS, 1 if value < 0 else 0)


def interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % (Wilson) interval of a share of ``right`` in ``total``: what so few images can tell."""
    if not total:
        return 0.0, 1.0
    z, p = 1.959964, right / total
    middle = p + z * z / (2 * total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    low, high = ((middle + sign * half) / (1 + z * z / total) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)
