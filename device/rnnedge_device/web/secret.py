"""The token: who shows it may look and act. Compared in constant time, and never written down anywhere else."""

import base64
import hashlib
import hmac
import os
import secrets
import stat
import time
from pathlib import Path

from rnnedge_device.errors import InputError
from rnnedge_device.redaction import declare_secret

LEAST = 16  # characters of a token
SESSION_S = 30 * 24 * 3600  # how long a log-in lasts


class Secret:
    """A token and the session cookies made from it.

    A cookie is an expiry time and an HMAC of it keyed by the token: it outlasts a restart, is worth nothing after the
    token was changed, and does not contain it.

    Args:
        token: what has to be shown.

    Example:
        secret = Secret.read(Path("web.token"))
        secret.is_token("guess")  # False
        secret.is_session(secret.session())  # True
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @classmethod
    def read(cls, path: Path) -> "Secret":
        """The first line of a file. From now on it is hidden in logs.

        Raises:
            InputError: not readable, readable by everybody, or not a token of 16 or more printable ASCII characters.
        """
        where = f"web: token_file = {str(path)!r}"
        try:
            with open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                line = file.readline(4096).strip()
        except OSError as problem:
            raise InputError(f"{where}: cannot be read: {problem.strerror}") from None
        if stat.S_ISREG(mode) and mode & 0o007:
            raise InputError(f"{where}: everybody on this machine can use it; chmod o= {path}")
        # The message must not tell what is in the file.
        if len(line) < LEAST or not all(33 <= byte <= 126 for byte in line):
            raise InputError(
                f"{where}: its first line must be {LEAST} or more printable ASCII characters without spaces, such as "
                "openssl rand -hex 32 gives"
            )
        declare_secret(line.decode())
        return cls(line.decode())

    @classmethod
    def made(cls) -> "Secret":
        """Of a random token that nobody knows: good for this run's cookies only."""
        return cls(secrets.token_urlsafe(32))

    def is_token(self, shown: str) -> bool:
        """Is it the token? Takes the same time wherever it differs."""
        # Digests are of equal length: the time tells nothing of the token's length either.
        digests = [hashlib.sha256(text).digest() for text in (_bytes(shown), self._token)]
        return hmac.compare_digest(*digests)

    def session(self) -> str:
        """The value of a cookie that is good from now."""
        expiry = str(int(time.time()) + SESSION_S)
        return f"{expiry}.{self._signature(expiry)}"

    def is_session(self, shown: str) -> bool:
        """Was the cookie's value made from this token, and is it still good?"""
        expiry, _, signature = shown.partition(".")
        good = hmac.compare_digest(_bytes(signature), self._signature(expiry).encode())
        return good and int(expiry) > time.time()

    def _signature(self, expiry: str) -> str:
        digest = hmac.new(self._token, b"rnnedge web session " + _bytes(expiry), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    # Bytes of a header that are no text came as surrogates.
    return text.encode("utf-8", "surrogateescape")
