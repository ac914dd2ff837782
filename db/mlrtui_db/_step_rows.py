"""Rows of table ``step`` from columns: Python numbers, non-finite ones as NULL and a flag.

Most columns need no change: one pass in C tells, and only what that finds is looked at number by number.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar, cast

from mlrtui_db._sqlite import N, finite, whole
from mlrtui_db.flags import (
    FLAG_ACCURACY_NONFINITE,
    FLAG_LOSS_NAN,
    FLAG_LOSS_NEG_INF,
    FLAG_LOSS_POS_INF,
    FLAG_SHARPNESS_INF,
    FLAG_SHARPNESS_NAN,
    bits,
)
from mlrtui_db.records import MeasureRow, Segment, StepRows

__all__ = ["Batch", "Columns", "Real", "columns_of", "measured", "numbers"]

_LOSS_BITS, _SHARPNESS_BITS = bits("loss"), bits("sharpness")
_VALUE_BITS = _LOSS_BITS | _SHARPNESS_BITS | bits("accuracy")

Real = float | None
Number = TypeVar("Number", int, float)
_OPTIONAL = ("accuracy", "sharpness", "sharpness_residual", "products", "eta")
_UNSET = MeasureRow(0, "", 0.0, 0.0)
_BOUNDS, _COSTS = _UNSET[4:7], _UNSET[8:13]  # what a recorder alone gives; a NaN compares equal as the default itself


class Columns(NamedTuple):
    """Steps of one trial as the store keeps them; field names are the columns of table ``step`` after ``trial_id``."""

    step: Sequence[int]
    loss: Sequence[Real]
    accuracy: Sequence[Real]
    sharpness: Sequence[Real]
    sharpness_residual: Sequence[Real]
    products: Sequence[int | None]
    flags: Sequence[int]
    eta: Sequence[Real]

    def filled(self) -> tuple[str, ...]:
        """Names of the columns that hold more than their default, which is NULL, of ``flags`` 0."""
        return tuple(name for name, column in zip(self._fields, self, strict=True) if not _is_default(name, column))


def columns_of(rows: StepRows, segment: Segment) -> Columns:
    """The rows of one segment."""
    cut = slice(segment.start, segment.stop)
    loss, accuracy, sharpness = rows.loss[cut], rows.accuracy[cut], rows.sharpness[cut]
    kept = _finite(loss), _finite(accuracy), _finite(sharpness)
    flags = _whole(rows.flags[cut])
    plain = kept[0] is loss and kept[1] is accuracy and kept[2] is sharpness and None not in loss
    if not plain or any(flag is None or flag & _VALUE_BITS for flag in set(flags)):
        flags = [_flags(int(flag or 0), *own) for flag, *own in zip(flags, loss, accuracy, sharpness, strict=True)]
    eta: Sequence[Real] = _finite(rows.eta[cut]) if rows.eta else [None] * len(loss)
    products = _whole(rows.products[cut])
    return Columns(_whole(rows.step[cut]), *kept, _finite(rows.sharpness_residual[cut]), products, flags, eta)


class Batch:
    """A batch of steps with its columns looked at once, for all of its segments together."""

    def __init__(self, rows: StepRows) -> None:
        self.rows = rows
        whole = columns_of(rows, Segment(0, 0, 0, 0, len(rows.step)))
        self.names = whole.filled()
        """Columns of table ``step`` that hold more than their default in some row."""
        self._whole = whole._replace(**{name: () for name in _OPTIONAL if name not in self.names})

    def cut(self, segment: Segment) -> Columns:
        """The rows of one segment. A column that holds nothing in the whole batch, loss and flags apart, is empty."""
        part = slice(segment.start, segment.stop)
        return Columns._make(column[part] for column in self._whole)


def measured(
    rows: StepRows, segment: Segment, series: Mapping[tuple[str, str], int]
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What is measured at the steps of one segment: rows of value, edge and residual alone, and whole rows.

    Non-finite numbers are NULL. Most rows are short: binding no more than these takes half the time.
    """
    kept, step, trial_id = rows.measures, rows.step, segment.trial_id
    first, last = (bisect_left(kept, end, key=lambda one: one.row) for end in (segment.start, segment.stop))
    short: list[tuple[object, ...]] = []
    whole: list[tuple[object, ...]] = []
    for one in kept[first:last]:
        key = (trial_id, int(step[one[0]]), series[one[1], one[-1]])
        if one[4:7] == _BOUNDS and one[8:13] == _COSTS:
            # v - v is 0.0 for a finite number alone; NaN and infinities are NULL in this place
            value, edge, residual = one[2], one[3], one[7]
            short.append(
                (
                    *key,
                    value if value - value == 0.0 else None,
                    edge if edge - edge == 0.0 else None,
                    residual if residual - residual == 0.0 else None,
                )
            )
        else:
            whole.append((*key, *[finite(v) if isinstance(v, float) else v for v in one[2:-1]]))
    return short, whole


def numbers(values: Sequence[Number | None]) -> Sequence[Number]:
    """The numbers of a column: itself where none is missing."""
    all_there = cast(Sequence[Number], values)
    try:
        sum(all_there)  # a None has no sum; a loop that searches for one takes longer
    except TypeError:
        return [value for value in values if value is not None]
    return all_there


def _is_default(name: str, column: Sequence[object]) -> bool:
    default = 0 if name == "flags" else None
    return column[0] == default and column.count(default) == len(column)


def _finite(values: Sequence[Real]) -> Sequence[Real]:
    """The column with None for what is not finite: itself where there is nothing to change."""
    total = sum(numbers(values), 0.0)  # not finite if any number is not
    if type(total) is float and math.isfinite(total):  # a sum of NumPy's numbers is another type
        return values
    return [finite(value) for value in values]


def _whole(values: Sequence[N]) -> Sequence[N]:
    """The column as Python ints: itself where it has no others."""
    if type(sum(numbers(values))) is int:
        return values
    return [whole(value) for value in values]


def _flags(flags: int, loss: Real, accuracy: Real, sharpness: Real) -> int:
    """Given flags with the bits that the values imply: a bit never contradicts the value that it is about."""
    result = flags & ~_VALUE_BITS
    if loss is None:
        result |= flags & _LOSS_BITS or FLAG_LOSS_NAN
    elif not math.isfinite(loss):
        result |= FLAG_LOSS_NAN if loss != loss else FLAG_LOSS_POS_INF if loss > 0 else FLAG_LOSS_NEG_INF
    if sharpness is None:
        result |= flags & _SHARPNESS_BITS
    elif not math.isfinite(sharpness):
        result |= FLAG_SHARPNESS_NAN if sharpness != sharpness else FLAG_SHARPNESS_INF
    if accuracy is None:
        result |= flags & FLAG_ACCURACY_NONFINITE
    elif not math.isfinite(accuracy):
        result |= FLAG_ACCURACY_NONFINITE
    return result
