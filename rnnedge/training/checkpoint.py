"""``Checkpoint``: everything a training needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rnnedge.backend import use_backend
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path

use_backend()

import keras  # noqa: E402 - the backend is chosen first


@dataclass
class Progress:
    """Where a training stands.

    Attributes:
        epoch: finished epochs.
        batch: finished batches of the running epoch.
        history: one row a finished epoch.
        best: the row of the best epoch, empty before the first.
        stale: epochs since the best one.
        seconds: time spent, over all the runs of a resumed training.
        stopped: early stopping has ended it.
    """

    epoch: int = 0
    batch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    stale: int = 0
    seconds: float = 0.0
    stopped: bool = False


def save_checkpoint(path: Path, model: keras.Model, progress: Progress) -> None:
    """Write weights, dropout seeds, optimiser and running metrics; the old file stays on failure."""
    arrays = {
        f"{kind}{i}": value
        for kind, values in _state(model).items()
        for i, value in enumerate(_numpy(values))
    }
    meta = np.frombuffer(json.dumps(asdict(progress)).encode(), np.uint8)
    with atomic_path(path) as temporary:
        np.savez(temporary, meta=meta, **arrays)  # type: ignore[arg-type]


def read_progress(path: Path) -> Progress:
    """The progress alone, before a model is built."""
    return _read(path)[0]


def restore_checkpoint(path: Path, model: keras.Model) -> tuple[Progress, list[np.ndarray]]:
    """Put a checkpoint into a compiled model of the same recipe.

    Returns:
        The progress, and the metrics' values: ``fit`` clears the metrics when an epoch begins, so the caller
        puts them back after that.
    """
    progress, arrays = _read(path)
    for kind, variables in _state(model).items():
        if kind == "metric":
            continue
        values = _numbered(arrays, kind)
        if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
            raise InputError(f"{path}: does not fit this model; it was written by another recipe or version")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    return progress, _numbered(arrays, "metric")


def _state(model: keras.Model) -> dict[str, list[Any]]:
    return {
        "model": list(model.variables),
        "optimizer": list(model.optimizer.variables),
        "metric": list(model.metrics_variables),
    }


def _numpy(variables: list[Any]) -> list[np.ndarray]:
    return [np.asarray(keras.ops.convert_to_numpy(v)) for v in variables]


def _numbered(arrays: dict[str, np.ndarray], kind: str) -> list[np.ndarray]:
    count = sum(name.startswith(kind) for name in arrays)
    return [arrays[f"{kind}{i}"] for i in range(count)]


def _read(path: Path) -> tuple[Progress, dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        progress = Progress(**json.loads(arrays.pop("meta").tobytes()))
    except FileNotFoundError:
        raise InputError(
            f"--resume: there is no checkpoint at {path}; train without --resume first"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: is not a checkpoint of this program: {error}") from None
    return progress, arrays
