"""Choose the Keras backend before Keras is imported.

``KERAS_BACKEND`` wins. Otherwise the first installed of :data:`PREFERENCE` is taken. The order is measured, a training
step of 128 images on two x86-64 cores (28 rows of 28, one layer of 128 units; Keras 3.15, TensorFlow 2.21, JAX 0.10):
LSTM 18 ms on TensorFlow and 19-30 ms on JAX, a convolutional stem with a bidirectional LSTM 62 ms and 137 ms.
"""

from __future__ import annotations

import importlib.util
import os
import sys

PREFERENCE = ("tensorflow", "jax", "torch")


def installed(name: str) -> bool:
    """Whether a backend's package can be imported (it is not imported here)."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def use_backend(name: str | None = None) -> str:
    """Set the backend and return its name; call it before the first ``import keras``.

    Args:
        name: a backend of :data:`PREFERENCE`, or None for ``KERAS_BACKEND`` or else the first installed one. Where Keras
            is already imported its backend stays, and that one is returned.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None and hasattr(loaded, "backend"):
        return str(loaded.backend.backend())
    chosen = name or os.environ.get("KERAS_BACKEND") or next((b for b in PREFERENCE if installed(b)), None)
    if chosen is None:
        from rnnedge_device.errors import InputError

        raise InputError(f"no Keras backend is installed; install one of {', '.join(PREFERENCE)}")
    os.environ["KERAS_BACKEND"] = chosen
    # Read once when TensorFlow loads: only warnings and worse reach the terminal, and its kernels stay reproducible,
    # without which a resumed training could differ in the last bit from an uninterrupted one.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    return chosen
