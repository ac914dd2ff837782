"""Points to screen columns: minimum and maximum per column, after the axis transform, so that no peak is lost."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.spec import Axis, Floats

__all__ = ["Columns", "dot_column", "dot_row", "position", "reduce_columns"]

Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Columns:
    """A series in screen space: one entry per non-empty dot column, left to right. Rows count downwards from 0."""

    column: Ints  # [columns]
    top: Ints  # [columns] row of the largest value
    bottom: Ints  # [columns] row of the smallest value
    first: Ints  # [columns] row of the first value in the column
    last: Ints  # [columns] row of the last value
    joined: NDArray[np.bool_]  # [columns] a line leads here from the entry before
    bad_high: Ints  # dot columns of NaN and +inf
    bad_low: Ints  # dot columns of -inf and, on a log axis, of values that are not positive
    points: int
    bad: int  # how many values could not be drawn


def position(values: Floats, axis: Axis) -> Floats:
    """Values as fractions of an x axis: 0 at its left end, 1 at its right end."""
    if axis.log:
        low = math.log1p(axis.low)
        return (np.log1p(values) - low) / max(math.log1p(axis.high) - low, 1e-12)
    return (values - axis.low) / max(axis.high - axis.low, 1e-12)


def dot_column(x: Floats, axis: Axis, columns: int) -> Ints:
    """The dot columns of x values; those outside the axis count as its ends."""
    place = np.clip(position(x, axis), 0.0, 1.0) * (columns - 1)
    column: Ints = np.rint(place).astype(np.intp)
    return column


def reduce_columns(x: Floats, y: Floats, x_axis: Axis, y_axis: Axis, columns: int, rows: int) -> Columns:
    """Reduce points [points] to `columns` x `rows` dots.

    A column depends on x alone, so it does not move when points are added. Values beyond the y range are drawn at its
    edge; non-finite ones break the line and are kept as marks.
    """
    column = dot_column(x, x_axis, columns)  # [points]
    good = np.isfinite(y) & (y > 0) if y_axis.log else np.isfinite(y)
    low_bad = ~good & (y == -np.inf if not y_axis.log else ~(np.isnan(y) | (y == np.inf)))
    high_bad = ~good & ~low_bad
    whole = bool(good.all())  # then nothing has to be taken out of either
    values, kept = (y, column) if whole else (y[good], column[good])  # [good]
    if not kept.size:
        none = np.empty(0, dtype=np.intp)
        return Columns(
            column=none,
            top=none,
            bottom=none,
            first=none,
            last=none,
            joined=np.empty(0, dtype=np.bool_),
            bad_high=_distinct(column[high_bad]),
            bad_low=_distinct(column[low_bad]),
            points=y.size,
            bad=int(y.size),
        )
    starts = _starts(kept)  # [columns]
    ends = np.r_[starts[1:], kept.size] - 1
    joined = np.r_[False, np.ones(starts.size - 1, dtype=np.bool_)]
    if not whole:
        bad_before = np.cumsum(~good)[good]  # [good]
        joined[1:] = bad_before[starts[1:]] == bad_before[ends[:-1]]
    low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return Columns(
        column=kept[starts],
        top=dot_row(high, y_axis, rows),  # rows fall as values grow, so these few are enough
        bottom=dot_row(low, y_axis, rows),
        first=dot_row(values[starts], y_axis, rows),
        last=dot_row(values[ends], y_axis, rows),
        joined=joined,
        bad_high=_distinct(column[high_bad]),
        bad_low=_distinct(column[low_bad]),
        points=y.size,
        bad=int(y.size - kept.size),
    )


def _starts(column: Ints) -> Ints:
    """Where each new column begins; columns never decrease, since x does not."""
    return np.flatnonzero(np.diff(column, prepend=-1))


def _distinct(column: Ints) -> Ints:
    """Each column once. `np.unique` would import masked arrays, 20 ms before the first picture."""
    return column[_starts(column)]


def dot_row(y: Floats, axis: Axis, rows: int) -> Ints:
    """Dot rows of finite values (positive ones on a log axis), clipped to the axis."""
    if axis.log:
        low, high = math.log10(axis.low), math.log10(axis.high)
        value = np.log10(y)
    else:
        low, high, value = axis.low, axis.high, y
    spread = high - low
    if not math.isfinite(spread) or spread <= 0:
        return np.full(y.shape, rows // 2, dtype=np.intp)
    share: Floats = (high - np.clip(value, low, high)) / spread
    row: Ints = np.rint(share * (rows - 1)).astype(np.intp)
    return row
