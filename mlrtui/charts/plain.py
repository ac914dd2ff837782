"""A log-log scatter for plain terminals and reports. The only file that imports plotext.

Its own log axes take the logarithm twice when a figure is drawn again, so it is handed log10 values and our ticks.
"""

import math
from collections.abc import Sequence

import plotext

from mlrtui.charts import ticks

__all__ = ["loglog_text"]

_FRAME = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|+++++")


def loglog_text(
    points: Sequence[tuple[float, float]],
    fit: tuple[float, float] | None = None,
    size: tuple[int, int] = (72, 20),
    ascii: bool = False,
) -> str:
    """Points (x, y) on two log axes, with the line ln y = intercept + exponent * ln x for `fit` (exponent, intercept).

    Points without a logarithm are left out and counted in a last line. The text has at most `size` = (columns, rows)
    and, with `ascii`, no byte above 127. Not for threads: plotext keeps one figure per process.
    """
    good = [(x, y) for x, y in points if 0 < x < math.inf and 0 < y < math.inf]
    dropped = len(points) - len(good)
    note = f"{dropped} of {len(points)} points are not positive and finite: left out" if dropped else ""
    if not good:
        return note or "no points to draw"
    width, height = size
    log_x, log_y = [math.log10(x) for x, _ in good], [math.log10(y) for _, y in good]
    low_x, high_x = _padded(log_x)
    low_y, high_y = _padded(log_y)
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height - bool(note))
    plotext.xlim(low_x, high_x)
    plotext.ylim(low_y, high_y)
    if fit is not None:
        exponent, intercept = fit
        line = [intercept / math.log(10) + exponent * x for x in (low_x, high_x)]
        if all(map(math.isfinite, line)):
            plotext.plot([low_x, high_x], line, marker="." if ascii else "braille")
    plotext.scatter(log_x, log_y, marker="o" if ascii else "●")
    _set_ticks(plotext.xticks, low_x, high_x, width)
    _set_ticks(plotext.yticks, low_y, high_y, 3 * height)
    text = str(plotext.uncolorize(plotext.build()))
    plotext.clear_figure()
    if ascii:
        text = text.translate(_FRAME)
    lines = [row.rstrip() for row in text.splitlines()]
    return "\n".join([*lines, note] if note else lines)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    """The range with a margin, at least a tenth of a decade on each side."""
    low, high = min(values), max(values)
    margin = max(0.05 * (high - low), 0.1)
    return low - margin, high + margin


def _set_ticks(setter: object, low: float, high: float, room: int) -> None:
    """Our own decade or 1-2-5 ticks; those outside the limits would be printed in a corner."""
    assert callable(setter)
    values = ticks.y_ticks(10.0**low, 10.0**high, True, room // 4)
    shown = [value for value in values if low <= math.log10(value) <= high]
    setter([math.log10(value) for value in shown], [ticks.label(value) for value in shown])
