"""The files of a site as they go out: read once, by a fixed list, with their types and headers."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from rnnedge_device.errors import InputError

TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".json": "application/json", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
    ".svg": "image/svg+xml", ".png": "image/png", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip
# What the page may do is in the page itself (a meta tag); its worker compiles WebAssembly and asks for its files.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self'; "
    "style-src 'self'; media-src 'self' blob: mediastream:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_LIMIT = 512 << 20  # bytes: they lie in memory


@dataclass(frozen=True)
class SiteFile:
    """A file ready to be sent.

    Args:
        type: its media type.
        data: its bytes.
        packed: the same under gzip, where that is smaller.
        tag: changes with the bytes (ETag).
    """

    type: str
    data: bytes
    packed: bytes | None
    tag: str


def read_site(folder: Path) -> dict[str, SiteFile]:
    """The files of a site that `rnnedge deploy --web` wrote, by their addresses (`/index.html`).

    Raises:
        InputError: no such folder, no site in it, links out of it, or larger than 512 MiB.
    """
    where = f"--serve-web {str(folder)!r}"
    if not folder.is_dir():
        raise InputError(f"{where}: there is no such folder; rnnedge deploy BUNDLE --web DIR writes one")
    if not (folder / "index.html").is_file() or not (folder / "site.json").is_file():
        raise InputError(f"{where}: no site is in it; rnnedge deploy BUNDLE --web DIR writes one")
    found: dict[str, SiteFile] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise InputError(f"{where}: {path.name!r} is a link; a site has files only")
        if not path.is_file():
            continue
        total += path.stat().st_size
        if total > _LIMIT:
            raise InputError(f"{where}: its files have more than {_LIMIT >> 20} MiB together")
        found["/" + path.relative_to(folder).as_posix()] = _file(path)
    return found


def _file(path: Path) -> SiteFile:
    data = path.read_bytes()
    packed = (
        gzip.compress(data, compresslevel=6, mtime=0) if path.suffix not in (".png", ".rnnedge") else None
    )
    return SiteFile(
        type=TYPES.get(path.suffix, "application/octet-stream"),
        data=data,
        packed=packed if packed is not None and len(packed) < len(data) else None,
        tag=f'"{hashlib.sha256(data).hexdigest()[:32]}"',
    )
