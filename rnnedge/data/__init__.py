"""Data sets of labelled images and clips, named the same way everywhere: ``NAME[:PATH]``."""

from rnnedge.data.augment import Augment
from rnnedge.data.clip_augment import ClipAugment
from rnnedge.data.clips import Clip, ClipOptions, ClipSet, Truth, load_clips
from rnnedge.data.dataset import Dataset
from rnnedge.data.load import load_data

__all__ = [
    "Augment",
    "Clip",
    "ClipAugment",
    "ClipOptions",
    "ClipSet",
    "Dataset",
    "Truth",
    "load_clips",
    "load_data",
]
