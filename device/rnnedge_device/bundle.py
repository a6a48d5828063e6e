"""The bundle `NAME.rnnedge`: a stored ZIP of manifest, models, vocabulary and golden inputs, checked before use."""

import io
import json
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.fields import Fields
from rnnedge_device.files import atomic_path, sha256
from rnnedge_device.manifest import Manifest, check_version, files_of
from rnnedge_device.vocabulary import Vocabulary

MANIFEST = "manifest.json"
MAX_BYTES = 512 * 2**20  # of a whole bundle; a device should refuse sooner than run out of memory
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_MEMBERS = 64
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
# A fixed date makes equal contents equal bytes; 1980 is the first year ZIP knows.
_DATE = (1980, 1, 1, 0, 0, 0)

# What zipfile raises on damaged input: it lets several kinds through.
_DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    struct.error,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose names, sizes and digests were checked.

    Args:
        manifest: what it says about itself.
        members: the bytes of every other member, by name.
        path: where it was read from, for messages.
    """

    manifest: Manifest
    members: Mapping[str, bytes]
    path: str = ""

    def model(self, form: str | None = None) -> bytes:
        """The `.tflite` of a form (None: the default). BundleError if there is no such form."""
        return self.members[self.manifest.form(form).file]

    def vocabulary(self) -> Vocabulary:
        """The vocabulary of a caption bundle.

        Raises:
            BundleError: another task, or a member that is no vocabulary.
        """
        if self.manifest.caption is None:
            raise BundleError(
                f"task = {self.manifest.task!r}: only a bundle of task captions has a vocabulary"
            )
        name = self.manifest.caption.vocabulary
        try:
            return Vocabulary.from_text(self.members[name].decode())
        except KeyError:
            raise BundleError(f"vocabulary = {name!r}: is not a member of the bundle") from None
        except UnicodeDecodeError as problem:
            raise BundleError(f"{name}: must be UTF-8: {problem}") from None
        except InputError as problem:
            raise BundleError(f"{name}: {problem}") from None


def write_bundle(path: str | os.PathLike[str], manifest: Manifest, members: Mapping[str, bytes]) -> Manifest:
    """Write a bundle: equal arguments give equal bytes. The file appears whole or not at all.

    Args:
        manifest: its `files` are filled in here.
        members: bytes by name, with the file of every form and a caption model's vocabulary.

    Returns:
        The manifest as written.

    Raises:
        BundleError: a name that is not plain, a form or vocabulary without its member, a value JSON cannot hold.
        InputError: a path that cannot be written.
    """
    for name in members:
        if name == MANIFEST or not _PLAIN_NAME.fullmatch(name):
            raise BundleError(f"member {name!r}: must be a plain file name other than {MANIFEST}")
    entries = {
        name: {"size": len(members[name]), "sha256": sha256(members[name])} for name in sorted(members)
    }
    manifest = replace(manifest, files=entries)
    _check_forms(manifest, "bundle")
    try:
        text = json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as problem:
        raise BundleError(f"{MANIFEST}: a value that JSON cannot hold: {problem}") from None
    content = {MANIFEST: text.encode(), **{name: bytes(members[name]) for name in entries}}
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, data)
    return manifest


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read and check a bundle; the models in it are not parsed here.

    Raises:
        BundleError: not a bundle, cut short, changed, newer than this program, or not what it declares.
    """
    shown = os.fspath(path)
    try:
        size = os.stat(path).st_size
        if size > MAX_BYTES:
            raise BundleError(f"{size} bytes: a bundle has at most {MAX_BYTES}")
        data = Path(path).read_bytes()
        manifest, members = _unpack(data)
    except BundleError as problem:
        raise BundleError(f"bundle {shown!r}: {problem}") from None
    except FileNotFoundError:
        raise BundleError(f"bundle {shown!r}: there is no such file") from None
    except OSError as problem:
        raise BundleError(f"bundle {shown!r}: cannot be read: {problem.strerror or problem}") from None
    return Bundle(manifest, members, shown)


def _unpack(data: bytes) -> tuple[Manifest, dict[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = _checked(archive.infolist(), len(data))
            declared = _manifest_json(archive.read(infos[MANIFEST]))
            fields = Fields(declared, MANIFEST, BundleError)
            check_version(fields)
            entries = files_of(fields)
            _check_listed(infos, entries)
            members = {name: archive.read(infos[name]) for name in entries}
    except BundleError:
        raise
    except _DAMAGE as problem:
        raise BundleError(f"damaged or not a bundle: {problem or type(problem).__name__}") from None
    for name, member in members.items():
        if sha256(member) != entries[name]["sha256"]:
            raise BundleError(
                f"{name}: the SHA-256 differs from the manifest's: the file was changed or damaged"
            )
    manifest = Manifest.from_dict(declared)
    _check_forms(manifest, MANIFEST)
    return manifest, members


def _checked(infos: list[zipfile.ZipInfo], available: int) -> dict[str, zipfile.ZipInfo]:
    """Names, kinds and sizes, before a byte of a member is read."""
    if len(infos) > MAX_MEMBERS:
        raise BundleError(f"{len(infos)} members: at most {MAX_MEMBERS}")
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in infos:
        # orig_filename: zipfile shortens `filename` at a NUL byte.
        name = info.orig_filename
        if not _PLAIN_NAME.fullmatch(name):
            raise BundleError(f"member {name!r}: must be a plain file name, without folders")
        if name in found:
            raise BundleError(f"member {name!r}: there twice")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise BundleError(f"member {name!r}: must be stored, neither compressed nor encrypted")
        total += info.file_size
        if info.compress_size != info.file_size or total > available:
            raise BundleError(f"member {name!r}: its declared size {info.file_size} is false")
        found[name] = info
    if MANIFEST not in found:
        raise BundleError(f"{MANIFEST} is missing")
    if found[MANIFEST].file_size > MAX_MANIFEST_BYTES:
        raise BundleError(f"{MANIFEST}: {found[MANIFEST].file_size} bytes: at most {MAX_MANIFEST_BYTES}")
    return found


def _manifest_json(data: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise BundleError(f"{MANIFEST}: a key is there twice")
        return found

    def refuse(constant: str) -> None:
        raise BundleError(f"{MANIFEST}: {constant} is not JSON")

    try:
        return json.loads(data.decode(), object_pairs_hook=unique, parse_constant=refuse)
    except BundleError:
        raise
    except (ValueError, RecursionError) as problem:
        raise BundleError(f"{MANIFEST}: not JSON: {problem}") from None


def _check_listed(infos: Mapping[str, zipfile.ZipInfo], entries: Mapping[str, Mapping[str, Any]]) -> None:
    for name in infos:
        if name != MANIFEST and name not in entries:
            raise BundleError(f"member {name!r}: not listed in {MANIFEST}")
    for name, entry in entries.items():
        if name == MANIFEST or name not in infos:
            raise BundleError(f"{MANIFEST}: files lists {name!r}, which is not a member")
        if infos[name].file_size != entry["size"]:
            raise BundleError(
                f"member {name!r}: {infos[name].file_size} bytes where {MANIFEST} declares {entry['size']}"
            )


def _check_forms(manifest: Manifest, where: str) -> None:
    if manifest.caption is not None and manifest.caption.vocabulary not in manifest.files:
        raise BundleError(f"{where}: caption: vocabulary = {manifest.caption.vocabulary!r}: is not a member")
    for form in manifest.forms:
        if form.file not in manifest.files:
            raise BundleError(f"{where}: form {form.name}: its file {form.file!r} is not a member")
        size = manifest.files[form.file]["size"]
        if form.size_bytes not in (0, size):
            raise BundleError(
                f"{where}: form {form.name}: size_bytes = {form.size_bytes}: {form.file} has {size}"
            )
