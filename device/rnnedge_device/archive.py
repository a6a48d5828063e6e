"""The container of a bundle: a ZIP of few plain names, stored, checked before a byte of a member is read."""

import os
import re
import struct
import zipfile
from collections.abc import Mapping

from rnnedge_device.errors import BundleError
from rnnedge_device.files import atomic_path

MAX_MEMBERS = 64
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
# A fixed date makes equal contents equal bytes; 1980 is the first year ZIP knows.
_DATE = (1980, 1, 1, 0, 0, 0)

# What zipfile raises on damaged input: it lets several kinds through.
DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    struct.error,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def is_plain(name: str) -> bool:
    """Is it a file name that means the same everywhere, without folders?"""
    return _PLAIN_NAME.fullmatch(name) is not None


def write_archive(
    path: str | os.PathLike[str], content: Mapping[str, bytes], mode: int | None = None
) -> None:
    """Write the members in their order: equal contents give equal bytes. The file appears whole or not at all.

    Args:
        mode: the file's permissions; None for what the process gives new files.

    Raises:
        InputError: a path that cannot be written.
    """
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, data)
        if mode is not None:
            os.chmod(temporary, mode)


def checked_members(archive: zipfile.ZipFile, available: int) -> dict[str, zipfile.ZipInfo]:
    """The members by name, after names, kinds and sizes were checked.

    Args:
        available: bytes of the whole file; no member can be larger.

    Raises:
        BundleError: a name with folders or there twice, something compressed or encrypted, a false size.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BundleError(f"{len(infos)} members: at most {MAX_MEMBERS}")
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in infos:
        # orig_filename: zipfile shortens `filename` at a NUL byte.
        name = info.orig_filename
        if not is_plain(name):
            raise BundleError(f"member {name!r}: must be a plain file name, without folders")
        if name in found:
            raise BundleError(f"member {name!r}: there twice")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise BundleError(f"member {name!r}: must be stored, neither compressed nor encrypted")
        total += info.file_size
        if info.compress_size != info.file_size or total > available:
            raise BundleError(f"member {name!r}: its declared size {info.file_size} is false")
        found[name] = info
    return found
