"""A line as JSON, whatever is in it."""

import json
from typing import Any

from rnnedge_device.events import Event


def to_json(line: Event) -> bytes:
    """One line of UTF-8 without a line break at its end. What JSON lacks is written as text, so that a line is
    never lost for a value in it."""
    text = json.dumps(line, ensure_ascii=False, default=_plain)
    # A lone surrogate, as in a file name of another encoding, becomes an escape of JSON's own.
    return text.encode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
