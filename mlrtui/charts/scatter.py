"""Marks over two axes of our own, log or linear, with lines behind them: fits, bands, bounds of theory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlrtui.charts import ticks
from mlrtui.charts.draw import sentence
from mlrtui.charts.raster import dot_shape, to_text
from mlrtui.charts.reference import LABEL_WIDTH, line_char, row_of, y_labels
from mlrtui.charts.spec import Axis, Floats, HLine
from mlrtui.text.lines import Line, Run, line, merge

__all__ = ["Dot", "ScatterSpec", "Stroke", "draw_scatter", "padded"]

_LINE, _BAND = "edge", "band"


@dataclass(frozen=True)
class Dot:
    """One mark. The one under the cursor is drawn last, so that nothing hides it."""

    x: float
    y: float
    glyph: str
    role: str
    chosen: bool = False


@dataclass(frozen=True, eq=False)
class Stroke:
    """A line through points [points], drawn behind all marks; `dotted` leaves every other dot column out.

    `dashes` are numbers of cells that are drawn and left out in turn, so that lines differ without colour.
    """

    x: Floats
    y: Floats
    role: str = _LINE
    dotted: bool = False
    dashes: tuple[int, int] = (1, 0)


@dataclass(frozen=True, eq=False)
class ScatterSpec:
    """A scatter. Dots without a place (not finite, not positive on a log axis, beyond 1e±300) are left out."""

    dots: tuple[Dot, ...]
    strokes: tuple[Stroke, ...] = ()
    hlines: tuple[HLine, ...] = ()
    x_log: bool = True
    y_log: bool = True
    x_limits: tuple[float, float] | None = None  # None: the dots with a margin
    y_limits: tuple[float, float] | None = None
    x_names: tuple[tuple[float, str], ...] = ()  # labels below; none: ticks of the axis
    empty: str = "nothing to draw yet"


def draw_scatter(spec: ScatterSpec, width: int, height: int, ascii_only: bool = False) -> tuple[Line, ...]:
    """Draw into exactly `width` x `height` cells. Never raises for any data; a chart too small is a sentence."""
    dots = [dot for dot in spec.dots if _placed(dot.x, spec.x_log) and _placed(dot.y, spec.y_log)]
    plot_width, plot_height = width - LABEL_WIDTH - 1, height - 1
    if not dots:
        return sentence(spec.empty, width, height, ascii_only)
    if plot_width < 8 or plot_height < 2:
        return sentence("no room for this chart", width, height, ascii_only)
    x_axis = Axis(*(spec.x_limits or padded([dot.x for dot in dots], spec.x_log)), spec.x_log)
    shown = [dot.y for dot in dots] + [hline.value for hline in spec.hlines]
    y_axis = Axis(*(spec.y_limits or padded(shown, spec.y_log)), spec.y_log)
    cells: list[list[Run]] = [[(" ", "")] * plot_width for _ in range(plot_height)]
    for hline in spec.hlines:
        _put_hline(cells, hline, y_axis, ascii_only)
    for stroke in spec.strokes:
        _put_stroke(cells, stroke, x_axis, y_axis, ascii_only)
    for dot in sorted(dots, key=lambda dot: dot.chosen):
        row = row_of(dot.y, y_axis, plot_height, ascii_only)
        if row is not None and x_axis.low <= dot.x <= x_axis.high:
            cells[row][_column(dot.x, x_axis, plot_width)] = (
                dot.glyph,
                f"{dot.role}-chosen" if dot.chosen else dot.role,
            )
    labels = y_labels(y_axis, plot_height, ascii_only, spec.hlines)
    rows = [merge([label, *cells[row]]) for row, label in enumerate(labels)]
    return (*rows, _x_line(spec, x_axis, plot_width, width))


def padded(values: Sequence[float], log: bool) -> tuple[float, float]:
    """The range of finite values (positive ones on a log axis) with a margin on both sides, never empty."""
    if log:
        low, high = math.log10(min(values)), math.log10(max(values))
        margin = max(0.06 * (high - low), 0.05)
        return 10.0 ** max(low - margin, -307.0), 10.0 ** min(high + margin, 308.0)
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or max(abs(high) * 0.1, 0.5)
    return low - margin, high + margin


def _placed(value: float, log: bool) -> bool:
    """Far inside what a double holds, so that margins and differences stay finite."""
    return 1e-300 < value < 1e300 if log else abs(value) < 1e300


def _share(value: float, axis: Axis) -> float:
    """Where a value lies between the ends of an axis, from 0 to 1."""
    if axis.log:
        low = math.log(axis.low)  # a quotient of the values could overflow
        return (math.log(value) - low) / (math.log(axis.high) - low)
    return (value - axis.low) / (axis.high - axis.low)


def _column(value: float, axis: Axis, columns: int) -> int:
    return min(max(round(_share(value, axis) * (columns - 1)), 0), columns - 1)


def _put_hline(cells: list[list[Run]], hline: HLine, axis: Axis, ascii_only: bool) -> None:
    row = row_of(hline.value, axis, len(cells), ascii_only)
    if row is None:
        return
    char = line_char(hline.value, axis, len(cells), ascii_only)
    cells[row] = [(char if place % 2 or not ascii_only else " ", _LINE) for place in range(len(cells[row]))]


def _put_stroke(cells: list[list[Run]], stroke: Stroke, x_axis: Axis, y_axis: Axis, ascii_only: bool) -> None:
    """The line in dots: between its points it is straight on these axes."""
    height, width = len(cells), len(cells[0])
    dot_rows, dot_columns = dot_shape(width, height, ascii_only)
    placed = [
        (_share(x, x_axis), 1.0 - _share(y, y_axis))
        for x, y in zip(stroke.x.tolist(), stroke.y.tolist(), strict=True)
        if _placed(x, x_axis.log) and _placed(y, y_axis.log)
    ]
    if len(placed) < 2:
        return
    shares = np.clip(placed, -1e6, 1e6)  # [points, 2]; far outside nothing is seen
    x, y = shares[:, 0] * (dot_columns - 1), shares[:, 1] * (dot_rows - 1)  # [points] each
    fine = np.linspace(0.0, dot_columns - 1.0, 2 * dot_columns)  # steep lines need more than one dot a column
    column = np.rint(fine).astype(np.intp)
    row = np.interp(fine, x, y, left=np.nan, right=np.nan)
    seen = np.isfinite(row)
    seen[seen] = (row[seen] > -0.5) & (row[seen] < dot_rows - 0.5)
    if stroke.dotted:
        seen &= column % (2 if ascii_only else 4) == 0
    drawn, left_out = (number if ascii_only else 2 * number for number in stroke.dashes)
    seen &= column % (drawn + left_out) < drawn
    grid = np.zeros((dot_rows, dot_columns), dtype=np.bool_)
    grid[np.rint(row[seen]).astype(np.intp), column[seen]] = True
    for at, text in enumerate(to_text(grid, ascii_only, "." if stroke.dotted else "-")):
        for place, char in enumerate(text):
            if char != " ":
                cells[at][place] = (char, stroke.role)


def _x_line(spec: ScatterSpec, axis: Axis, plot_width: int, width: int) -> Line:
    """Labels below the plot; one that would touch its left neighbour is left out."""
    names = spec.x_names or tuple(
        (value, ticks.label(value))
        for value in ticks.y_ticks(axis.low, axis.high, axis.log, 3 * max(plot_width // 9, 2))
    )
    text = [" "] * width
    free = 0
    for value, name in names:
        at = LABEL_WIDTH + 1 + _column(value, axis, plot_width) - (len(name) - 1) // 2
        at = min(max(at, 0), width - len(name))
        if at >= free and name:
            text[at : at + len(name)] = name
            free = at + len(name) + 1
    return line("".join(text), "axis")
