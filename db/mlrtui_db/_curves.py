"""The stored steps of one trial as arrays."""

import math
import sqlite3
from array import array
from itertools import chain

from mlrtui_db._checked import Unreadable
from mlrtui_db.models import Curve, MeasureCurve, PartCurve
from mlrtui_db.parts import natural

__all__ = ["LEARNING_RATE", "read_curve", "read_measure_curve", "read_measures"]

LEARNING_RATE = "learning rate"
"""That of each step of a recorded run, as a measure without an edge."""

# Infinity stands for NULL, since the store keeps finite numbers only and SQLite cannot hand out NaN.
_NULL = math.inf
_NULL_BYTES = array("d", [_NULL]).tobytes()
_STEPS = (
    "SELECT step, ifnull(loss, 9e999), ifnull(accuracy, 9e999), ifnull(sharpness, 9e999),"
    " ifnull(sharpness_residual, 9e999), flags FROM step WHERE trial_id = ? AND step > ? ORDER BY step LIMIT ?"
)
_NUMBERS = ("loss", "accuracy", "sharpness", "sharpness_residual")
_SAMPLE = 100  # first steps, which say what most of the others have
_COUNTED = (*_NUMBERS, "flags")
_THERE = {name: f"{name} IS NOT NULL" for name in _NUMBERS} | {"flags": "flags != 0"}
_SAMPLED = (
    f"SELECT count(*), {', '.join(f'total({_THERE[name]})' for name in _COUNTED)}"
    " FROM (SELECT * FROM step WHERE trial_id = ? ORDER BY step LIMIT ?)"
)
_BOUNDS = (
    "SELECT (SELECT min(step) FROM step WHERE trial_id = :trial), (SELECT max(step) FROM step WHERE trial_id = :trial)"
)
_LONG = 5_000  # steps from which it is worth it to look first at what there is
_VALUES = (
    "SELECT part, step, ifnull(value, 9e999), ifnull(edge, 9e999), ifnull(edge_high, 9e999) FROM measured"
    " WHERE trial_id = ? AND step > ? AND measure = ? ORDER BY step"
)

# One name may come later than others, or for the first steps only; a trial with millions of values is not read whole.
_ENDS = 2000
_MEASURES = (
    "SELECT DISTINCT measure FROM ("
    " SELECT * FROM (SELECT measure FROM measured WHERE trial_id = :trial ORDER BY step LIMIT :ends) UNION ALL"
    " SELECT * FROM (SELECT measure FROM measured WHERE trial_id = :trial ORDER BY step DESC LIMIT :ends)"
    ") ORDER BY measure"
)
_RATE = (
    "SELECT p.eta FROM step p JOIN trial USING (trial_id) JOIN net USING (net_id) JOIN cell USING (cell_id)"
    " JOIN sweep s USING (sweep_id) WHERE trial_id = ? AND s.mode = 'recorded' LIMIT 1"
)
_RATES = (
    "SELECT '', step, ifnull(eta, 9e999), 9e999, 9e999 FROM step"
    " WHERE trial_id = ? AND step > ? AND ? = 'learning rate' ORDER BY step"
)


def read_curve(
    connection: sqlite3.Connection, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True
) -> Curve:
    """See `Reader.curve`."""
    found = connection.execute("SELECT attempt, n_steps FROM trial WHERE trial_id = ?", (trial_id,)).fetchone()
    try:
        if found and limit < 0 and after_step < 0 and isinstance(found[1], int) and found[1] >= _LONG:
            long = _read_long(connection, trial_id, int(found[0]), found[1], residuals)
            if long is not None:
                return long
        rows = connection.execute(_STEPS, (trial_id, after_step, limit))
        cells = array("d", chain.from_iterable(rows))  # a list of all rows would take three times as long
        return _curve(trial_id, int(found[0]) if found else 0, cells, residuals)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"trial {trial_id}: a step of it is not made of numbers") from None


def _read_long(
    connection: sqlite3.Connection, trial_id: int, attempt: int, n_steps: int, residuals: bool
) -> Curve | None:
    """A whole long curve whose steps follow one another; None for others.

    To hand out a number takes longer than to look at it: so of columns that most steps have all is handed out, in one
    walk, and of the others only what there is.
    """
    names = (*(_NUMBERS if residuals else _NUMBERS[:-1]), "flags")
    first, last = connection.execute(_BOUNDS, {"trial": trial_id}).fetchone()
    if not isinstance(first, int) or not isinstance(last, int) or last - first + 1 != n_steps:
        return None
    sampled, *counts = connection.execute(_SAMPLED, (trial_id, _SAMPLE)).fetchone()
    dense = [name for name in names if 2 * counts[_COUNTED.index(name)] > sampled]
    rest = [name for name in names if name not in dense]
    if not dense:
        return None
    asked = ", ".join(f"ifnull({name}, 9e999)" for name in dense)
    query = f"SELECT {asked} FROM step WHERE trial_id = ? ORDER BY step"
    cells = array("d", chain.from_iterable(connection.execute(query, (trial_id,))))
    rows = len(cells) // len(dense)
    if rows != n_steps:  # a store of anybody's
        return None
    columns = {name: _with_nan(cells[at :: len(dense)]) for at, name in enumerate(dense)}
    flags = array("q", map(int, columns.pop("flags"))) if "flags" in dense else array("q", bytes(8 * rows))
    columns |= {name: array("d", [math.nan]) * rows for name in rest if name != "flags"}
    there = " OR ".join(_THERE[name] for name in rest)
    query = f"SELECT step, {', '.join(rest)} FROM step WHERE trial_id = ? AND ({there})"
    for step, *values in connection.execute(query, (trial_id,)) if rest else ():
        for name, value in zip(rest, values, strict=True):
            if name == "flags":
                flags[step - first] = value
            elif value is not None:
                columns[name][step - first] = value
    columns.setdefault("sharpness_residual", array("d"))
    return Curve(trial_id, attempt, array("q", range(first, last + 1)), flags=flags, **columns)


def read_measures(connection: sqlite3.Connection, trial_id: int) -> tuple[str, ...]:
    """See `Reader.measures`."""
    names = [name for (name,) in connection.execute(_MEASURES, {"trial": trial_id, "ends": _ENDS})]
    if not all(isinstance(name, str) for name in names):
        raise Unreadable(f"trial {trial_id}: the name of a measure is no text")
    has_rate = connection.execute(_RATE, (trial_id,)).fetchone() is not None
    return (*names, LEARNING_RATE) if has_rate else tuple(names)


def read_measure_curve(
    connection: sqlite3.Connection, trial_id: int, measure: str, after_step: int = -1
) -> MeasureCurve:
    """See `Reader.measure_curve`."""
    found = connection.execute("SELECT attempt FROM trial WHERE trial_id = ?", (trial_id,)).fetchone()
    query = _RATES if measure == LEARNING_RATE else _VALUES
    rows = connection.execute(query, (trial_id, after_step, measure))
    try:
        by_part: dict[str, array[float]] = {}
        for part, *cells in rows:
            by_part.setdefault(str(part), array("d")).extend(cells)
        parts = {part: _values(cells) for part, cells in sorted(by_part.items(), key=lambda one: natural(one[0]))}
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"trial {trial_id}: a value of a measure is not made of numbers") from None
    return MeasureCurve(trial_id, int(found[0]) if found else 0, measure, parts)


def _values(cells: "array[float]") -> PartCurve:
    """The columns of `_VALUES` after the part, given row by row."""
    step, *columns = (cells[column::4] for column in range(4))
    return PartCurve(array("q", map(int, step)), *map(_with_nan, columns))


def _curve(trial_id: int, attempt: int, cells: "array[float]", residuals: bool) -> Curve:
    """The columns of `_STEPS`, given row by row."""
    step, loss, accuracy, sharpness, residual, flags = (cells[column::6] for column in range(6))
    return Curve(
        trial_id=trial_id,
        attempt=attempt,
        step=array("q", map(int, step)),
        loss=_with_nan(loss),
        accuracy=_with_nan(accuracy),
        sharpness=_with_nan(sharpness),
        sharpness_residual=_with_nan(residual) if residuals else array("d"),
        flags=array("q", map(int, flags)),
    )


def _with_nan(values: "array[float]") -> "array[float]":
    """The values with NaN where there was NULL."""
    if _NULL_BYTES not in values.tobytes():  # a tenth of the time that it takes to compare numbers
        return values
    return array("d", [math.nan if value == _NULL else value for value in values])
