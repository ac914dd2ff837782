"""Where the cursor of the Trial screen stands and which part of the steps is visible; pure functions on a trace."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.downsample import dot_column
from mlrtui.charts.memo import Kept
from mlrtui.charts.spec import Axis, Floats
from mlrtui.tui.curves import Trace, peak_of

__all__ = [
    "Column",
    "Sight",
    "at_end",
    "at_step",
    "by_column",
    "by_step",
    "column_at",
    "place",
    "sight_of",
    "visible",
    "zoomed",
]

_NARROWEST = 8.0  # steps that a window holds at least


@dataclass(frozen=True)
class Sight:
    """The cursor's step, None for the peak of the loss; and the visible steps, None for all."""

    step: int | None = None
    window: tuple[float, float] | None = None


@dataclass(frozen=True)
class Column:
    """The steps that share one column of the chart with the cursor, and the extremes of a quantity among them."""

    first: int
    last: int
    low: float  # NaN without a finite value
    high: float
    high_step: int


def sight_of(choices: Mapping[str, str]) -> Sight:
    """Cursor and visible steps as a command line has them: step=14, window=3.0:120.0; what is no number is left out."""
    step, (low, _, high) = choices.get("step", ""), choices.get("window", "").partition(":")
    try:
        window = (float(low), float(high))
    except ValueError:
        window = None
    kept = window is not None and 0.0 <= window[0] < window[1] < math.inf
    return Sight(int(step) if step.isdecimal() else None, window if kept else None)


def place(trace: Trace, sight: Sight) -> int | None:
    """Index in the trace that the cursor stands on; None in an empty trace."""
    if not trace.step.size:
        return None
    if sight.step is None:
        return 0 if trace.loss_peak is None else _nearest(trace, trace.loss_peak)
    return _nearest(trace, sight.step)


def visible(sight: Sight, end: float) -> tuple[float, float]:
    """The visible range of steps; `end` is the end of the whole axis."""
    return sight.window or (0.0, end)


def at_step(sight: Sight, step: float, end: float) -> Sight:
    """The cursor on a step; the window is moved along when it would leave it."""
    moved = replace(sight, step=int(step))
    if sight.window is None or sight.window[0] <= step <= sight.window[1]:
        return moved
    span = sight.window[1] - sight.window[0]
    low = min(max(step - span / 2, 0.0), max(end - span, 0.0))
    return replace(moved, window=(low, low + span))


def by_step(trace: Trace, sight: Sight, count: int, end: float) -> Sight:
    """The cursor `count` stored steps further."""
    at = place(trace, sight)
    if at is None:
        return sight
    return at_step(sight, float(trace.step[min(max(at + count, 0), trace.step.size - 1)]), end)


def by_column(
    trace: Trace, points: tuple[Floats, Floats], sight: Sight, count: int, axis: Axis, width: int, end: float
) -> Sight:
    """The cursor `count` columns further, onto the largest value of `points` in the column that it comes to.

    Columns without a step are passed over; at the edge of the window it goes on by one step and takes the window along.
    """
    at = place(trace, sight)
    if at is None:
        return sight
    column, inside = _columns(trace, axis, width)
    if sight.window is None and not (inside & ((column > column[at]) if count > 0 else (column < column[at]))).any():
        return at_end(trace, sight, count > 0, end)
    target = int(column[at]) + count
    if count > 0:
        later = np.flatnonzero(inside & (column >= min(target, width - 1)) & (column > column[at]))
        if not later.size:
            later = np.flatnonzero(inside & (column > column[at]))[-1:]
        if not later.size:
            return by_step(trace, sight, count, end)
        goal = int(column[later[0]])
    else:
        earlier = np.flatnonzero(inside & (column <= max(target, 0)) & (column < column[at]))
        if not earlier.size:
            earlier = np.flatnonzero(inside & (column < column[at]))[:1]
        if not earlier.size:
            return by_step(trace, sight, count, end)
        goal = int(column[earlier[-1]])
    members = trace.step[inside & (column == goal)]
    found = _among(points, float(members[0]), float(members[-1]))
    return at_step(sight, found.high_step if math.isfinite(found.high) else float(members[0]), end)


def at_end(trace: Trace, sight: Sight, last: bool, end: float) -> Sight:
    """The cursor on the first or the last stored step."""
    if not trace.step.size:
        return sight
    return at_step(sight, float(trace.step[-1 if last else 0]), end)


def zoomed(sight: Sight, centre: float, factor: float, log: bool, end: float) -> Sight:
    """The window made `factor` times as wide on the axis as it is drawn; the cursor keeps its place in it."""
    low, high = visible(sight, end)
    to, back = (math.log1p, math.expm1) if log else (float, float)
    left, right = to(low), to(high)
    here = min(max(to(centre), left), right)
    new_low = max(back(max(here - (here - left) * factor, 0.0)), 0.0)
    new_high = min(back(min(here + (right - here) * factor, to(end))), end)
    if factor > 1 and (new_high - new_low >= 0.98 * end or (low <= 0 and high >= end)):
        return replace(sight, window=None)
    if new_high - new_low < _NARROWEST:
        if factor < 1:
            return sight
        new_low, new_high = max(centre - _NARROWEST, 0.0), min(centre + _NARROWEST, end)
    return replace(sight, window=(new_low, new_high))


def column_at(trace: Trace, points: tuple[Floats, Floats], index: int, axis: Axis, width: int) -> Column:
    """What the cursor's column holds of `points`."""
    column, inside = _columns(trace, axis, width)
    members = trace.step[inside & (column == column[index])]
    if not members.size:
        members = trace.step[index : index + 1]
    return _among(points, float(members[0]), float(members[-1]))


_COLUMNS: Kept[tuple[NDArray[np.intp], NDArray[np.bool_]]] = Kept(4)


def _columns(trace: Trace, axis: Axis, width: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The dot column of every step [steps], and whether it is visible [steps]."""

    def make() -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        column = dot_column(trace.step.astype(np.float64), axis, width)
        return column, (trace.step >= axis.low) & (trace.step <= axis.high)

    return _COLUMNS.get((trace.step,), (axis, width), make)


def _among(points: tuple[Floats, Floats], first: float, last: float) -> Column:
    step, values = points
    part = slice(*np.searchsorted(step, (first, last + 1)))
    values = values[part]
    peak = peak_of(values)
    if peak is None:
        return Column(int(first), int(last), math.nan, math.nan, int(first))
    low = float(values[np.isfinite(values)].min())
    return Column(int(first), int(last), low, float(values[peak]), int(step[part][peak]))


def _nearest(trace: Trace, step: float) -> int:
    at = int(np.searchsorted(trace.step, step))
    if at >= trace.step.size:
        return int(trace.step.size - 1)
    if at and step - trace.step[at - 1] < trace.step[at] - step:
        return at - 1
    return at
