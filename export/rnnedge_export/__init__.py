"""Trained Keras 3 model → tf_keras twin → quantisation-aware training → int8 TFLite → audited bundle.

The names below are imported on first use: ``import rnnedge_export`` alone does not load TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "quantize": "qat",
    "Quantized": "quantized",
    "ptq": "posttraining",
    "audit": "auditing",
    "Audit": "auditing",
    "read_model": "flatbuffer",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"rnnedge_export.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
