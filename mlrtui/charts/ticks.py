"""Axis limits and ticks: decades on log axes, 1-2-5 on linear ones."""

import math
import sys

import numpy as np

from mlrtui.charts.spec import Floats

__all__ = ["label", "limits", "x_ticks", "y_ticks"]

_STEPS = (1.0, 2.0, 5.0, 10.0)
_SLACK = 1e-9  # how far a number may miss a multiple and still be taken for it


def label(value: float) -> str:
    """A tick's text, at most 6 characters for the ticks made here: 0.01, 0.5, 20, 1e4, 2e-5."""
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 10_000:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def limits(values: Floats, log: bool, held: tuple[float, float] | None = None) -> tuple[float, float]:
    """The y range of `values`, snapped outwards; `held` is a range shown before, which is only ever widened.

    Non-finite values, and on a log axis those that are not positive, do not count. Without any value: (1, 10) on a
    log axis, (0, 1) on a linear one.
    """
    good = values[np.isfinite(values)]
    if log:
        good = good[good > 0]
    if held is not None and log and held[0] <= 0:
        held = None
    if not good.size:
        return held or ((1.0, 10.0) if log else (0.0, 1.0))
    low, high = float(good.min()), float(good.max())
    if held is not None:
        if held[0] <= low and high <= held[1]:
            return held
        low, high = min(low, held[0]), max(high, held[1])
    low, high = _snap_log(low, high) if log else _snap_linear(low, high)
    return (low, high) if held is None else (min(low, held[0]), max(high, held[1]))


def y_ticks(low: float, high: float, log: bool, rows: int) -> list[float]:
    """Values to label on a y axis with room for `rows` text rows."""
    room = max(rows // 3, 2)
    return _log_ticks(low, high, room) if log else _linear_ticks(low, high, room)


def x_ticks(end: float, log: bool, columns: int, start: float = 0.0) -> list[float]:
    """Values to label on an x axis from `start` to `end` with room for `columns` text columns."""
    if not log or (start > 0 and end < 4 * start):  # a part of a log axis that is nearly straight
        return [value for value in _linear_ticks(start, end, max(columns // 12, 2)) if value == round(value)]
    if start > 0:
        bases = [10.0**k for k in range(math.floor(math.log10(start)), math.ceil(math.log10(end)) + 1)]
        steps = _STEPS[:3] if len(bases) < 4 else _STEPS[:1]
        return [base * step for base in bases for step in steps if start <= base * step <= end]
    decades = [10.0**k for k in range(math.floor(math.log10(max(end, 1.0)) + _SLACK) + 1)]
    every = max(1, math.ceil(len(decades) * 8 / max(columns, 1)))
    return [0.0, *decades[::every], end]


def _snap_log(low: float, high: float) -> tuple[float, float]:
    """Outwards to whole decades, or to 1-2-5 where the range is under two decades."""
    if high / low >= 100:
        return _decade(low, down=True), _decade(high, down=False)
    lower, upper = _one_two_five(low, down=True), _one_two_five(high, down=False)
    if lower == upper:
        return _one_two_five(lower * 0.6, down=True), _one_two_five(upper * 1.5, down=False)
    return lower, upper


def _decade(value: float, down: bool) -> float:
    power = math.log10(value)
    whole = math.floor(power + _SLACK) if down else math.ceil(power - _SLACK)
    return sys.float_info.max if whole > 308 else float(10.0 ** max(whole, -307))


def _one_two_five(value: float, down: bool) -> float:
    """The next number of 1, 2, 5 times a power of ten below (or above) `value`."""
    base = 10.0 ** max(math.floor(math.log10(value)), -307)
    steps = [base * step for step in (0.5, *_STEPS) if math.isfinite(base * step)]
    if down:
        return max((step for step in steps if step <= value * (1 + _SLACK)), default=steps[0])
    return min((step for step in steps if step >= value * (1 - _SLACK)), default=sys.float_info.max)


def _snap_linear(low: float, high: float) -> tuple[float, float]:
    if high - low <= abs(high) * _SLACK:  # constant: leave room on both sides
        if high == 0:
            return 0.0, 1.0
        twice = min(abs(high), sys.float_info.max / 2) * 2
        low, high = (0.0, twice) if high > 0 else (-twice, 0.0)
    if 0 < low < 0.5 * high:  # a range that starts near zero may as well start at zero
        low = 0.0
    step = _step(low, high, 5)
    if not math.isfinite(step):
        return low, high
    lower, upper = math.floor(low / step + _SLACK) * step, math.ceil(high / step - _SLACK) * step
    return (lower, upper) if math.isfinite(lower) and math.isfinite(upper) else (low, high)


def _step(low: float, high: float, parts: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts the range into about `parts`."""
    raw = (high - low) / max(parts, 1)
    if not math.isfinite(raw) or raw <= 0:
        return math.inf
    base = 10.0 ** math.floor(math.log10(raw))
    if base == 0:
        return math.inf
    return next(base * step for step in _STEPS if base * step >= raw * (1 - _SLACK))


def _linear_ticks(low: float, high: float, room: int) -> list[float]:
    step = _step(low, high, room)
    if not math.isfinite(step):
        return [low] if math.isfinite(low) else []
    first = math.ceil(low / step - _SLACK)
    last = math.floor(high / step + _SLACK)
    return [value for value in (k * step for k in range(first, last + 1)) if math.isfinite(value)]


def _log_ticks(low: float, high: float, room: int) -> list[float]:
    first = math.ceil(math.log10(low) - _SLACK)
    last = math.floor(math.log10(high) + _SLACK)
    if last - first < 2:
        bases = [10.0**k for k in range(first - 1, last + 1)]
        fine = [base * step for base in bases for step in (1.0, 2.0, 5.0)]
        shown = [value for value in fine if low * (1 - _SLACK) <= value <= high * (1 + _SLACK)]
        if len(shown) < 2:  # one number is no scale
            return max(_linear_ticks(low, high, room), shown, key=len)
        if len(shown) <= max(room, 3):
            return shown
        whole = [value for value in shown[1:-1] if math.log10(value) % 1 < _SLACK]
        return [shown[0], *whole, shown[-1]]
    every = max(1, math.ceil((last - first) / room))
    return [10.0**k for k in range(first, last + 1) if (k - first) % every == 0]
