"""Captioners: an image encoder and a recurrent decoder as two signatures of one int8 file."""
