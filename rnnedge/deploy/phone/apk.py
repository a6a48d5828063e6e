"""An Android app: the site and a bundle inside, shown by a WebView at an origin of their own."""

import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from rnnedge.deploy.phone import android_tools
from rnnedge.deploy.phone.built import built_app
from rnnedge.deploy.phone.keystore import Keystore
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

MIN_SDK, TARGET_SDK = 24, 36
_ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
# Read as a stream by the app; what is compressed already gains nothing.
_STORED = (".rnnedge", ".png", ".arsc")


@dataclass(frozen=True)
class AppFacts:
    """What Android knows an app by.

    Args:
        name: what stands below its icon.
        id: its package: two apps with the same one replace each other.
        version: a whole number from 1; stores ask for one above the last.
        version_name: what people read.
    """

    name: str
    id: str
    version: int
    version_name: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise InputError(
                f"--app-id {self.id!r}: small letters, digits and _ in two or more parts, such as org.example.door"
            )
        if not 1 <= self.version <= 2_100_000_000:
            raise InputError(f"--app-version {self.version}: must be from 1 to 2100000000")
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > 50:
            raise InputError(f"--app-name {self.name!r}: must be 1 to 50 printable characters")


def app_id(name: str) -> str:
    """The package that a bundle's name gives."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "bundle"
    return f"org.rnnedge.app.{word if word[0].isalpha() else 'b' + word}"


def write_apk(files: dict[str, bytes], out: Path, facts: AppFacts, keystore: Keystore) -> None:
    """Pack and sign. Equal input gives equal bytes where the key's signatures do (RSA).

    Args:
        files: the site's, by their paths (`site.site_files`).
        out: the APK to write: it is whole, or what was there before is.
        facts: name, package, version.
        keystore: who signs.

    Raises:
        InputError: a missing tool, an app that was not built, a wrong password.
    """
    android_tools.require_tools()
    app = built_app()
    with atomic_path(out) as signed, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        members = {**_compiled(app, facts, folder), "classes.dex": app["classes.dex"]}
        members |= {f"assets/site/{path}": data for path, data in files.items()}
        _zip(members, folder / "packed.apk")
        android_tools.call("zipalign", "-f", "-p", "4", folder / "packed.apk", folder / "aligned.apk")
        keystore.sign(folder / "aligned.apk", signed, MIN_SDK)


def _compiled(app: dict[str, bytes], facts: AppFacts, folder: Path) -> dict[str, bytes]:
    """Manifest and resources in Android's binary form."""
    for path, data in app.items():
        place = folder / "app" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    strings = f'<resources><string name="name">{_resource(facts.name)}</string></resources>'
    (folder / "app/res/values/strings.xml").write_text(strings, encoding="utf-8")
    android_tools.call(
        "aapt", "package", "-f", "-M", folder / "app/AndroidManifest.xml", "-S", folder / "app/res",
        "-I", android_tools.FRAMEWORK, "-F", folder / "resources.apk", "--rename-manifest-package", facts.id,
        "--min-sdk-version", str(MIN_SDK), "--target-sdk-version", str(TARGET_SDK),
        "--version-code", str(facts.version), "--version-name", facts.version_name,
    )  # fmt: skip
    with zipfile.ZipFile(folder / "resources.apk") as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def _resource(text: str) -> str:
    """A text in a resource file: XML, and Android's own signs in it."""
    plain = re.sub(r"([\\'\"])", r"\\\1", text)
    return escape("\\" + plain if plain[0] in "@?" else plain)


def _zip(members: dict[str, bytes], path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        # The manifest first, as Android's own tools have it; the dates say nothing.
        for name in sorted(members, key=lambda name: (name != "AndroidManifest.xml", name)):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
            packed.writestr(entry, members[name], compresslevel=9)
