"""Keras 3 models: functions that return a built Functional model of Keras's own layers."""

from rnnedge.models.files import load_model
from rnnedge.models.row_rnn import row_rnn

__all__ = ["load_model", "row_rnn"]
