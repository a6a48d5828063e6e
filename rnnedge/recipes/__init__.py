"""Recipes: named training configurations in TOML."""

from rnnedge.recipes.load import list_recipes, load_recipe, recipe_text, write_recipe
from rnnedge.recipes.schema import Recipe

__all__ = ["Recipe", "list_recipes", "load_recipe", "recipe_text", "write_recipe"]
