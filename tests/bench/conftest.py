"""The benchmarks are no installed package: their tests find them beside ``tests/``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
