"""A TOML file, read with one clear message for whatever is wrong with it."""

import tomllib
from pathlib import Path
from typing import Any

from rnnedge_device.errors import InputError


def read_toml(path: str | Path, what: str) -> dict[str, Any]:
    """The values of a file.

    Args:
        what: the file is, for messages, such as `config`.

    Raises:
        InputError: no such file, not UTF-8, or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(f"{what} {str(path)!r}: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        raise InputError(f"{what} {str(path)!r}: must be UTF-8: {problem}") from None
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"{what} {str(path)!r}: is not TOML: {problem}") from None
