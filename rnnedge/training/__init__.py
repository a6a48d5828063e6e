"""Training: optimiser, schedule, clipping, checkpoints with exact resume, logs.

The names below are imported on first use: a training's result is read without loading Keras.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnedge.training.loop import train
    from rnnedge.training.result import TrainResult, load_result

__all__ = ["TrainResult", "load_result", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = "loop" if name == "train" else "result"
        return getattr(importlib.import_module(f"rnnedge.training.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
