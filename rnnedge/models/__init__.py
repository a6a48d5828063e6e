"""Keras 3 models: functions that return a built Functional model of Keras's own layers."""

from rnnedge.models.row_rnn import row_rnn

__all__ = ["row_rnn"]
