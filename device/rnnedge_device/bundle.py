"""The bundle `NAME.rnnedge`: a stored ZIP of manifest, models, vocabulary and golden inputs, checked before use."""

import io
import json
import os
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnedge_device.archive import DAMAGE, checked_members, is_plain, write_archive
from rnnedge_device.errors import BundleError, InputError, SignatureError
from rnnedge_device.fields import Fields, one_line
from rnnedge_device.files import sha256
from rnnedge_device.manifest import Manifest, check_version, files_of
from rnnedge_device.signature import SIGNATURE, SIGNATURE_BYTES, PrivateKey, PublicKey, Signature
from rnnedge_device.vocabulary import Vocabulary

MANIFEST = "manifest.json"
MAX_BYTES = 512 * 2**20  # of a whole bundle; a device should refuse sooner than run out of memory
MAX_MANIFEST_BYTES = 4 * 2**20
_OWN = (MANIFEST, SIGNATURE)  # never listed in the manifest, since they speak about it


@dataclass(frozen=True)
class Bundle:
    """A bundle whose names, sizes and digests were checked.

    Args:
        manifest: what it says about itself.
        members: the bytes of every other member, by name.
        path: where it was read from, for messages.
        sha256: of the whole file, 64 hexadecimal digits; "" for one that was not read from a file.
        signature: the one in it, whoever's it is; None for none.
    """

    manifest: Manifest
    members: Mapping[str, bytes]
    path: str = ""
    sha256: str = ""
    signature: Signature | None = None

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
    """Write a bundle: equal arguments give equal bytes. The file appears whole or not at all, without a signature.

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
        if name in _OWN or not is_plain(name):
            raise BundleError(f"member {name!r}: must be a plain file name other than {' and '.join(_OWN)}")
    entries = {
        name: {"size": len(members[name]), "sha256": sha256(members[name])} for name in sorted(members)
    }
    manifest = replace(manifest, files=entries)
    _check_forms(manifest, "bundle")
    try:
        text = json.dumps(manifest.to_dict(), indent=1, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as problem:
        raise BundleError(f"{MANIFEST}: a value that JSON cannot hold: {problem}") from None
    write_archive(path, {MANIFEST: text, **{name: bytes(members[name]) for name in entries}})
    return manifest


def sign_bundle(path: str | os.PathLike[str], key: PrivateKey) -> Signature:
    """Sign a bundle in place: every other member keeps its bytes, an older signature is replaced.

    Raises:
        BundleError: not a good bundle, as `read_bundle`; the file stays as it was.
        InputError: it cannot be written.
    """
    bundle, manifest = _read(path)
    signature = key.sign(manifest)
    content = {MANIFEST: manifest, SIGNATURE: signature.to_bytes(), **dict(sorted(bundle.members.items()))}
    write_archive(path, content, stat.S_IMODE(os.stat(path).st_mode))
    return signature


def read_bundle(path: str | os.PathLike[str], key: PublicKey | None = None) -> Bundle:
    """Read and check a bundle; the models in it are not parsed here.

    Args:
        key: the bundle must be signed with it; that is checked before anything but the ZIP's directory is parsed.

    Raises:
        SignatureError: not signed with `key`.
        BundleError: not a bundle, cut short, changed, newer than this program, or not what it declares.
    """
    return _read(path, key)[0]


def _read(path: str | os.PathLike[str], key: PublicKey | None = None) -> tuple[Bundle, bytes]:
    """The bundle and the bytes of its manifest."""
    shown = os.fspath(path)
    try:
        data = _bytes_of(path)
        manifest, members, raw, signature = _unpack(data, key)
    except BundleError as problem:
        raise type(problem)(f"bundle {shown!r}: {one_line(str(problem))}") from None
    except FileNotFoundError:
        raise BundleError(f"bundle {shown!r}: there is no such file") from None
    except OSError as problem:
        raise BundleError(f"bundle {shown!r}: cannot be read: {problem.strerror or problem}") from None
    return Bundle(manifest, members, shown, sha256(data), signature), raw


def _bytes_of(path: str | os.PathLike[str]) -> bytes:
    found = os.stat(path)
    # Whoever opens a pipe waits until someone writes into it, perhaps for ever.
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise BundleError("must be a file, not a pipe or a device")
    if found.st_size > MAX_BYTES:
        raise BundleError(f"{found.st_size} bytes: a bundle has at most {MAX_BYTES}")
    return Path(path).read_bytes()


def _unpack(data: bytes, key: PublicKey | None) -> tuple[Manifest, dict[str, bytes], bytes, Signature | None]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = checked_members(archive, len(data))
            raw, signature = _own_members(archive, infos)
            if key is not None:
                key.check(signature)
            declared = _manifest_json(raw)
            fields = Fields(declared, MANIFEST, BundleError)
            check_version(fields)
            entries = files_of(fields)
            _check_listed(infos, entries)
            members = {name: archive.read(infos[name]) for name in entries}
    except BundleError:
        raise
    except DAMAGE as problem:
        raise BundleError(f"damaged or not a bundle: {problem or type(problem).__name__}") from None
    for name, member in members.items():
        if sha256(member) != entries[name]["sha256"]:
            raise BundleError(
                f"{name}: the SHA-256 differs from the manifest's: the file was changed or damaged"
            )
    manifest = Manifest.from_dict(declared)
    _check_forms(manifest, MANIFEST)
    return manifest, members, raw, signature


def _own_members(
    archive: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo]
) -> tuple[bytes, Signature | None]:
    """The manifest's bytes, not parsed, and the signature."""
    if MANIFEST not in infos:
        raise BundleError(f"{MANIFEST} is missing")
    if infos[MANIFEST].file_size > MAX_MANIFEST_BYTES:
        raise BundleError(f"{MANIFEST}: {infos[MANIFEST].file_size} bytes: at most {MAX_MANIFEST_BYTES}")
    raw = archive.read(infos[MANIFEST])
    if SIGNATURE not in infos:
        return raw, None
    if infos[SIGNATURE].file_size != SIGNATURE_BYTES:
        raise SignatureError(f"{SIGNATURE}: {infos[SIGNATURE].file_size} bytes: must be {SIGNATURE_BYTES}")
    return raw, Signature.from_bytes(archive.read(infos[SIGNATURE]), raw)


def _manifest_json(data: bytes) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise BundleError(f"{MANIFEST}: a key is there twice")
        return found

    def refuse(constant: str) -> None:
        raise BundleError(f"{MANIFEST}: {constant} is not JSON")

    try:
        found = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=refuse)
        # Half a surrogate pair is JSON, but no text: it could not be printed or sent.
        json.dumps(found, ensure_ascii=False).encode()
        return found
    except BundleError:
        raise
    except (ValueError, RecursionError) as problem:
        raise BundleError(f"{MANIFEST}: not JSON: {problem}") from None


def _check_listed(infos: Mapping[str, zipfile.ZipInfo], entries: Mapping[str, Mapping[str, Any]]) -> None:
    for name in infos:
        if name not in _OWN and name not in entries:
            raise BundleError(f"member {name!r}: not listed in {MANIFEST}")
    for name, entry in entries.items():
        if name in _OWN or name not in infos:
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
