"""``rnnedge recipes``."""

from __future__ import annotations

from pathlib import Path

import click

from rnnedge.commands import options


@click.command()
@click.argument("recipe", required=False)
@options.overrides
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the recipe with every value to this TOML file."
)
@options.as_json
def command(recipe: str | None, overrides: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """List the packaged recipes, or print one with every value.

    \b
    Example:
      rnnedge recipes
      rnnedge recipes row-lstm --set model.cell=gru --out my.toml
    """
    from rnnedge.recipes import list_recipes, load_recipe, recipe_text, write_recipe

    if recipe is None:
        if as_json:
            options.print_json(list_recipes())
            return
        width = max(map(len, list_recipes()))
        for name, description in list_recipes().items():
            click.echo(f"{name:<{width}}  {description}")
        return
    chosen = load_recipe(recipe, overrides)
    if out:
        write_recipe(chosen, out)
    elif as_json:
        options.print_json(chosen.model_dump())
    else:
        click.echo(recipe_text(chosen), nl=False)
