"""What is built once and travels in the package: the site, and the app's code and resources."""

from importlib import resources
from importlib.resources.abc import Traversable

from rnnedge_device.errors import InputError


def built_site() -> dict[str, bytes]:
    """The page's files, by their paths with forward slashes.

    Raises:
        InputError: a checkout in which it was not built.
    """
    return _files("site", "index.html", "make web")


def built_app() -> dict[str, bytes]:
    """The app's compiled code, manifest and resources, by their paths.

    Raises:
        InputError: a checkout in which it was not built.
    """
    return _files("android", "classes.dex", "make android")


def _files(folder: str, witness: str, target: str) -> dict[str, bytes]:
    root = resources.files("rnnedge.deploy.phone") / folder
    if not (root / witness).is_file():
        raise InputError(
            f"rnnedge/deploy/phone/{folder} is not built: run '{target}' in the checkout (the wheel brings it along)"
        )
    return dict(sorted(_walk(root, "")))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
