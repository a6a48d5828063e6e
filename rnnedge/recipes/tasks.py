"""Which keys of a recipe only some tasks know."""

from __future__ import annotations

from typing import Any

# What not every task knows; no keys: the whole section.
ONLY: dict[str, dict[str, tuple[str, ...]]] = {
    "clips": {
        "clip": (),
        "events": (),
        "data": ("classes", "fold", "folds"),
        "foreground": (),
        "augment": ("flip", "upside_down", "trim", "extend", "jitter", "speed", "reverse"),
        "train": ("carry", "frame_weight", "whole_share", "with_val"),
    },
    "captions": {
        "caption": (),
        "augment": ("flip",),
        "quantize": ("samples",),
        "train": (
            "label_smoothing",
            "word_dropout",
            "length_pool",
            "scheduled_sampling",
            "encoder_rate",
            "init",
        ),
    },
}
KIND = {"classify": "row_rnn", "clips": "clip_rnn", "captions": "captioner"}


def of_other_tasks(task: str) -> dict[str, Any]:
    """The sections and keys that a recipe of ``task`` does not have: ``{section: {keys}, or True for all}``."""
    found: dict[str, Any] = {}
    shared = ONLY.get(task, {})
    for owner, sections in ONLY.items():
        if owner != task:
            for section, keys in sections.items():
                strange = {*keys} - {*shared.get(section, ())}
                if strange or not keys:
                    found[section] = {*found.get(section, ()), *strange} or True
    return found
