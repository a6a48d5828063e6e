"""Where a quantiser stands, in words: the names of ``rnnedge_export.cells`` and tfmot, explained."""

from __future__ import annotations

from collections.abc import Mapping

WORDS = {
    "quantize_layer": "image",
    "zx": "gates, input’s part",
    "zh": "gates, state’s part",
    "z": "gates",
    "n": "candidate",
    "rn": "candidate, state’s part",
    "nh": "candidate, state’s part",
    "c": "cell state",
    "h": "hidden state",
    "kernel": "weights",
    "depthwise_kernel": "weights",
    "recurrent_kernel": "recurrent weights",
    "candidate_kernel": "candidate’s weights",
    "pre_activation": "before activation",
    "post_activation": "output",
}


def words(what: str) -> str:
    """A quantiser's name in words, or as it is."""
    return WORDS.get(what, what.replace("_", " "))


def is_weight(what: str) -> bool:
    """Is that quantiser a weight's?"""
    return "kernel" in what


def layer_title(layer: str, types: Mapping[str, str]) -> str:
    """A layer's name with its type, where ``types`` knows it."""
    if layer == "quantize_layer":
        return "input"
    return f"{layer} ({types[layer]})" if layer in types else layer
