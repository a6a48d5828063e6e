"""Who signs an APK: the user's keystore, or the debug one that Android's tools make for themselves."""

import os
from dataclasses import dataclass
from pathlib import Path

from rnnedge.deploy.phone.android_tools import call
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

# Android's convention for keys that prove nothing: every tool knows them.
_DEBUG_PASSWORD, _DEBUG_ALIAS = "android", "androiddebugkey"
_VARIABLE = "RNNEDGE_APK_PASSWORD"
_MAKE = (
    *("-genkeypair", "-storetype", "PKCS12", "-alias", _DEBUG_ALIAS, "-storepass:env", _VARIABLE),
    *(
        "-keyalg",
        "RSA",
        "-keysize",
        "2048",
        "-validity",
        "10950",
        "-dname",
        "CN=Android Debug,O=Android,C=US",
    ),
)


@dataclass(frozen=True)
class Keystore:
    """A keystore file and its password.

    Args:
        path: of the keystore (PKCS#12 or JKS).
        password: of the keystore and of its key.
        alias: which key; None where there is only one.
        debug: is it the one that proves nothing?
    """

    path: Path
    password: str
    alias: str | None = None
    debug: bool = False

    def __repr__(self) -> str:
        return f"Keystore({str(self.path)!r})"  # no password in a message or a log

    @classmethod
    def of(cls, path: Path, password: str, alias: str | None = None) -> "Keystore":
        """The user's own.

        Raises:
            InputError: there is no such file.
        """
        if not path.is_file():
            raise InputError(
                f"--keystore {str(path)!r}: there is no such file; keytool -genkeypair makes one"
            )
        return cls(path, password, alias)

    @classmethod
    def for_debugging(cls, path: Path | None = None) -> "Keystore":
        """The debug keystore, made where it is missing.

        Args:
            path: where it lies; None for ~/.android/debug.keystore, which Android's own tools use too.
        """
        path = path or Path.home() / ".android" / "debug.keystore"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                call("keytool", *_MAKE, "-keystore", temporary, secrets={_VARIABLE: _DEBUG_PASSWORD})
        return cls(path, _DEBUG_PASSWORD, _DEBUG_ALIAS, debug=True)

    def sign(self, unsigned: Path, signed: Path, min_sdk: int) -> None:
        """Sign an aligned APK.

        Raises:
            InputError: a wrong password, or no keystore.
        """
        alias = ["--ks-key-alias", self.alias] if self.alias else []
        call(
            "apksigner", "sign", "--ks", self.path, *alias, "--ks-pass", f"env:{_VARIABLE}",
            "--v1-signing-enabled", "false", "--min-sdk-version", str(min_sdk), "--in", unsigned, "--out", signed,
            secrets={_VARIABLE: self.password},
        )  # fmt: skip
        # apksigner's own name for what nobody here needs.
        signed.with_name(signed.name + ".idsig").unlink(missing_ok=True)


def read_password(spec: str) -> str:
    """A password from where it may lie: `env:NAME` or `file:PATH` (its first line).

    Raises:
        InputError: another spelling, an unset variable, an unreadable file.
    """
    kind, _, where = spec.partition(":")
    if kind == "env" and where:
        if where not in os.environ:
            raise InputError(f"--keystore-password {spec!r}: that variable is not set")
        return os.environ[where]
    if kind == "file" and where:
        try:
            with open(where, encoding="utf-8") as file:
                return file.readline(4096).rstrip("\r\n")
        except (OSError, UnicodeError) as problem:
            raise InputError(f"--keystore-password {spec!r}: cannot be read: {problem}") from None
    # What was given may be the password itself: it is not repeated.
    raise InputError("--keystore-password: give env:NAME or file:PATH, never the password itself")
