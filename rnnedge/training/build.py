"""``build_model``: from a recipe to its untrained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rnnedge.models import captioner, clip_rnn, row_rnn
from rnnedge.recipes import Recipe
from rnnedge.training.seeds import seeded

if TYPE_CHECKING:
    import keras

_MAKERS: dict[str, Callable[..., keras.Model]] = {
    "classify": row_rnn,
    "clips": clip_rnn,
    "captions": captioner,
}


def build_model(recipe: Recipe, classes: int) -> keras.Model:
    """A recipe's untrained model; its seed names its weights. A clip model takes clips of any length.

    Args:
        classes: of the labels, or words of the vocabulary.
    """
    options = recipe.model.model_dump(exclude={"kind", "freeze"})
    with seeded(recipe.train.seed):
        return _MAKERS[recipe.task](recipe.preprocess().shape, classes, **options)
