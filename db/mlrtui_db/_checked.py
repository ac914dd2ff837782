"""Rows of a store as records, once every value is one that its column may hold: the file may be damaged or made up.

What is read through here has its type, numbers are finite, counts and times are within what a calendar and an array can
take, and JSON is shallow. A row that is otherwise is named.
"""

import json
import math
import types
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from mlrtui_db._record import LAST_TIME

__all__ = ["Unreadable", "count", "json_list", "json_object", "plain_rows", "record", "records", "short_repr"]

T = TypeVar("T")
_TIMES = frozenset({"created_at", "finished_at", "heartbeat_at", "at", "started_at", "ended_at"})
_POSITIVE = frozenset({"depth", "width", "eta", "edge"})
_ANY_SIGN = frozenset({"seed"})
_LARGEST = 2**53
_DEEPEST = 40
_SHOWN = 60
_PLAIN = frozenset({str, int, float, type(None)})


class Unreadable(Exception):
    """A row that no mlrtui wrote; says which and what is wrong with it. `translated` makes a `StoreDamaged` of it."""


def record(cls: type[T], row: tuple[Any, ...], table: str) -> T:
    """A row as a dataclass whose fields are the row's columns in order.

    Raises:
        Unreadable: a value is not of the field's type, or out of range.
    """
    for (name, allowed, ranged), value in zip(_fields(cast(Hashable, cls)), row, strict=False):
        kind = type(value)
        if kind not in allowed or (ranged and value is not None and not _in_range(name, value)):
            raise Unreadable(f"{table} {short_repr(row[0])}: {name} is {short_repr(value)}")
    return cls(*row)


def records(cls: type[T], rows: Sequence[tuple[Any, ...]], table: str) -> tuple[T, ...]:
    """Many rows as `record` makes them, checked column by column, which takes a fourth of the time.

    Raises:
        Unreadable: as `record`, of the first row that is wrong.
    """
    for (name, allowed, ranged), column in zip(_fields(cast(Hashable, cls)), zip(*rows, strict=True), strict=False):
        if not _is_plain(name, allowed, ranged, column):
            return tuple(record(cls, row, table) for row in rows)
    return tuple(cls(*row) for row in rows)


def _is_plain(name: str, allowed: frozenset[type], ranged: bool, column: tuple[Any, ...]) -> bool:
    """Whether all values are right; False also where only a look at each can tell."""
    kinds = set(map(type, column))
    if not kinds <= allowed:
        return False
    kinds.discard(type(None))
    if not ranged or not kinds or kinds == {str}:
        return True
    if len(kinds) > 1:  # ranges of whole and of other numbers differ
        return False
    given = [value for value in column if value is not None]
    if kinds == {float} and not math.isfinite(sum(given)):
        return False
    return _in_range(name, min(given)) and _in_range(name, max(given))


def count(value: object, where: str) -> int:
    """A whole number out of a store that counts something.

    Raises:
        Unreadable: it is something else.
    """
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise Unreadable(f"{where} is {short_repr(value)}")
    return value


def json_object(text: object, where: str) -> dict[str, Any]:
    """JSON of an object out of a store.

    Raises:
        Unreadable: it is something else.
    """
    found = _parsed(text, where)
    if not isinstance(found, dict):
        raise Unreadable(f"{where} is {short_repr(text)}")
    return found


def json_list(text: object, where: str) -> list[Any]:
    """JSON of a list out of a store.

    Raises:
        Unreadable: it is something else.
    """
    found = _parsed(text, where)
    if not isinstance(found, list):
        raise Unreadable(f"{where} is {short_repr(text)}")
    return found


def plain_rows(rows: Iterable[tuple[Any, ...]], what: str) -> Iterator[tuple[Any, ...]]:
    """The rows as they are: numbers, texts and NULL alone.

    Raises:
        Unreadable: there is a blob in one.
    """
    for row in rows:
        if not _PLAIN.issuperset(map(type, row)):
            raise Unreadable(f"a row of {what} holds {short_repr(next(v for v in row if type(v) not in _PLAIN))}")
        yield row


@cache
def _fields(cls: Hashable) -> tuple[tuple[str, frozenset[type], bool], ...]:
    """Name of each field, the types that it may have, and whether its values have a range."""
    found = []
    for name, hint in get_type_hints(cast(type, cls)).items():
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        allowed = {option for option in options if option in (str, int, float, type(None))}
        if float in allowed:
            allowed.add(int)
        found.append((name, frozenset(allowed or {tuple, str}), bool(allowed & {int, float})))
    return tuple(found)


def _in_range(name: str, value: float | str) -> bool:
    if isinstance(value, str):
        return True
    if name in _TIMES:
        return 0 <= value <= LAST_TIME
    if name in _POSITIVE and value <= 0:
        return False
    if isinstance(value, float):
        return math.isfinite(value)
    return (-_LARGEST if name in _ANY_SIGN else 0) <= value <= _LARGEST


@lru_cache(maxsize=64)
def _parsed_text(text: str) -> object:
    found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    level: list[object] = [found]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return found
    raise ValueError("nested too deeply")


def _parsed(text: object, where: str) -> object:
    try:
        return _parsed_text(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        raise Unreadable(f"{where} is not JSON that mlrtui writes: {short_repr(text)}") from None


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def short_repr(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    if isinstance(value, str | bytes):
        return repr(value if len(value) <= _SHOWN else value[:_SHOWN]) + ("..." if len(value) > _SHOWN else "")
    return repr(value)
