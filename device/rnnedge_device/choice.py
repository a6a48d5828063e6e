"""The form that an installer found to be the fastest on this machine, remembered beside the bundle."""

import json
import os
from pathlib import Path
from typing import Any

from rnnedge_device.bundle import Bundle
from rnnedge_device.files import atomic_path

AUTO = "auto"


def note_of(path: str | os.PathLike[str]) -> Path:
    """Where the choice for a bundle is kept: `NAME.json` beside the file itself, whatever link leads to it."""
    return Path(os.path.realpath(path)).with_suffix(".json")


def remember(path: str | os.PathLike[str], note: dict[str, Any]) -> None:
    """Keep what was found about a bundle, `{"sha256", "form", ...}`, in place of what was kept before."""
    with atomic_path(note_of(path)) as temporary:
        temporary.write_text(json.dumps(note) + "\n", encoding="utf-8")
        temporary.chmod(0o644)


def recall(path: str | os.PathLike[str], sha256: str) -> dict[str, Any]:
    """What was kept about this very bundle; `{}` for nothing, or for something that cannot be read."""
    try:
        note = json.loads(note_of(path).read_text(encoding="utf-8"))
        return note if note["sha256"] == sha256 else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def chosen_form(bundle: Bundle, form: str | None) -> str | None:
    """A form, with `auto` resolved: the one chosen for this bundle on this machine, else None, the default.

    Args:
        form: as a config or a command line gives it.
    """
    if form != AUTO:
        return form
    names = [known.name for known in bundle.manifest.forms]
    found = recall(bundle.path, bundle.sha256).get("form") if bundle.path else None
    return found if bundle.manifest.task == "classify" and found in names else None
