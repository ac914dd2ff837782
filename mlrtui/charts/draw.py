"""A chart as lines of text: axes, curves, reference lines, marks of non-finite values."""

from dataclasses import dataclass

import numpy as np

from mlrtui.charts import ticks
from mlrtui.charts.downsample import Columns, dot_column, position, reduce_columns
from mlrtui.charts.memo import Kept
from mlrtui.charts.raster import dot_shape, draw_columns, to_text
from mlrtui.charts.reference import crossed, gutter_width, line_char, row_of, y_labels
from mlrtui.charts.spec import Axis, ChartSpec, Series
from mlrtui.text.lines import Line, Run, centred, line, shown_in
from mlrtui.text.marks import CHART_SIGNS

__all__ = ["Drawing", "draw", "sentence"]

_LINE = "edge"  # the role of reference lines
_CURVES: Kept[tuple[list[str], Columns]] = Kept(12)  # two charts of up to six curves


@dataclass(frozen=True, eq=False)
class Drawing:
    """Lines of exactly the asked width and height, and the y range that they show."""

    lines: tuple[Line, ...]
    y_limits: tuple[float, float]


@dataclass(frozen=True)
class _Cell:
    char: str
    role: str


def draw(spec: ChartSpec, width: int, height: int, ascii_only: bool = False) -> Drawing:
    """Draw a chart into `width` x `height` cells. Never raises for any data; a chart too small is a sentence."""
    limits = spec.y_limits or _limits(spec)
    gutter = max(spec.gutter, gutter_width(spec.hlines, ascii_only))
    plot_width, plot_height = width - gutter - 1, height - 1
    if not sum(series.y.size for series in spec.series):
        return Drawing(sentence(spec.empty, width, height, ascii_only), limits)
    if plot_width < 8 or plot_height < 2:
        return Drawing(sentence("no room for this chart", width, height, ascii_only), limits)
    x_axis = Axis(spec.x_start, max(spec.x_end, spec.x_start + 1.0), spec.x_log)
    y_axis = Axis(*limits, spec.y_log)
    cells = [[_Cell(" ", "")] * plot_width for _ in range(plot_height)]
    ruled = _put_hlines(cells, spec, y_axis, ascii_only)
    _put_cursor(cells, spec, x_axis, ascii_only)
    drawn = _put_series(cells, spec, ruled, x_axis, y_axis, ascii_only)
    if all(columns.bad == columns.points for columns in drawn):
        count = sum(columns.points for columns in drawn)
        _put_words(cells, f"no finite value among {count}" if count else "no step in this part")
    _put_point(cells, spec, x_axis, y_axis, ascii_only)
    labels = y_labels(y_axis, plot_height, ascii_only, spec.hlines, gutter)
    rows = [join_row(labels[row], cells[row]) for row in range(plot_height)]
    return Drawing((*rows, _x_line(x_axis, gutter, plot_width, width, spec.x_names)), limits)


def _limits(spec: ChartSpec) -> tuple[float, float]:
    """Of all curves and lines."""
    values = [*(series.y for series in spec.series), np.array([hline.value for hline in spec.hlines], dtype=float)]
    return ticks.limits(np.concatenate(values), spec.y_log)


def join_row(label: Run, cells: list[_Cell]) -> Line:
    """One text row: its label, then runs of equal role. Blank cells join the run before them."""
    runs: list[Run] = [label]
    text, role = "", ""
    for cell in cells:
        if cell.char != " " and cell.role != role:
            if text.strip():
                runs.append((text, role))
                text = ""
            role = cell.role
        text += cell.char
    return (*runs, (text, role if text.strip() else ""))


def _put_hlines(cells: list[list[_Cell]], spec: ChartSpec, axis: Axis, ascii_only: bool) -> dict[int, str]:
    """Draw the reference lines; the sign of each by its row."""
    ruled: dict[int, str] = {}
    for hline in spec.hlines:
        row = row_of(hline.value, axis, len(cells), ascii_only)
        if row is None:
            continue
        char = line_char(hline.value, axis, len(cells), ascii_only)
        if row in ruled and not ascii_only:  # two lines in one row
            char = chr(ord(char) | ord(ruled[row]))
        ruled[row] = char
        for place in range(1 if ascii_only else 0, len(cells[row]), 2 if ascii_only else 1):
            cells[row][place] = _Cell(char, _LINE)
    return ruled


def _raster(
    series: Series, x_axis: Axis, y_axis: Axis, dots: tuple[int, int], ascii_only: bool
) -> tuple[list[str], Columns]:
    """One curve as rows of text; kept, since it stays the same while a cursor moves over it."""

    def make() -> tuple[list[str], Columns]:
        grid = np.zeros(dots, dtype=np.bool_)
        seen = slice(*np.searchsorted(series.x, (x_axis.low, np.nextafter(x_axis.high, np.inf))))
        columns = reduce_columns(series.x[seen], series.y[seen], x_axis, y_axis, dots[1], dots[0])
        draw_columns(grid, columns)
        return to_text(grid, ascii_only, series.sign), columns

    return _CURVES.get((series.x, series.y), (x_axis, y_axis, dots, ascii_only, series.sign), make)


def _put_series(
    cells: list[list[_Cell]], spec: ChartSpec, ruled: dict[int, str], x_axis: Axis, y_axis: Axis, ascii_only: bool
) -> list[Columns]:
    """Draw the curves over the lines of `ruled`, signs by row."""
    height, width = len(cells), len(cells[0])
    dot_rows, dot_columns = dot_shape(width, height, ascii_only)
    drawn = []
    for series in spec.series:
        rows, columns = _raster(series, x_axis, y_axis, (dot_rows, dot_columns), ascii_only)
        for row, text in enumerate(rows):
            for place, char in enumerate(text):
                if char != " ":
                    role = series.role
                    if row in ruled:
                        beside = text[place - 1 : place], text[place + 1 : place + 2]
                        char, shows_line = crossed(beside[0] or char, char, beside[1] or char, ruled[row], place)
                        role = _LINE if shows_line else role
                    cells[row][place] = _Cell(char, role)
        drawn.append(columns)
    for series in spec.series:
        _put_rings(cells, series, x_axis, y_axis, ascii_only)
    shape = (1, 1) if ascii_only else (2, 4)
    for order, (series, columns) in enumerate(zip(spec.series, drawn, strict=True)):
        if series.letter:
            _put_letters(cells, series, columns, order, shape)
    per_cell = shape[0]
    cross = "x" if ascii_only else "×"
    for columns in drawn:
        for place in set((columns.bad_high // per_cell).tolist()):
            cells[0][place] = _Cell(cross, "bad")
        for place in set((columns.bad_low // per_cell).tolist()):
            cells[height - 1][place] = _Cell(cross, "bad")
    return drawn


def _put_rings(cells: list[list[_Cell]], series: Series, x_axis: Axis, y_axis: Axis, ascii_only: bool) -> None:
    """A ring where a hollow point lies, over the curve."""
    if series.hollow is None:
        return
    ring = CHART_SIGNS["missed"][ascii_only]
    shown = series.hollow & np.isfinite(series.y)
    _, dots = dot_shape(len(cells[0]), 1, ascii_only)
    per_cell = dots // len(cells[0])
    places = np.rint(np.clip(position(series.x[shown], x_axis), 0.0, 1.0) * (dots - 1)).astype(np.intp) // per_cell
    for place, value in zip(places.tolist(), series.y[shown].tolist(), strict=True):
        row = row_of(value, y_axis, len(cells), ascii_only)
        if row is not None:
            cells[row][place] = _Cell(ring, "slow")


def _put_words(cells: list[list[_Cell]], words: str) -> None:
    row = cells[len(cells) // 2]
    for place, char in enumerate(words[: len(row) - 1]):
        row[place + 1] = _Cell(char, "note")


def _put_cursor(cells: list[list[_Cell]], spec: ChartSpec, axis: Axis, ascii_only: bool) -> None:
    """A vertical line, behind the curves."""
    if spec.cursor is None or not axis.low <= spec.cursor <= axis.high:
        return
    place = _cell_column(spec.cursor, axis, len(cells[0]), ascii_only)
    for row in cells:
        row[place] = _Cell(":" if ascii_only else "┊", "cursor-line")


def _put_point(cells: list[list[_Cell]], spec: ChartSpec, x_axis: Axis, y_axis: Axis, ascii_only: bool) -> None:
    """Where the cursor stands on the curve."""
    if spec.cursor is None or spec.point is None or not x_axis.low <= spec.cursor <= x_axis.high:
        return
    if not np.isfinite(spec.point) or (y_axis.log and spec.point <= 0):
        return
    row = row_of(spec.point, y_axis, len(cells), ascii_only)
    if row is not None:
        place = _cell_column(spec.cursor, x_axis, len(cells[0]), ascii_only)
        cells[row][place] = _Cell("O" if ascii_only else "●", "value")


def _put_letters(
    cells: list[list[_Cell]], series: Series, columns: Columns, order: int, per_cell: tuple[int, int]
) -> None:
    """The letter of a curve along it, every sixteen cells, curves shifted against one another."""
    free = 0
    for column, row in zip((columns.column // per_cell[0]).tolist(), columns.last.tolist(), strict=True):
        if column >= free and (column - 5 * order) % 16 < 4:
            cells[row // per_cell[1]][column] = _Cell(series.letter, series.role)
            free = column + 12


def _cell_column(x: float, axis: Axis, width: int, ascii_only: bool) -> int:
    _, dots = dot_shape(width, 1, ascii_only)
    return int(dot_column(np.array([x]), axis, dots)[0]) * width // dots


def _x_line(axis: Axis, gutter: int, plot_width: int, width: int, names: tuple[tuple[float, str], ...] = ()) -> Line:
    """Labels below the plot; one that would touch its left neighbour is left out."""
    text = [" "] * width
    free = 0
    ticked = ((value, ticks.label(value)) for value in ticks.x_ticks(axis.high, axis.log, plot_width, axis.low))
    for value, name in names or ticked:
        share = float(position(np.array([value]), axis)[0])
        at = gutter + 1 + round(share * (plot_width - 1)) - (len(name) - 1) // 2
        at = max(min(at, width - len(name)), 0)
        if at >= free:
            text[at : at + len(name)] = name
            free = at + len(name) + 1
    return line("".join(text), "axis")


def sentence(words: str, width: int, height: int, ascii_only: bool) -> tuple[Line, ...]:
    """The words in the middle of an otherwise empty area."""
    with shown_in(ascii_only):
        return tuple(centred(words, width, height))
