"""Read a saved Keras model."""

from __future__ import annotations

from pathlib import Path

from rnnedge.backend import use_backend
from rnnedge_device.errors import InputError

use_backend()

import keras  # noqa: E402 - the backend is chosen first


def load_model(path: str | Path) -> keras.Model:
    """A ``.keras`` file as a model, not compiled.

    Raises:
        InputError: the file is missing, damaged, or needs code that is not Keras's own.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        # safe_mode refuses code hidden in a file (lambda layers).
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises whatever the damaged part raised: zip, HDF5, JSON, a missing class.
        raise InputError(f"{path}: is not a Keras model that can be read: {error}") from error
