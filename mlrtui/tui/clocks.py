"""Physical time η·t of a trial's steps: trainings at different rates are compared at equal η·t, not at equal steps."""

from functools import lru_cache

import numpy as np

from mlrtui.charts.spec import Axis, Floats
from mlrtui.charts.ticks import x_ticks
from mlrtui.text.numbers import number
from mlrtui.tui.edges import Rates

__all__ = ["time_names", "times"]

_KNOTS = 4096  # of a schedule, between which its rate is taken as straight


def times(rates: Rates, steps: Floats) -> Floats:
    """The sum of the learning rates of all updates before each of these steps [points]."""
    if rates.schedule is None:
        return rates.eta * np.asarray(steps, dtype=np.float64)
    at, total = _summed(rates)
    found: Floats = np.interp(steps, at, total)
    return found


@lru_cache(8)
def _summed(rates: Rates) -> tuple[Floats, Floats]:
    """Knots and the time at each; exact where every step is a knot."""
    last = max(rates.steps, 1)
    dense = np.arange(min(last, _KNOTS) + 1)  # a warm-up is among the first
    at = np.unique(np.concatenate([dense, np.linspace(0, last, _KNOTS).astype(np.int64)]))  # [knots]
    rate = np.asarray(rates.over(at.astype(np.float64)), dtype=np.float64)
    width = np.diff(at)
    # the rates of the updates from one knot to the next, as an arithmetic series that leaves out its last member
    parts = width * (rate[:-1] + (rate[1:] - rate[:-1]) * (width - 1) / (2.0 * width))
    return at.astype(np.float64), np.concatenate([[0.0], np.cumsum(parts)])


def time_names(rates: Rates, axis: Axis, columns: int) -> tuple[tuple[float, str], ...]:
    """Labels of a step axis in η·t: where its steps would be labelled."""
    steps = np.array(x_ticks(axis.high, axis.log, columns, axis.low), dtype=np.float64)
    labels = [number(float(time), 2) for time in times(rates, steps)]
    return tuple(zip(steps.tolist(), labels, strict=True))
