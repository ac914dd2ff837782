"""A mistake in a sweep file, and how it is said: place, field, value, remedy, always on one line."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mlrtui.text.escape import one_line

__all__ = ["NO_VALUE", "Mistake", "bare", "enumerate_words", "one_line", "toml_text"]

NO_VALUE: Final = object()
"""Stands where a mistake has no value to show: a missing key, an unknown table."""

_LONGEST_VALUE = 60
_LONGEST_FIELD = 120
_DEEPEST_VALUE = 4


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong. ``field`` is a dotted key or a table in brackets; ``text`` ends with the remedy."""

    field: str
    value: object
    text: str

    def line(self, place: str) -> str:
        """The sentence for the user; ``place`` is the file."""
        shown = "" if self.value is NO_VALUE else f" = {toml_text(self.value)}"
        return f"{one_line(place)}: {one_line(self.field[:_LONGEST_FIELD])}{shown}: {self.text}"


def toml_text(value: object) -> str:
    """A value as TOML writes it, cut to a readable length."""
    text = _toml(value, _DEEPEST_VALUE)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def bare(values: Sequence[object]) -> object:
    """The values of an axis as a file writes them: one by itself, several as a list."""
    return values[0] if len(values) == 1 else list(values)


def enumerate_words(words: Iterable[str], link: str = "or") -> str:
    """``a, b or c``."""
    *first, last = words
    return f"{', '.join(first)} {link} {last}" if first else last


def _toml(value: object, depth: int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return one_line(json.dumps(value[: _LONGEST_VALUE + 1], ensure_ascii=False))
    if isinstance(value, int):
        return f"{value}" if abs(value) < 10**_LONGEST_VALUE else "an integer of more than 60 digits"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple | Mapping) and depth == 0:
        return "…"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item, depth - 1) for item in value[:_LONGEST_VALUE])}]"
    if isinstance(value, Mapping):
        items = list(value.items())[:_LONGEST_VALUE]
        inside = ", ".join(f"{one_line(str(key)[:_LONGEST_VALUE])} = {_toml(item, depth - 1)}" for key, item in items)
        return f"{{ {inside} }}" if inside else "{}"
    return one_line(str(value))
