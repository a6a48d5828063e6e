"""Training: optimiser, schedule, clipping, checkpoints with exact resume, logs."""

from rnnedge.training.loop import train
from rnnedge.training.result import TrainResult, load_result

__all__ = ["TrainResult", "load_result", "train"]
