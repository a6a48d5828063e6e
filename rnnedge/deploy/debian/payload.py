"""What a package puts on the device: a whole runtime under a private prefix, launchers, unit, config, bundle, pages."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from rnnedge import __version__
from rnnedge.deploy.debian.archive import Entry
from rnnedge.deploy.debian.trimming import Trimmed
from rnnedge.deploy.debian.wheels import digests, unpack
from rnnedge_device.service import unit_text

PREFIX = "/usr/lib/rnnedge"
BUNDLE = "/usr/share/rnnedge/bundle.rnnedge"
CONFIG = "/etc/rnnedge/rnnedge.toml"
UNIT = "/lib/systemd/system/rnnedge.service"
_LAUNCHERS = {"/usr/bin/rnnedge-run": "rnnedge_device", "/usr/sbin/rnnedge-device": "rnnedge_device.install"}
_DOC = "/usr/share/doc/rnnedge"


def template(name: str, /, **values: str) -> bytes:
    """A file of ``templates/`` with its ``@NAME@`` filled in."""
    text = files("rnnedge.deploy.debian").joinpath("templates", name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key.upper()}@", value)
    return text.encode()


class Runtime:
    """The Python packages of a device in one folder, which is named after its content.

    Args:
        wheels: of the device's architecture.

    ``id``: 16 hexadecimal digits; equal content has an equal id. ``trimmed``: what was left out.
    """

    def __init__(self, wheels: Iterable[Path]) -> None:
        wheels = list(wheels)
        self.trimmed = Trimmed()
        found: dict[str, tuple[bytes, int]] = {}
        for wheel in wheels:
            for path, data in unpack(wheel):
                if self.trimmed.keeps(path, len(data)):
                    found[path] = data, 0o644  # libraries are loaded, none is started
        found |= {path: (data, 0o644) for path, data in _device_part()}
        about = f"Metadata-Version: 2.1\nName: rnnedge\nVersion: {__version__}\n"
        found[f"rnnedge-{__version__}.dist-info/METADATA"] = about.encode(), 0o644
        found["wheels.json"] = (json.dumps(digests(wheels), indent=1) + "\n").encode(), 0o644
        whole = hashlib.sha256()
        for path in sorted(found):
            whole.update(
                f"{path}\0{found[path][1]:o}\0{hashlib.sha256(found[path][0]).hexdigest()}\n".encode()
            )
        self.id = whole.hexdigest()[:16]
        self._files = found

    @property
    def folder(self) -> str:
        """Where it lies on the device."""
        return f"{PREFIX}/runtimes/{self.id}"

    def entries(self) -> Iterator[Entry]:
        """Its files, in a fixed order, the mark ``COMPLETE`` last: what has the mark is whole."""
        for path in sorted(self._files):
            yield Entry(f"{self.folder}/{path}", *self._files[path])
        yield Entry(f"{self.folder}/COMPLETE", f"{self.id}\n".encode())

    def licences(self) -> dict[str, str]:
        """What each package says it is licensed under, by name and version."""
        found = {}
        for path, (data, _) in sorted(self._files.items()):
            if path.endswith(".dist-info/METADATA"):
                fields = dict(
                    line.partition(": ")[::2] for line in data.decode().split("\n\n")[0].splitlines()
                )
                said = fields.get("License-Expression") or fields.get("License") or "see its licence file"
                found[path.partition(".dist-info")[0]] = said
        return found


def payload(runtime: Runtime, bundle: bytes, source: str, epoch: int, version: str) -> list[Entry]:
    """All files of a package, in the order in which dpkg is to rename them into place.

    The runtime comes before the launchers that take it, so that a dpkg that is cut leaves launchers that work.
    """
    date = datetime.fromtimestamp(epoch, UTC)
    pages = {"date": date.strftime("%Y-%m-%d"), "version": version}
    entries = list(runtime.entries())
    for path, module in _LAUNCHERS.items():
        name = path.rpartition("/")[2]
        entries.append(
            Entry(path, template("launcher.sh", runtime=runtime.id, module=module, name=name), 0o755)
        )
    unit = unit_text(["--config", CONFIG], cameras="picamera2", program=["/usr/bin/rnnedge-run"])
    changes = (
        f"rnnedge ({version}) stable; urgency=medium\n\n  * Built by rnnedge deploy {__version__}.\n\n"
        f" -- rnnedge <rnnedge@localhost>  {date.strftime('%a, %d %b %Y %H:%M:%S +0000')}\n"
    )
    entries += [
        Entry(BUNDLE, bundle),
        Entry(CONFIG, template("rnnedge.toml", source=source)),
        Entry(UNIT, unit.encode()),
        Entry("/usr/share/man/man1/rnnedge-run.1.gz", _gzip(template("rnnedge-run.1", **pages))),
        Entry("/usr/share/man/man8/rnnedge-device.8.gz", _gzip(template("rnnedge-device.8", **pages))),
        Entry(f"{_DOC}/changelog.gz", _gzip(changes.encode())),
        Entry(f"{_DOC}/copyright", _copyright(runtime.licences(), runtime.folder)),
        Entry("/usr/share/lintian/overrides/rnnedge", template("lintian-overrides")),
    ]
    return entries


def _device_part() -> Iterator[tuple[str, bytes]]:
    """The files of `rnnedge_device`, as they are on this machine."""

    def walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
        for item in sorted(folder.iterdir(), key=lambda item: item.name):
            if item.is_dir() and item.name != "__pycache__":
                yield from walk(item, f"{path}/{item.name}")
            elif item.is_file() and not item.name.endswith((".pyc", ".typed")):
                yield f"{path}/{item.name}", item.read_bytes()

    yield from walk(files("rnnedge_device"), "rnnedge_device")


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


def _copyright(licences: Mapping[str, str], folder: str) -> bytes:
    packages = "".join(f"\n  {name}: {said}" for name, said in licences.items())
    text = (
        "rnnedge, and the Python packages that it runs on, unchanged but for what a device does not open.\n\n"
        "rnnedge is licensed under the Apache License 2.0; on Debian systems its text is in\n"
        "/usr/share/common-licenses/Apache-2.0.\n\nCopyright: 2026 the authors of rnnedge\n\n"
        f"The packages, with what each says of its licence; the texts lie in {folder}/*.dist-info:\n{packages}\n\n"
        "The bundle in /usr/share/rnnedge belongs to whoever trained it.\n"
    )
    return text.encode()
