"""Keras 3 models: functions that return a built Functional model of Keras's own layers."""

from rnnedge.models.captioner import captioner, encoder_of
from rnnedge.models.clip_rnn import clip_rnn, fixed_length
from rnnedge.models.files import load_model
from rnnedge.models.per_frame import PerFrame
from rnnedge.models.row_rnn import row_rnn

__all__ = ["PerFrame", "captioner", "clip_rnn", "encoder_of", "fixed_length", "load_model", "row_rnn"]
