"""rnnedge: recurrent vision models from Keras 3 to int8 TFLite on a live camera."""

__version__ = "0.1.0"
