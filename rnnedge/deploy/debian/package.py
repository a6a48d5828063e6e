"""A Debian package of a bundle: runner, runtime, service and model in one file, built without a device."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rnnedge import __version__
from rnnedge.deploy.debian.architecture import Architecture, architecture
from rnnedge.deploy.debian.archive import Entry, deb
from rnnedge.deploy.debian.payload import CONFIG, Runtime, payload, template
from rnnedge.deploy.debian.wheels import fetch
from rnnedge_device.bundle import Bundle, read_bundle
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path, sha256


@dataclass(frozen=True)
class DebFacts:
    """What was built.

    Args:
        path: of the package.
        arch: Debian's name of the architecture.
        version: of the package; a bundle that was made later has a higher one.
        sha256: of the file.
        bytes, installed_bytes: of the file, and of what it holds.
        bundle_sha256, runtime: what is in it; the runtime by its id.
        trimmed: bytes left out of the wheels, by what they were.
        largest: bytes of the largest parts, unpacked.
    """

    path: str
    arch: str
    version: str
    sha256: str
    bytes: int
    installed_bytes: int
    bundle_sha256: str
    runtime: str
    trimmed: dict[str, int]
    largest: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def build_deb(
    bundle: Path, out: Path, arch: str = "arm64", *, source: str = "0", wheels: Path | None = None
) -> DebFacts:
    """Build the package of a bundle. The same inputs give the same bytes.

    The time in it is ``$SOURCE_DATE_EPOCH``, else the bundle's date.

    Args:
        out: the file to write, ``.deb``.
        arch: ``arm64``, ``amd64`` or ``armhf``.
        source: of the camera, as ``rnnedge-run --source`` takes it; goes into the config, which upgrades leave alone.
        wheels: the cache of wheels; None for the user's.

    Raises:
        InputError: a bad bundle, an unknown architecture, a source that no config can hold, or wheels that cannot be
            had; an older file at ``out`` is left as it was.

    Example:
        build_deb(Path("digits.rnnedge"), Path("digits.deb")).bytes
    """
    target = architecture(arch)
    loaded = read_bundle(bundle)
    if out.suffix != ".deb":
        raise InputError(f"--deb = {str(out)!r}: must end in .deb")
    if not re.fullmatch(r"[^\x00-\x1f\"\\]+", source):
        raise InputError(
            f"--source = {source!r}: must not be empty, nor have quotes, backslashes or line ends"
        )
    epoch = _epoch(loaded)
    version = f"{__version__}+{datetime.fromtimestamp(epoch, UTC):%Y%m%d.%H%M%S}.{loaded.sha256[:8]}"
    runtime = Runtime(fetch(target, wheels))
    entries = payload(runtime, bundle.read_bytes(), source, epoch, version)
    installed = sum(len(entry.data or b"") for entry in entries)
    data = deb(_control(target, version, installed, runtime, entries), entries, epoch)
    with atomic_path(out) as temporary:
        temporary.write_bytes(data)
        temporary.chmod(0o644)
    return DebFacts(
        str(out), arch, version, sha256(data), len(data), installed, loaded.sha256, runtime.id,
        runtime.trimmed.bytes, _largest(entries, runtime),
    )  # fmt: skip


def _epoch(bundle: Bundle) -> int:
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    if said:
        if not said.isdecimal() or len(said) > 11:
            raise InputError(f"SOURCE_DATE_EPOCH = {said!r}: must be seconds since 1970")
        return int(said)
    try:
        made = datetime.fromisoformat(bundle.manifest.created)
    except ValueError:
        return 0
    return max(0, int((made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp()))


def _control(
    target: Architecture, version: str, installed: int, runtime: Runtime, entries: list[Entry]
) -> dict[str, tuple[bytes, int]]:
    fields = {
        "Package": "rnnedge",
        "Version": version,
        "Architecture": target.name,
        "Maintainer": "rnnedge <rnnedge@localhost>",
        "Installed-Size": str(-(-installed // 1024)),
        "Depends": target.depends,
        "Section": "science",
        "Priority": "optional",
        "Description": (
            "recurrent vision model on live cameras\n"
            " The runner rnnedge-run with all that it runs on, a bundle, and a hardened\n"
            " service that runs the bundle on a camera. The system's Python stays as it is."
        ),
    }
    sums = "".join(
        f"{hashlib.md5(entry.data, usedforsecurity=False).hexdigest()}  {entry.path[1:]}\n"
        for entry in entries
        if entry.data is not None and entry.path != CONFIG
    )
    scripts = {
        name: (template(f"{name}.sh", runtime=runtime.id), 0o755) for name in ("postinst", "prerm", "postrm")
    }
    return {
        "control": ("".join(f"{name}: {value}\n" for name, value in fields.items()).encode(), 0o644),
        "conffiles": (f"{CONFIG}\n".encode(), 0o644),
        "md5sums": (sums.encode(), 0o644),
        **scripts,
    }


def _largest(entries: list[Entry], runtime: Runtime, most: int = 8) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for entry in entries:
        inside = entry.path.removeprefix(f"{runtime.folder}/")
        part = inside.partition("/")[0] if inside != entry.path else "unit, config, bundle, pages"
        sizes[part] = sizes.get(part, 0) + len(entry.data or b"")
    return dict(sorted(sizes.items(), key=lambda item: -item[1])[:most])
