"""Wheels for another machine: downloaded once into a cache, checked by their digests, unpacked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from rnnedge.deploy.debian.architecture import Architecture
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path, sha256

_DIGESTS = "sha256.json"


def default_cache() -> Path:
    """``rnnedge/wheels`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnnedge" / "wheels"


def fetch(architecture: Architecture, cache: Path | None = None) -> list[Path]:
    """The wheels of a machine, in the order of their names; only what is not in the cache is downloaded.

    The versions are pinned in ``requirements/``; the package index is the one that pip is configured for.

    Args:
        cache: the folder; None for :func:`default_cache`.

    Raises:
        InputError: they cannot be downloaded, or the cache cannot be written.
    """
    pinned = files("rnnedge.deploy.debian").joinpath("requirements", architecture.requirements).read_bytes()
    folder = (cache or default_cache()) / f"{architecture.name}-{sha256(pinned)[:12]}"
    if not _is_whole(folder):
        _download(architecture, pinned, folder)
    return sorted(folder.glob("*.whl"))


def digests(wheels: list[Path]) -> dict[str, str]:
    """The SHA-256 of each wheel, by its file name."""
    return {wheel.name: sha256(wheel.read_bytes()) for wheel in wheels}


def unpack(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a wheel as they lie in ``site-packages``: path and content."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            path = info.filename
            if path.startswith("/") or ".." in path.split("/"):
                raise InputError(f"wheel {wheel.name}: member {path!r}: must lie inside")
            _, _, rest = path.partition(".data/")
            if rest:
                kind, _, path = rest.partition("/")
                if kind not in ("purelib", "platlib"):
                    continue  # scripts and headers
            yield path, archive.read(info)


def _is_whole(folder: Path) -> bool:
    """Is it there, and as it was downloaded?"""
    try:
        known = json.loads((folder / _DIGESTS).read_text())
        return bool(known) and known == digests(sorted(folder.glob("*.whl")))
    except (OSError, ValueError):
        return False


def _download(architecture: Architecture, pinned: bytes, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".download-"))
    except OSError as error:
        raise InputError(f"cache {str(folder.parent)!r}: {error.strerror}") from None
    try:
        (part / "requirements").write_bytes(pinned)
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        command += [*architecture.pip_options, "--dest", str(part), "-r", str(part / "requirements")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise InputError(f"the wheels for {architecture.name} cannot be downloaded: {said[-1]}")
        (part / "requirements").unlink()
        with atomic_path(part / _DIGESTS) as temporary:
            temporary.write_text(json.dumps(digests(sorted(part.glob("*.whl"))), indent=1))
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
