"""Ed25519 signatures of bundles: whose bundle is this, and is it as it was signed?

What is signed is the manifest, byte for byte; the manifest has the SHA-256 of everything else. Keys are PEM files, as
`openssl genpkey -algorithm ed25519` makes them. The arithmetic is the package `cryptography`'s, loaded on first use.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rnnedge_device.errors import InputError, SignatureError
from rnnedge_device.files import sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "manifest.sig"
SIGNATURE_BYTES = 32 + 64
_MAX_KEY_BYTES = 16 * 2**10
# Before the manifest: a signature of something else by the same key is none of a bundle.
_CONTEXT = b"rnnedge bundle manifest 1\n"


@dataclass(frozen=True)
class Signature:
    """The member `manifest.sig`, 96 bytes: the public key, then the signature.

    Args:
        key: who claims to have signed, 32 bytes; proves nothing until a trusted `PublicKey` has checked it.
        value: 64 bytes.
        manifest: the bytes of `manifest.json` that it belongs to.
    """

    key: bytes
    value: bytes
    manifest: bytes

    @property
    def key_id(self) -> str:
        """The claimed key, short, for people."""
        return _key_id(self.key)

    def holds(self) -> bool:
        """Was this manifest signed with the key it names, whoever's that is?

        Raises:
            InputError: the package `cryptography` is missing.
        """
        return PublicKey(self.key).signed(self)

    def to_bytes(self) -> bytes:
        return self.key + self.value

    @classmethod
    def from_bytes(cls, data: bytes, manifest: bytes) -> Signature:
        """SignatureError where it has another length."""
        if len(data) != SIGNATURE_BYTES:
            raise SignatureError(f"{SIGNATURE}: {len(data)} bytes: must be {SIGNATURE_BYTES}")
        return cls(data[:32], data[32:], manifest)


@dataclass(frozen=True)
class PublicKey:
    """Whom a runner trusts.

    Example:
        read_bundle("actions.rnnedge", PublicKey.read("factory.pub"))
    """

    raw: bytes

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the key's SHA-256."""
        return _key_id(self.raw)

    def signed(self, signature: Signature) -> bool:
        """Did this key sign the signature's manifest?"""
        ed25519 = _ed25519()
        from cryptography.exceptions import InvalidSignature

        try:
            key: Ed25519PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(self.raw)
            key.verify(signature.value, _CONTEXT + signature.manifest)
        except (InvalidSignature, ValueError):
            return False
        return True

    def check(self, signature: Signature | None) -> None:
        """Refuse all but a signature by this key.

        Raises:
            SignatureError: none, another's, or one that does not fit the manifest.
        """
        if signature is None:
            raise SignatureError(f"not signed: must be signed with the key {self.id}")
        if signature.key != self.raw:
            raise SignatureError(
                f"signed with the key {signature.key_id}: must be signed with the key {self.id}"
            )
        if not self.signed(signature):
            raise SignatureError(
                f"{SIGNATURE} is no signature of this manifest by the key {self.id}: the bundle was changed "
                "after it was signed, or the signature is forged"
            )

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PublicKey:
        """The key of a PEM file.

        Raises:
            InputError: no such file, or not a public Ed25519 key.
        """
        ed25519 = _ed25519()
        from cryptography.hazmat.primitives import serialization

        data = _read_key(path)
        if b"PRIVATE KEY" in data:
            raise InputError(f"key {str(path)!r}: a private key; give the public one, KEY.pub")
        try:
            key = serialization.load_pem_public_key(data)
        except Exception:  # several kinds, by version, and their texts speak of ASN.1
            raise InputError(f"key {str(path)!r}: must be a public Ed25519 key in a PEM file") from None
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise InputError(f"key {str(path)!r}: {type(key).__name__}: must be a public Ed25519 key")
        return cls(key.public_bytes_raw())


class PrivateKey:
    """Who signs. It stays on the workstation and never goes to a device."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def sign(self, manifest: bytes) -> Signature:
        """The signature of a manifest's bytes."""
        return Signature(self.public.raw, self._key.sign(_CONTEXT + manifest), manifest)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PrivateKey:
        """The key of a PEM file that only its owner can read.

        Raises:
            InputError: no such file, one that others can read, or not a private Ed25519 key without passphrase.
        """
        ed25519 = _ed25519()
        from cryptography.hazmat.primitives import serialization

        data = _read_key(path)
        if os.name == "posix" and os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(f"key {str(path)!r}: others can read it; chmod 600 it, if nobody has")
        try:
            key = serialization.load_pem_private_key(data, password=None)
        except TypeError:
            raise InputError(f"key {str(path)!r}: has a passphrase: must be a key without") from None
        except Exception:  # as above
            raise InputError(f"key {str(path)!r}: must be a private Ed25519 key in a PEM file") from None
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise InputError(f"key {str(path)!r}: {type(key).__name__}: must be a private Ed25519 key")
        return cls(key)

    @classmethod
    def new(cls, path: str | os.PathLike[str]) -> PrivateKey:
        """A new key at `path`, for its owner's eyes only (mode 600), and its public half at `path`.pub.

        Raises:
            InputError: one of the two files is there already, or cannot be written.
        """
        ed25519 = _ed25519()
        from cryptography.hazmat.primitives import serialization

        made = ed25519.Ed25519PrivateKey.generate()
        pem = serialization.Encoding.PEM
        private = made.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        public = made.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        _write_new(Path(path), private, 0o600)
        try:
            _write_new(Path(f"{os.fspath(path)}.pub"), public, 0o644)
        except InputError:
            Path(path).unlink()
            raise
        return cls(made)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    # Never over another file: whatever an old key has signed would be lost with it.
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError:
        raise InputError(f"key {str(path)!r}: is there already; give a new name") from None
    except OSError as problem:
        with contextlib.suppress(OSError):
            path.unlink()
        raise InputError(f"key {str(path)!r}: cannot be written: {problem.strerror or problem}") from None


def _read_key(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_MAX_KEY_BYTES)
    except OSError as problem:
        raise InputError(f"key {os.fspath(path)!r}: cannot be read: {problem.strerror or problem}") from None


def _key_id(raw: bytes) -> str:
    return sha256(raw)[:16]


def _ed25519():  # type: ignore[no-untyped-def]  # a module of a package that may be missing
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise InputError("signatures need the package cryptography: pip install 'rnnedge[runner]'") from None
    return ed25519
