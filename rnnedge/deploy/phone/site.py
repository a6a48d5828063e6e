"""A static site: the built page and a bundle, in a folder that any web server can hand out."""

import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path

from rnnedge.deploy.phone.built import built_site
from rnnedge_device.bundle import read_bundle
from rnnedge_device.errors import InputError

BUNDLE, FACTS, SERVICE_WORKER = "bundle.rnnedge", "site.json", "sw.js"


def site_files(bundle: Path) -> dict[str, bytes]:
    """The whole site with a bundle in it, by the paths of its files.

    `site.json` tells the page which bundle is its own; the service worker begins with the list of files and their
    common version, so that a browser that was here before hears of a change.

    Args:
        bundle: any bundle.

    Raises:
        InputError: a bad bundle, or a site that was not built.
    """
    files = built_site()
    read_bundle(bundle)
    data = bundle.read_bytes()
    files[BUNDLE] = data
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{len(files[path])}\0".encode() + files[path])
    version = digest.hexdigest()[:16]
    facts = {"version": version, "bundle": BUNDLE, "sha256": hashlib.sha256(data).hexdigest()}
    listed = sorted({*files, FACTS} - {SERVICE_WORKER})
    files[FACTS] = (json.dumps(facts) + "\n").encode()
    head = f"const SITE = {json.dumps({'version': version, 'files': listed})};\n"
    files[SERVICE_WORKER] = head.encode() + files[SERVICE_WORKER]
    return dict(sorted(files.items()))


def write_site(bundle: Path, folder: Path) -> dict[str, bytes]:
    """Write the site into `folder`: it is whole, or what was there before is.

    Args:
        bundle: see `site_files`.
        folder: new, empty, or a site that was written here before; it is replaced.

    Returns:
        The files, as `site_files` gives them.

    Raises:
        InputError: as `site_files`, or a folder with something else in it.
    """
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise InputError(f"--web {str(folder)!r}: it is a file; give a folder")
    if target.is_dir() and any(target.iterdir()) and not (target / FACTS).is_file():
        raise InputError(
            f"--web {str(folder)!r}: the folder has other files in it; give a new or an empty one"
        )
    if not target.parent.is_dir():
        raise InputError(f"--web {str(folder)!r}: the folder {str(target.parent)!r} does not exist")
    files = site_files(bundle)
    fresh, old = (
        target.with_name(f".{target.name}-{secrets.token_hex(4)}.{end}") for end in ("tmp", "old.tmp")
    )
    try:
        for path, data in files.items():
            place = fresh / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        if target.is_dir():
            target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            if old.is_dir():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return files
