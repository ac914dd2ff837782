"""Scatters and lines for plain terminals and reports. The only file that imports plotext.

Its own log axes take the logarithm twice when a figure is drawn again, so it is handed log10 values and our ticks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotext

from mlrtui.charts import ticks

__all__ = ["TextChart", "TextSeries", "chart_text", "loglog_text"]

_AROUND = 5  # rows of a chart with names: its frame, a margin and the ticks below
_MARKS = {"line": "braille", "o": "●"}
_ASCII_MARKS = {"line": "."}
_FRAME = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|+++++")


@dataclass(frozen=True)
class TextSeries:
    """Points (x, y) of one mark; those of a line are joined, and broken at a value that is not finite."""

    marker: str  # one ASCII character, or "line" for a thin line
    points: Sequence[tuple[float, float]]
    joined: bool = False


@dataclass(frozen=True)
class TextChart:
    """A chart with the lines above it, which say what each mark is; without series it is those lines."""

    head: tuple[str, ...]
    series: tuple[TextSeries, ...] = ()
    x_log: bool = False
    y_log: bool = False
    y_range: tuple[float, float] | None = None  # None: that of the values
    y_labels: tuple[str, ...] = ()  # of the places 0, 1, … on the y axis, from the top; empty: numbers
    x_labels: tuple[str, ...] = ()


def chart_text(chart: TextChart, size: tuple[int, int], ascii: bool = False) -> str:
    """A chart of at most `size` = (columns, rows) without its head; with `ascii`, no byte above 127 in the chart. One
    with names on its y axis has a row for each, whatever the size.

    Values that the axes cannot show are left out and counted in a last line. Not for threads: plotext keeps one
    figure per process.
    """
    width, height = size
    places = [(one, [_place(chart, x, y) for x, y in one.points]) for one in chart.series]
    good = [place for _, those in places for place in those if place is not None]
    dropped = sum(place is None for one, those in places for place in those if one.marker != "line")
    total = sum(len(those) for one, those in places if one.marker != "line")
    note = f"{dropped} of {total} points are not positive and finite: left out" if dropped else ""
    head = [line[: max(width, 1)] for line in chart.head]
    if not chart.series:
        return "\n".join(head)
    if not good:
        return "\n".join([*head, note or "no points to draw"])
    low_x, high_x = _padded([x for x, _ in good], 0.1 if chart.x_log else 0.4 if chart.x_labels else 0.0)
    low_y, high_y = _padded([y for _, y in good], 0.1 if chart.y_log else 0.0)
    if chart.y_labels:
        low_y, high_y = -float(len(chart.y_labels)), 1.0
        height = len(chart.y_labels) + _AROUND + bool(note)  # a row for each
    if chart.y_range is not None:
        low_y, high_y = (math.log10(end) for end in chart.y_range) if chart.y_log else chart.y_range
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)  # we know the size; without a terminal it would be 24 lines
    plotext.plotsize(width, height - bool(note))
    plotext.xlim(low_x, high_x)
    plotext.ylim(low_y, high_y)
    for one, those in places:
        marker = (_ASCII_MARKS if ascii else _MARKS).get(one.marker, one.marker)
        for part in _runs(those, low_y, high_y) if one.joined else [[p for p in those if p is not None]]:
            xs, ys = [x for x, _ in part], [y for _, y in part]
            if one.joined and len(part) > 1:
                plotext.plot(xs, ys, marker=marker)
            elif part:
                plotext.scatter(xs, ys, marker=marker if marker != "braille" else "●")
    _set_ticks(plotext.xticks, low_x, high_x, width, chart.x_log, chart.x_labels)
    _set_ticks(plotext.yticks, low_y, high_y, 3 * height, chart.y_log, chart.y_labels, down=True)
    text = str(plotext.uncolorize(plotext.build()))
    plotext.clear_figure()
    if ascii:
        text = text.translate(_FRAME)
    lines = [row.rstrip() for row in text.splitlines()]
    return "\n".join([*head, *lines, note] if note else [*head, *lines])


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
    series = [TextSeries("o", points)]
    y_range = None
    if fit is not None and good:
        exponent, intercept = fit
        low_x, high_x = _padded([math.log10(x) for x, _ in good], 0.1)
        low_y, high_y = _padded([math.log10(y) for _, y in good], 0.1)
        y_range = 10.0**low_y, 10.0**high_y  # the line does not widen the picture
        ends = [(x, intercept / math.log(10) + exponent * x) for x in (low_x, high_x)]
        if all(math.isfinite(y) and abs(y) < 300 for _, y in ends):
            series.insert(0, TextSeries("line", [(10.0**x, 10.0**y) for x, y in ends], joined=True))
    return chart_text(TextChart((), tuple(series), x_log=True, y_log=True, y_range=y_range), size, ascii)


def _place(chart: TextChart, x: float, y: float) -> tuple[float, float] | None:
    """A point in the axes' own numbers; None where they have none for it."""
    if not (math.isfinite(x) and math.isfinite(y)) or (chart.x_log and x <= 0) or (chart.y_log and y <= 0):
        return None
    down = -y if chart.y_labels else y
    return (math.log10(x) if chart.x_log else x), (math.log10(y) if chart.y_log else down)


def _runs(places: Sequence[tuple[float, float] | None], low: float, high: float) -> list[list[tuple[float, float]]]:
    """Points that a line joins: what lies beyond the picture, or is missing, breaks it."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place in places:
        if place is None:
            runs.append([])
        else:
            runs[-1].append((place[0], min(max(place[1], low - 1.0), high + 1.0)))
    return [run for run in runs if run]


def _padded(values: Sequence[float], least: float) -> tuple[float, float]:
    """The range with a margin, at least so much on each side."""
    low, high = min(values), max(values)
    margin = max(0.05 * (high - low), least) or 1.0
    return low - margin, high + margin


def _set_ticks(
    setter: object, low: float, high: float, room: int, log: bool, labels: Sequence[str], down: bool = False
) -> None:
    """Names, or our own decade or 1-2-5 ticks; those outside the limits would be printed in a corner."""
    assert callable(setter)
    if labels:
        places = [-float(place) if down else float(place) for place in range(len(labels))]
        setter(places, list(labels))
        return
    if not log:
        values = [value for value in ticks.y_ticks(low, high, False, room // 4) if low <= value <= high]
        setter(values, [ticks.label(value) for value in values])
        return
    values = ticks.y_ticks(10.0**low, 10.0**high, True, room // 4)
    shown = [value for value in values if low <= math.log10(value) <= high]
    setter([math.log10(value) for value in shown], [ticks.label(value) for value in shown])
