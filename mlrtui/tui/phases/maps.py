"""A map on the screen Phases: where training succeeds over η and another axis, sharper as trainings end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlrtui.text.lines import Line, Run, clean, line, merge
from mlrtui.text.marks import Marks
from mlrtui.text.numbers import exact, number
from mlrtui.tui.boundary.chart import LEFT, eta_axis
from mlrtui.tui.phases.picture import Picture
from mlrtui.tui.tables import Table
from mlrtui.tui.widgets.rows import sentence

if TYPE_CHECKING:
    from mlrtui.figures.success_maps import SuccessMap

__all__ = ["MapView"]

STEPS = 32
"""Parts of an axis: an arrow key moves the cursor by one."""

REACH = 8
"""The window reaches this part of each axis to every side of the cursor, which makes it a quarter as long."""

_DIGITS = 6


@dataclass(frozen=True)
class MapView(Picture):
    """The maps of a sweep, which of them is drawn, and the cursor, as a point of its finest grid."""

    maps: tuple["SuccessMap", ...]
    at: int = 0
    point: tuple[float, float] = (0.5, 0.5)  # share of the rows and of the columns

    @property
    def one(self) -> "SuccessMap":
        """The map that is drawn."""
        return self.maps[self.at]

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of the cursor."""
        rows, columns = self.one.field.known.shape
        return round(self.point[0] * (rows - 1)), round(self.point[1] * (columns - 1))

    closed = "a map stores no curves; Z maps the window around the cursor"
    without_theory = "theory has no line on a map"

    def stepped(self, dx: int, dy: int) -> "MapView":
        """The cursor a part of an axis on, at least a point; up is where the axis rises."""
        shape = self.one.field.known.shape
        steps = [1.0 / min(STEPS, length - 1) for length in shape]
        row, column = (
            min(max(at + by * step, 0.0), 1.0) for at, by, step in zip(self.point, (-dy, dx), steps, strict=True)
        )
        return replace(self, point=(row, column))

    def along_x(self) -> "MapView":
        """The next map of the sweep."""
        return replace(self, at=(self.at + 1) % len(self.maps))

    @property
    def window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first and the last row, and column, around the cursor that `mlrtui map` would be asked for."""
        found = []
        for at, length in zip(self.place, self.one.field.known.shape, strict=True):
            reach = max((length - 1) // REACH, 1)
            low = min(max(at - reach, 0), max(length - 1 - 2 * reach, 0))
            found.append((low, min(low + 2 * reach, length - 1)))
        return found[0], found[1]

    @property
    def asks(self) -> str:
        """The options of `mlrtui map` for the window."""
        (low, high), (first, last) = self.window
        one = self.one
        ends = [f"--eta {exact(one.etas[first], _DIGITS)} {exact(one.etas[last], _DIGITS)}"]
        if one.section.window is not None:
            ends.append(f"--window {exact(one.values[low], _DIGITS)} {exact(one.values[high], _DIGITS)}")
        return " ".join(ends)

    def title(self) -> Line:
        """What is drawn against what."""
        one, more = self.one, len(self.maps) > 1
        name = f"  {clean(one.name)} seed {one.seed}" if one.name else f"  seed {one.seed}"
        of = f"  {self.at + 1} of {len(self.maps)}  x" if more else ""
        return ((f"map: {one.section.axis} against η", "title"), (name, ""), (of, "dim"))

    def caption(self, marks: Marks, room: int) -> Line:
        """What the signs mean."""
        runs: list[Run] = []
        for (sign, role), text in zip(_signs(marks.ascii_only).values(), ("succeeds", "fails", "both"), strict=False):
            runs += [(("  " if runs else "") + sign, role), (f" {text}", "dim")]
        left = self.one.lacking
        return (*runs, (f"  {left} more are asked for" if left else "  done", "dim"))

    def drawn(self, width: int, height: int, marks: Marks) -> list[Line]:
        """The map in `width` x `height` cells with its axes; the corners of the window, and the cursor."""
        from mlrtui.figures.success_maps import blocks

        one, wide, high, ascii_only = self.one, width - LEFT, height - 1, marks.ascii_only
        if wide < 12 or high < 3:
            return [line("no room for this map", "note")]
        signs = _signs(ascii_only)
        cells = [[signs[value] for value in row] for row in blocks(one.filled, high, wide).tolist()]
        shape = one.field.known.shape

        def cell(row: int, column: int) -> tuple[int, int]:
            return high - 1 - min(row * high // shape[0], high - 1), min(column * wide // shape[1], wide - 1)

        (low, top), (first, last) = self.window
        corners = "****" if ascii_only else "┌┐└┘"
        for corner, point in zip(corners, ((top, first), (top, last), (low, first), (low, last)), strict=True):
            down, across = cell(*point)
            cells[down][across] = (corner, "strong")
        down, across = cell(*self.place)
        glyph, role = cells[down][across]
        chosen = f"{role}-chosen" if role in _CHOSEN and glyph not in corners else "strong"
        cells[down][across] = ("x" if glyph in (" ", *corners) else glyph, chosen)
        bar = "|" if ascii_only else "│"
        rows = []
        for at, row in enumerate(cells):
            name = number(self._value_at(high - 1 - at, high), 2) if at in (0, high // 2, high - 1) else ""
            rows.append(merge([(f"{name:>{LEFT - 1}.{LEFT - 1}}{bar}", "axis"), *row]))
        return [*rows, eta_axis(math.log10(one.etas[0]), math.log10(one.etas[-1]), wide, width)]

    def _value_at(self, part: int, parts: int) -> float:
        return self.one.values[min((2 * part + 1) * len(self.one.values) // (2 * parts), len(self.one.values) - 1)]

    def aside_title(self) -> Line:
        """What it is."""
        return line("maps", "title")

    def aside(self, width: int, marks: Marks) -> list[Line]:
        """What the map says."""
        from mlrtui.figures.success_maps import words

        first, *rest = words(self.one)
        rows = sentence(first, "strong", width, hang=" ")
        for text in rest:
            rows += sentence(text.strip(), "", width, hang="  ")
        return rows

    def cursor_title(self) -> Line:
        """What it is."""
        return line("under the cursor", "title")

    def under_cursor(self, width: int, marks: Marks) -> list[Line]:
        """The point, and how its surroundings are asked for."""
        from mlrtui.figures.success_maps import FAILURE, SUCCESS

        one, (row, column) = self.one, self.place
        known, filled = int(one.field.known[row, column]), int(one.filled[row, column])
        how = {SUCCESS: "succeeds", FAILURE: "fails"}.get(filled)
        source = " (trained)" if known in (SUCCESS, FAILURE) else " (inferred)" if how else ""
        how = how or "is not known yet"
        here = f"η {exact(one.etas[column])} · {one.section.axis} {exact(one.values[row])}: {how}{source}"
        finer = f"Z maps the window of the corners as finely as the whole: mlrtui map NAME {self.asks}"
        return [*sentence(here, "strong", width, hang=" "), *sentence(finer, "dim", width, hang=" ")]

    def tables(self) -> Sequence[Table]:
        """Every trained point of the drawn map."""
        from mlrtui.figures.success_maps import FAILURE, SUCCESS, UNKNOWN

        one, said = self.one, {FAILURE: 0, SUCCESS: 1}
        rows, columns = (one.field.known != UNKNOWN).nonzero()
        points = tuple(
            (one.etas[column], one.values[row], said.get(int(one.field.known[row, column])))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        )
        return (Table(("eta", one.section.axis, "success"), points),)


_CHOSEN = ("done", "diverged")  # roles that the palette has under a cursor, too


def _signs(ascii_only: bool) -> dict[int, Run]:
    """Of a part of the map by what is in it; no two differ in colour alone."""
    from mlrtui.figures.success_maps import BOTH, FAILURE, SUCCESS, UNKNOWN  # with NumPy: not for the first picture

    signs = "#.+" if ascii_only else "█░▓"
    roles = ("done", "diverged", "zone")
    return dict(zip((SUCCESS, FAILURE, BOTH), zip(signs, roles, strict=True), strict=True)) | {UNKNOWN: (" ", "")}
