"""Reproducible weights: Keras draws the seeds of its initialisers and dropouts from Python's ``random``."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Build models inside the block with a fixed seed; the caller's own random state is put back after it.

    ``keras.utils.set_random_seed`` would do, but it imports TensorFlow wherever that is installed.
    """
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
