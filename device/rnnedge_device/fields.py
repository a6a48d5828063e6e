"""Strict reading of JSON objects: an unknown key or a wrong type names the key and the value."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from rnnedge_device.errors import InputError

T = TypeVar("T")
_REQUIRED = object()


class Fields:
    """One JSON object, read key by key; `done()` refuses the keys nobody asked for.

    Args:
        data: what the JSON parser returned; anything but an object is refused.
        where: the place, for messages, such as `manifest.json: forms[0]`.
        error: the class to raise.
    """

    def __init__(self, data: Any, where: str, error: type[InputError] = InputError) -> None:
        self.where, self._error = where, error
        if not isinstance(data, dict):
            raise error(f"{where}: {shown(data)} is not an object")
        self._data, self._seen = data, set[str]()

    def fail(self, key: str, problem: str) -> InputError:
        """The error to raise for the value of `key`."""
        return self._error(f"{self.where}: {key} = {shown(self._data.get(key))}: {problem}")

    def raw(self, key: str, default: Any = _REQUIRED) -> Any:
        """The value as it stands."""
        self._seen.add(key)
        if key in self._data:
            return self._data[key]
        if default is _REQUIRED:
            raise self._error(f"{self.where}: the key {key!r} is missing")
        return default

    def text(self, key: str, default: Any = _REQUIRED, allowed: tuple[str, ...] = ()) -> str:
        value = self.raw(key, default)
        if not isinstance(value, str):
            raise self.fail(key, "must be a text")
        if allowed and value not in allowed:
            raise self.fail(key, f"must be one of {', '.join(allowed)}")
        return value

    def integer(self, key: str, default: Any = _REQUIRED) -> int:
        value = self.raw(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.fail(key, "must be a whole number")
        return value

    def number(self, key: str, default: Any = _REQUIRED) -> float:
        value = self.raw(key, default)
        if not is_number(value):
            raise self.fail(key, "must be a number")
        return float(value)

    def flag(self, key: str, default: Any = _REQUIRED) -> bool:
        value = self.raw(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "must be true or false")
        return value

    def table(self, key: str, default: Any = _REQUIRED) -> dict[str, Any]:
        value = self.raw(key, default)
        if not isinstance(value, dict):
            raise self.fail(key, "must be an object")
        return value

    def list_of(
        self, key: str, check: Callable[[Any], bool], of: str, default: Any = _REQUIRED
    ) -> tuple[Any, ...]:
        """A list whose every item passes `check`; `of` says in the message what the items must be."""
        value = self.raw(key, default)
        if not isinstance(value, (list, tuple)) or not all(check(item) for item in value):
            raise self.fail(key, f"must be a list of {of}")
        return tuple(value)

    def objects(self, key: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        """A list of objects, each read by `read(object, place)`."""
        items = self.list_of(key, lambda item: isinstance(item, dict), "objects")
        return tuple(read(item, f"{self.where}: {key}[{index}]") for index, item in enumerate(items))

    def done(self) -> None:
        """Refuse what was not read."""
        unknown = sorted(str(key) for key in self._data if key not in self._seen)
        if unknown:
            key = unknown[0]
            known = ", ".join(sorted(self._seen))
            raise self._error(
                f"{self.where}: unknown key {key!r} = {shown(self._data.get(key))}; allowed: {known}"
            )


def is_number(value: Any) -> bool:
    """An int or float that a float can hold, finite; true and false are not numbers."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    )


def is_count(value: Any) -> bool:
    """A whole number above zero."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_whole(value: Any) -> bool:
    """A whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def shown(value: Any) -> str:
    """`value` as it goes into a message: short, on one line."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def one_line(text: str, limit: int = 600) -> str:
    """A message made of what others wrote, as it goes to a terminal or a log: one line, printable, not too long."""
    text = "".join(
        letter if letter.isprintable() else repr(letter)[1:-1] for letter in " ".join(text.split())
    )
    return text if len(text) <= limit else text[: limit - 3] + "..."
