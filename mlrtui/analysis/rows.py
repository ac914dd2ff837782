"""Rows of the store's views, by column name: numbers, texts, and the rows of a net together."""

from collections.abc import Iterable, Mapping
from math import isfinite, nan

__all__ = ["Row", "by_net", "number", "text_of"]

Row = Mapping[str, object]
"""One row of a view, by column."""


def number(row: Row, name: str) -> float:
    """A finite number of a row; NaN where there is none."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and isfinite(value) else nan


def text_of(row: Row, name: str) -> str:
    """A text of a row; "" where there is none."""
    value = row.get(name)
    return "" if value is None else str(value)


def by_net(rows: Iterable[Row]) -> dict[tuple[str, str, int], list[Row]]:
    """Rows of each net together, by sweep, cell and seed, in the order in which they come."""
    found: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        seed = row.get("seed")
        key = text_of(row, "sweep"), text_of(row, "cell"), int(seed) if isinstance(seed, int | float) else 0
        found.setdefault(key, []).append(row)
    return found
