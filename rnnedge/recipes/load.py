"""Find, read, check and write recipes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from rnnedge.recipes.models import MODELS
from rnnedge.recipes.schema import Recipe
from rnnedge.recipes.tasks import of_other_tasks
from rnnedge_device.errors import InputError
from rnnedge_device.files import atomic_path


def list_recipes() -> dict[str, str]:
    """Names of the packaged recipes with their descriptions."""
    return {name: tomllib.loads(text).get("description", "") for name, text in sorted(_packaged().items())}


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """A packaged recipe by name, or a TOML file by path, with ``section.key=value`` overrides.

    Raises:
        InputError: no such recipe, not TOML, an unknown key, a wrong type or a value out of range; the
            message names the key, the value received and what is allowed.
    """
    packaged = _packaged()
    path = Path(name_or_path)
    if str(name_or_path) in packaged:
        name, text = str(name_or_path), packaged[str(name_or_path)]
    elif path.is_file():
        name, text = path.stem, path.read_text(encoding="utf-8")
    else:
        raise InputError(
            f"recipe={str(name_or_path)!r}: is neither a file nor one of {', '.join(sorted(packaged))}"
        )
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"recipe={str(name_or_path)!r}: is not TOML: {error}") from None
    values.setdefault("name", name)
    for override in overrides:
        _override(values, override)
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise InputError(f"recipe {name}: " + "; ".join(_problem(e) for e in error.errors())) from None
    recipe.check()
    return recipe


def recipe_text(recipe: Recipe) -> str:
    """Every value of a recipe as TOML, without what is for other tasks."""
    top, sections = [], []
    other: Any = of_other_tasks(recipe.task)
    for key, value in recipe.model_dump(exclude=other).items():
        if isinstance(value, dict):
            sections.append("\n".join([f"\n[{key}]", *(f"{k} = {_toml(v)}" for k, v in value.items())]))
        else:
            top.append(f"{key} = {_toml(value)}")
    return "\n".join([*top, *sections]) + "\n"


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write :func:`recipe_text`; :func:`load_recipe` reads the same recipe back."""
    with atomic_path(path) as temporary:
        temporary.write_text(recipe_text(recipe), encoding="utf-8")


def _toml(value: Any) -> str:
    """A value as TOML, for which JSON is the same but for tables and its escapes beyond ASCII."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_toml(key)} = {_toml(entry)}" for key, entry in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    return json.dumps(value, ensure_ascii=False)


def _packaged() -> dict[str, str]:
    folder = resources.files("rnnedge.recipes")
    return {f.name[:-5]: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    *sections, last = key.strip().split(".")
    if not equals or not last:
        raise InputError(f"--set {override!r}: must be section.key=value, as in train.epochs=5")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a string: --set model.cell=gru
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {override!r}: {section!r} is not a section")
    values[last] = value


def _problem(error: Any) -> str:
    """One validation error as text: the key, what it received, what is allowed."""
    where = [str(part) for part in error["loc"]]
    if error["type"] == "union_tag_invalid":
        return f"{where[0]}.kind={error['input']['kind']!r}: must be one of {', '.join(MODELS)}"
    # In a section that has kinds, pydantic puts the kind before the key.
    kind = where.pop(1) if where[0] == "model" and len(where) > 1 else ""
    # What follows section and key names pydantic's own parts (an index, a member of a union).
    key = ".".join(where[:2])
    if error["type"] == "extra_forbidden":
        allowed = sorted((_section(where[:-1]) or MODELS[kind]).model_fields)
        return f"unknown key {key!r} (value {error['input']!r}); allowed: {', '.join(allowed)}"
    return f"{key}={error['input']!r}: {error['msg'].replace('Input should', 'must')}"


def _section(names: list[str]) -> type[BaseModel] | None:
    """The recipe itself or one of its sections; None where the section has kinds."""
    if not names:
        return Recipe
    annotation = Recipe.model_fields[names[0]].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
