"""What a store holds, and what of another sweep it decides."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["Row", "rows", "undecided"]

Row = tuple[Any, ...]


def rows(store: Path, query: str, *values: object) -> list[Row]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute(query, values).fetchall()


def undecided(before: Iterable[Row], wanted: Iterable[Row]) -> int:
    """How many trainings of a fresh sweep have steps, or an end, that no stored one has.

    A training is what names it, its last step and its verdict.
    """
    longest: dict[Row, int] = {}
    ended: set[Row] = set()
    for *place, last, verdict in before:
        longest[tuple(place)] = max(longest.get(tuple(place), -1), last)
        if verdict != "reached":
            ended.add((*place, last))
    return sum(
        longest.get(tuple(place), -1) < last if verdict == "reached" else (*place, last) not in ended
        for *place, last, verdict in wanted
    )
