"""Choose the Keras backend before Keras is imported.

``KERAS_BACKEND`` wins. Otherwise the first installed of :data:`PREFERENCE` is taken. The order is measured, a
training step of 128 images on two x86-64 cores (28 rows of 28, one layer of 128 units; Keras 3.15, TensorFlow
2.21, JAX 0.10): LSTM 18 ms on TensorFlow and 19-30 ms on JAX, a convolutional stem with a bidirectional LSTM
62 ms and 137 ms.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator

from rnnedge_device.errors import InputError

PREFERENCE = ("tensorflow", "jax", "torch")
# glibc's malloc.h. An int holds no more, and glibc takes no more as a threshold for mapping than this on 64 bits.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 1 << 30


def installed(name: str) -> bool:
    """Whether a backend's package can be imported (it is not imported here)."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def use_backend(name: str | None = None) -> str:
    """Choose the backend, import Keras on it and return its name; modules call it above their ``import
    keras``.

    Args:
        name: a backend of :data:`PREFERENCE`, or None for ``KERAS_BACKEND`` or else the first installed one.
            Where Keras is already imported its backend stays, and that one is returned.

    Raises:
        InputError: no backend is installed, or the chosen one is not.
    """
    if "keras" not in sys.modules:
        chosen = (
            name or os.environ.get("KERAS_BACKEND") or next((b for b in PREFERENCE if installed(b)), None)
        )
        if chosen is None or (chosen in PREFERENCE and not installed(chosen)):
            wanted = (
                f"the Keras backend {chosen!r} is not installed"
                if chosen
                else "no Keras backend is installed"
            )
            raise InputError(f"{wanted}; install one of {', '.join(PREFERENCE)}")
        os.environ["KERAS_BACKEND"] = chosen
        # Read once when TensorFlow loads: its errors come as exceptions anyway, and its kernels stay
        # reproducible, without which a resumed training could differ in the last bit from an uninterrupted
        # one.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
        _keep_freed_memory()
        with _quiet_stderr():
            importlib.import_module("keras")
    return str(sys.modules["keras"].backend.backend())


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed for what is asked for next.

    By itself it maps a block of a training step's size anew each time and gives it back after: half of the processor's
    time then goes into the kernel's clearing of pages.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library has other ways
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_KEPT)


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep back what native code writes to stderr; show it after all if the block fails.

    TensorFlow prints that it found no GPU before it reads any setting that could stop it.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(shown, hidden.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
