"""Data sets of labelled images, named the same way everywhere: ``NAME[:PATH]``."""

from rnnedge.data.augment import Augment
from rnnedge.data.dataset import Dataset
from rnnedge.data.load import load_data

__all__ = ["Augment", "Dataset", "load_data"]
