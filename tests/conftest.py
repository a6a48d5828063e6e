"""What several test folders share: real digit scans, and the runtime matrix's second interpreter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

# TensorFlow is there for the exporter anyway; one backend for the whole test process keeps it quick.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As rnnedge.backend sets it before it loads TensorFlow, which other tests may have loaded before.
os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
# Models this small gain nothing from threads, and the workers have the cores already: a tenth of the processor's time.
for _threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_threads, "1")


# Files that take longest, to be begun first: the short ones then fill both workers to the end.
LONGEST = ("test_end_to_end", "test_end_to_end_clips", "test_clip_training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 3 --dist loadfile --no-loadscope-reorder`: the exporter's tests and the longest files first."""

    def place(item: pytest.Item) -> int:
        if item.path.stem in LONGEST:
            return LONGEST.index(item.path.stem)
        return len(LONGEST) + (item.path.parent.name != "export")

    items.sort(key=place)


@pytest.fixture(scope="session")
def scans() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 1,797 scanned digits: ``float32 [N, 8, 8]`` in 0..1, labels ``[N]``."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images / 16).astype(np.float32), data.target.astype(np.int64)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; tests that need it skip where it is absent."""
    folder = os.environ.get("RNNEDGE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("RNNEDGE_DATA is not set to a folder of real data sets")
    return Path(folder)
