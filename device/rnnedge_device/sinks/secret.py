"""A secret from a file, so that it stands in no config, no list of processes and no log."""

import os
from pathlib import Path

from rnnedge_device.errors import InputError
from rnnedge_device.redaction import declare_secret


def read_secret(path: str, where: str) -> str:
    """The file's text without white space at its ends. From now on it is hidden in logs.

    Args:
        path: `$NAME` and `${NAME}` stand for variables of the environment, as `$CREDENTIALS_DIRECTORY`.
        where: the key that names the file, for messages, such as `mqtt: password_file`.

    Raises:
        InputError: the file cannot be read or is empty. The message never has the secret.
    """
    try:
        secret = Path(os.path.expandvars(path)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        raise InputError(f"{where} = {path!r}: cannot be read: {reason}") from None
    if not secret:
        raise InputError(f"{where} = {path!r}: is empty; it must hold the secret")
    declare_secret(secret)
    return secret
