"""Captions: sentences about images, as words, and how good they are."""
