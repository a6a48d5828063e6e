"""Files that are either whole or not there: write beside the target, sync, rename."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from rnnedge_device.errors import InputError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; it takes that name only if the block succeeds.

    On any error, a full disk included, the temporary file is removed and an older file at `path` stays
    as it was. The temporary name keeps the suffix, since video and array writers choose by it.

    Raises:
        InputError: `path` is a folder, or lies in a folder that does not exist.

    Example:
        with atomic_path("events.jsonl") as temporary:
            temporary.write_text("...")
    """
    # A link keeps pointing at its file: it is the file that is replaced.
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise InputError(f"cannot write {str(path)!r}: it is a folder; give a file name")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {str(path)!r}: the folder {str(target.parent)!r} does not exist")
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}.tmp{target.suffix}")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(target.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    # Without this a power cut soon after the rename can leave an empty file under the new name.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(data: bytes) -> str:
    """The SHA-256 of `data` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
