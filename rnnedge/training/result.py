"""``TrainResult``: the figures of a training, kept as ``train.json`` in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Attributes:
        recipe, data: names.
        val_accuracy, val_loss, best_epoch: of the kept model, the best on ``val`` or the last (``train.keep``);
            epochs count from 1.
        epochs, steps, seconds: what was run, over all resumptions.
        images: images (or clips) of ``train`` and ``val``; skipped: damaged ones among them.
        labels: class names in label order.
        parameters: weights of the model.
        backend: Keras backend.
        stopped: early stopping ended it before the recipe's last epoch.
    """

    recipe: str
    data: str
    val_accuracy: float
    val_loss: float
    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    images: dict[str, int]
    skipped: int
    labels: list[str]
    parameters: int
    backend: str
    stopped: bool

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write ``train.json``."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")


def load_result(folder: str | Path) -> TrainResult:
    """Read ``train.json`` of a finished training's folder."""
    path = Path(folder) / "train.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return TrainResult(**{f.name: values[f.name] for f in fields(TrainResult)})
    except FileNotFoundError:
        raise InputError(f"{folder}: holds no finished training (no train.json)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not a training's result: {error!r}") from None
