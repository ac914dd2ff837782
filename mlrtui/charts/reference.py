"""Reference lines: where they lie to a dot, their labels in the margin, and how they show through a curve."""

import numpy as np

from mlrtui.charts import ticks
from mlrtui.charts.downsample import dot_row
from mlrtui.charts.raster import dot_shape
from mlrtui.charts.spec import Axis, HLine
from mlrtui.text.lines import Run, ascii_text

__all__ = ["LABEL_WIDTH", "crossed", "gutter_width", "line_char", "row_of", "y_labels"]

LABEL_WIDTH = 6  # cells of the y labels, the axis line not counted

_BLANK = 0x2800
_LEFT = (0x01, 0x02, 0x04, 0x40)  # the left dot of each dot row of a braille cell
_BOTH = (0x09, 0x12, 0x24, 0xC0)  # both dots of each
_THIRDS = "'-_"  # where in its row ASCII draws a line


def gutter_width(hlines: tuple[HLine, ...], ascii_only: bool) -> int:
    """Cells of a margin that holds the labels of these lines and those of an axis."""
    return max([LABEL_WIDTH, *(len(_label(hline, ascii_only)) for hline in hlines)])


def row_of(value: float, axis: Axis, rows: int, ascii_only: bool) -> int | None:
    """The text row in which a dot of this value lies, or None outside the axis."""
    if not axis.low <= value <= axis.high:
        return None
    dot_rows, _ = dot_shape(1, rows, ascii_only)
    return int(dot_row(np.array([value]), axis, dot_rows)[0]) * rows // dot_rows


def line_char(value: float, axis: Axis, rows: int, ascii_only: bool) -> str:
    """The sign of a line of this value: every other dot of its dot row; in ASCII high, in the middle or low."""
    if not ascii_only:
        return chr(_BLANK + _LEFT[int(dot_row(np.array([value]), axis, 4 * rows)[0]) % 4])
    row = int(dot_row(np.array([value]), axis, rows)[0])
    finest = 1 + 300 * (rows - 1)  # three hundred places between two rows
    place = int(dot_row(np.array([value]), axis, finest)[0]) - 300 * row
    return _THIRDS[0 if place < -50 else 2 if place > 50 else 1]


def crossed(before: str, curve: str, after: str, line: str, place: int) -> tuple[str, bool]:
    """What a cell shows in which a curve meets a line, and whether it is the line's; `before` and `after` are the cells
    of the curve beside it.

    The dots of both. Where a curve runs flat along the line, every other cell is the line's: in its colour, and without
    the dots of a curve that lies on the line itself, so that neither hides the other.
    """
    turn = before == curve == after and place % 2 == 1
    if line in _THIRDS:
        return (line if turn else curve), turn
    rows = sum(both for left, both in zip(_LEFT, _BOTH, strict=True) if (ord(line) - _BLANK) & left)
    on_it = not (ord(curve) - _BLANK) & ~rows
    return (line if turn and on_it else chr(ord(curve) | (ord(line) - _BLANK))), turn


def y_labels(
    axis: Axis, rows: int, ascii_only: bool, hlines: tuple[HLine, ...] = (), gutter: int = LABEL_WIDTH
) -> list[Run]:
    """The left edge of a plot: one text a row, a number where a tick is; reference lines come before ticks."""
    bar, tick, pointer = ("|", "+", ">") if ascii_only else ("│", "┤", "▸")
    labels: list[Run] = [(" " * gutter + bar, "axis") for _ in range(rows)]
    for value in ticks.y_ticks(axis.low, axis.high, axis.log, rows):
        row = row_of(value, axis, rows, ascii_only)
        if row is not None:
            labels[row] = f"{ticks.label(value)[:LABEL_WIDTH]:>{gutter}}{tick}", "axis"
    taken: set[int] = set()
    for hline in sorted(hlines, key=lambda hline: hline.value):  # from below: of two in a row, the larger goes higher
        row = row_of(hline.value, axis, rows, ascii_only)
        while row is not None and row in taken and row > 0:
            row -= 1
        if row is not None and row not in taken:
            taken.add(row)
            labels[row] = f"{_label(hline, ascii_only)[:gutter]:>{gutter}}{pointer}", "edge"
    return labels


def _label(hline: HLine, ascii_only: bool) -> str:
    return ascii_text(hline.label) if ascii_only else hline.label
