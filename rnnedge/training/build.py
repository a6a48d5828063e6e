"""``build_model``: from a recipe to its untrained model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rnnedge.models import clip_rnn, row_rnn
from rnnedge.recipes import Recipe
from rnnedge.training.seeds import seeded

if TYPE_CHECKING:
    import keras


def build_model(recipe: Recipe, classes: int) -> keras.Model:
    """A recipe's untrained model; its seed names its weights. A clip model takes clips of any length."""
    make: Callable[..., keras.Model] = clip_rnn if recipe.task == "clips" else row_rnn
    with seeded(recipe.train.seed):
        return make(recipe.preprocess().shape, classes, **recipe.model.model_dump(exclude={"kind"}))
