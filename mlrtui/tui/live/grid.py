"""The sweep as a grid: depth downwards, width to the right, or two other axes, one variant of the rest at a time."""

from collections.abc import Sequence

from textual import events
from textual.message import Message

from mlrtui.text.lines import Line, Run, clean, fit, flowed, line, width_of
from mlrtui.text.marks import at_rest
from mlrtui.tui.live.plane import SIZES
from mlrtui.tui.live.sheets import PHASE_LETTERS, How, Sheet, Sheets
from mlrtui.tui.state import Look, starts
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import sentence, window
from mlrtui_db.models import CellRow

__all__ = ["SweepGrid"]


class SweepGrid(Pane):
    """Cells with a cursor. The line above the grid chooses the variant where there are several.

    A key costs the visible cells alone: what rests on all of them is in `Sheets`.
    """

    GROWS = True
    OPENS = True

    class Clicked(Message):
        """A cell was chosen with the mouse."""

        def __init__(self, cell_id: int) -> None:
            self.cell_id = cell_id
            super().__init__()

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="grid", classes="pane")
        self.chosen: int | None = None  # the cell under the cursor, which the screen puts on what is looked at
        self._on_variant = False
        self._places: list[tuple[int, int, int, int]] = []  # (y, x from, x to, cell_id), for the mouse
        self._made: Sheets | None = None

    def needed(self, width: int) -> int:
        """The variant line where there are several, the columns' names, the rows, what letters and shades mean."""
        sheets = self._sheets()
        if not sheets.cells:
            return len(self._starting(width))
        return self._rows(sheets) + len(self._legend(self._sheet(), width))

    def title(self) -> Line:
        """What the cells show."""
        sheets = self._sheets()
        axes = SIZES if sheets.is_list else sheets.plane.axes
        turned = () if axes == SIZES else ((f"  {' × '.join(axes)}", ""), ("  a A", "dim"))
        return (("sweep: ", "title"), (self.look.grid_value, "title"), ("  v", "dim"), *turned)

    def caption(self) -> Line:
        """How many trials have ended, and of these how many in a state that is no success; in words where they fit."""
        sheets, marks = self._sheets(), self.look.marks
        if not sheets.cells:
            return ()
        for words in (True, False):
            shown: Line = ((f"{sheets.counts['ended']} ended", ""),)
            for state, count in sheets.counts.items():
                if count and state != "ended":
                    state = at_rest(state, sheets.how.alive)
                    text = f"{marks.glyph(state)}{count}{f' {state}' if words else ''}"
                    shown = (*shown, (" ", ""), (text, state))
            if width_of(shown) <= self.size.width - 6:
                break
        return shown

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The variant line where there are several, the columns' names, a row for each value of the other axis."""
        self._places = []
        sheets = self._sheets()
        chosen = self._cell()
        if chosen is None:
            return self._starting(width)
        sheet = self._sheet()
        legend = self._legend(sheet, width)[: max(height - self._rows(sheets), 0)]  # no cell is hidden for it
        if sheets.is_list:
            return [*self._list(sheet, chosen, width, height - len(legend)), *legend]
        plane = sheets.plane
        label = max(3, max(map(len, plane.rows)) + 1)
        step = max(sheet.widest + 3, max(map(len, plane.columns)) + 2)
        at_row, at_column = sheet.places[chosen.cell_id]
        columns = window(len(plane.columns), at_column, max((width - label) // step, 1))
        lines: list[Line] = [self._variant_line(sheet)] if len(sheets.variants) > 1 else []
        names = "".join(f"{plane.columns[index]:>{step - 1}} " for index in columns)
        more = ("‹" if columns.start else " ", "›" if columns.stop < len(plane.columns) else "")
        corner = "\\".join(axis[0] for axis in plane.axes).rjust(label - 1)
        lines.append(line(f"{corner}{more[0]}{names}{more[1]}", "dim"))
        for row in window(len(plane.rows), at_row, height - len(lines) - len(legend)):
            runs: list[Run] = [(f"{plane.rows[row]:>{label}}", "dim")]
            for slot, index in enumerate(columns):
                cell = sheet.by_place.get((row, index))
                if cell is None:
                    runs.append((" " * step, ""))
                    continue
                text, role = self._framed(sheet, cell, cell is chosen, not self._is_above(sheets))
                runs.append((text.rjust(step), role))
                left = 1 + label + slot * step
                self._places.append((len(lines) + 1, left, left + step, cell.cell_id))
            lines.append(tuple(runs))
        return [*lines, *legend]

    def _rows(self, sheets: Sheets) -> int:
        """Rows of all cells, with the lines above them."""
        if sheets.is_list:
            return len(sheets.cells)
        return len(sheets.plane.rows) + 1 + (len(sheets.variants) > 1)

    def _framed(self, sheet: Sheet, cell: CellRow, is_chosen: bool, on_cells: bool = True) -> Run:
        """A cell with its sign, in brackets where it is the chosen one."""
        sign, role = sheet.how.sign(cell, sheet.heat)
        open_, close = ("[", "]") if is_chosen else (" ", " ")
        if is_chosen and self.has_focus and on_cells:
            role = f"{role}-chosen"
        return f"{open_}{sign}{sheet.how.text(cell)}{close}", role

    def _legend(self, sheet: Sheet, width: int) -> list[Line]:
        """What the letters, the signs and the shades in the cells mean: of those that are there."""
        if sheet.how.value == "phases":
            named = [(f" {letter} {name}", "dim") for name, letter in PHASE_LETTERS.items() if name in sheet.phases]
            return flowed([(run,) for run in named], width) if named else []
        return [] if sheet.heat is None or sheet.heat.low >= sheet.heat.high else [sheet.heat.legend()]

    def _starting(self, width: int) -> list[Line]:
        """What starts, in place of the grid."""
        now = starts(self.reading, self.look)
        if now is None:
            return [line(" no sweep in this store yet", "note")]
        rows = sentence(f"starting {now.sweep or 'a sweep'}", "value", width)
        return [*rows, *(row for text in now.grid for row in sentence(text, "", width))]

    def move(self, dx: int, dy: int) -> bool:
        """To the neighbouring cell; above the first row lies the variant line."""
        self._go(dx, dy)
        return True

    def _go(self, dx: int, dy: int) -> None:
        chosen, sheets, sheet = self._cell(), self._sheets(), self._sheet()
        if chosen is None:
            return
        if self._is_above(sheets):
            self._on_variant = dy <= 0
            if dx:
                self._turn_variant(sheets, sheet, chosen, dx)
            self.update_rows()
            return
        self._on_variant = False
        row, column = sheet.places[chosen.cell_id]
        row, column = row + dy, column if sheets.is_list else column + dx
        if row < 0 and len(sheets.variants) > 1:
            self._on_variant = True
            self.update_rows()
            return
        rows, columns = (len(sheet.cells), 1) if sheets.is_list else (len(sheets.plane.rows), len(sheets.plane.columns))
        there = sheet.by_place.get((min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)))
        if there is not None and there.cell_id != self.chosen:
            self._take(there.cell_id)

    def on_click(self, event: events.Click) -> None:
        """The cell under the pointer."""
        for y, start, end, cell_id in self._places:
            if event.y == y and start <= event.x < end:
                self.post_message(self.Clicked(cell_id))

    def _take(self, cell_id: int) -> None:
        self.chosen = cell_id
        self.update_rows()

    def _turn_variant(self, sheets: Sheets, sheet: Sheet, chosen: CellRow, step: int) -> None:
        at = sheets.variants.index(sheet.variant)
        other = sheets.sheet(sheets.variants[(at + step) % len(sheets.variants)])
        self._take(other.by_place.get(sheet.places[chosen.cell_id], other.cells[0]).cell_id)

    def _is_above(self, sheets: Sheets) -> bool:
        """Whether the cursor is on the variant line, which other axes may have taken away."""
        return self._on_variant and len(sheets.variants) > 1

    def _variant_line(self, sheet: Sheet) -> Line:
        variants = self._sheets().variants
        role = "cursor" if self._on_variant and self.has_focus else "value"
        place = f" {variants.index(sheet.variant) + 1}/{len(variants)}"
        return ((" ‹ ", "dim"), (clean(sheet.variant) or "default", role), (" ›", "dim"), (place, "dim"))

    def _sheets(self) -> Sheets:
        """The cells as they are drawn; made again where they or the look are other ones."""
        reading = self.reading
        snapshot = None if reading is None else reading.snapshot
        cells = () if snapshot is None else snapshot.cells
        how = How(
            self.look.grid_value,
            self.look.grid_axes,
            self.look.marks,
            snapshot is None or snapshot.sweep.mode == "search",
            {} if reading is None else reading.seconds,
            reading is None or reading.alive,
        )
        # A reading after a key has other tuples of the same rows, of which comparing is quick.
        if self._made is None or self._made.cells != cells or self._made.how != how:
            self._made = Sheets(cells, how)
        return self._made

    def _sheet(self) -> Sheet:
        """The sheet that holds the cursor."""
        return self._sheets().holding(self.chosen)

    def _cell(self) -> CellRow | None:
        """The cell under the cursor; the first of its sheet where it is none of them, None without any cell."""
        sheet = self._sheet()
        first = sheet.cells[0] if sheet.cells else None
        return first if self.chosen is None else sheet.by_id.get(self.chosen, first)

    def _list(self, sheet: Sheet, chosen: CellRow, width: int, height: int) -> Sequence[Line]:
        lines: list[Line] = []
        for index in window(len(sheet.cells), sheet.places[chosen.cell_id][0], height):
            cell = sheet.cells[index]
            text, role = self._framed(sheet, cell, cell is chosen)
            lines.append(fit(((f"{text} ", role), (clean(cell.label), "")), width))
            self._places.append((len(lines), 1, 1 + width, cell.cell_id))
        return lines
