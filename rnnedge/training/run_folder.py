"""The folder of a training: what may be written over, and what may be resumed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rnnedge.recipes import Recipe, load_recipe, write_recipe
from rnnedge_device.errors import InputError

CHECKPOINT = Path("checkpoint") / "last.npz"


def prepare_folder(out: Path, recipe: Recipe, *, resume: bool, overwrite: bool) -> None:
    """Make the folder ready for a new training or a resumed one.

    Raises:
        InputError: it holds a training (and neither is asked for), none to resume, or one of another recipe.
    """
    if resume:
        if not (out / CHECKPOINT).is_file():
            raise InputError(f"--resume: {out} holds no checkpoint; train without --resume first")
        before = load_recipe(out / "recipe.toml").model_dump()
        changed = _changes(before, recipe.model_dump())
        if changed:
            raise InputError(
                f"--resume: the recipe is not the one {out} was begun with: {'; '.join(changed)}"
            )
        return
    if (out / CHECKPOINT).exists() or (out / "model.keras").exists():
        if not overwrite:
            raise InputError(
                f"--out {out}: holds a training already; use --resume, --overwrite or another folder"
            )
        for name in ("model.keras", "train.json", "history.csv", "recipe.toml"):
            (out / name).unlink(missing_ok=True)
        for name in ("checkpoint", "tensorboard"):
            shutil.rmtree(out / name, ignore_errors=True)
    (out / "checkpoint").mkdir(parents=True, exist_ok=True)
    write_recipe(recipe, out / "recipe.toml")


def _changes(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """The training values that differ; name, description and [quantize] may change freely."""
    found = []
    for key, old in before.items():
        new = now[key]
        if isinstance(old, dict):
            found += [] if key == "quantize" else _changes(old, new, f"{key}.")
        elif old != new and (prefix or key not in ("name", "description")):
            found.append(f"{prefix}{key} was {old!r}, now {new!r}")
    return found
