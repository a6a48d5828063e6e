"""Options that several commands share, so that they are named the same way everywhere."""

from __future__ import annotations

import json
from typing import Any

import click

DATA_HELP = "digits, mnist, fashion_mnist, cifar10 or folder:PATH (one sub-folder of images a class)."

data = click.option("--data", metavar="NAME[:PATH]", help=DATA_HELP)
split = click.option(
    "--split",
    type=click.Choice(["train", "val", "test", "all"]),
    default="test",
    show_default=True,
    help="Which part of the data.",
)
group = click.option(
    "--group",
    metavar="REGEX",
    help="For a folder: images with the same match stay on one side of the split, as in '_person(\\d+)_'.",
)
strict = click.option(
    "--strict", is_flag=True, help="Stop at an image that cannot be decoded instead of skipping it."
)
overrides = click.option(
    "--set",
    "overrides",
    metavar="SECTION.KEY=VALUE",
    multiple=True,
    help="Change a value of the recipe; repeatable.",
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print the figures as one JSON object on stdout."
)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value, indent=2))


beam = click.option(
    "--beam",
    type=click.IntRange(min=1),
    help="For captions: sentences kept while searching; 1 is greedy.  [default: the bundle's]",
)
