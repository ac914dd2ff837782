"""The sweep as a grid: depth downwards, width to the right, or two other axes, one variant of the rest at a time."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from textual import events
from textual.message import Message

from mlrtui.text.lines import Line, Run, ascii_text, clean, fit, flowed, line, width_of
from mlrtui.text.marks import cell_state
from mlrtui.tui.live.heat import HEATS, Heat, amount, heat_text
from mlrtui.tui.live.plane import SIZES, Plane
from mlrtui.tui.state import Look, starts
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import sentence, window
from mlrtui_db.models import CellRow

__all__ = ["PHASE_LETTERS", "SweepGrid", "cell_text"]

PHASE_LETTERS = {
    "lazy": "L",
    "stable": "S",
    "edge": "E",
    "controlled": "G",  # for growth, of the outputs
    "catapult": "C",
    "unfinished": "U",
    "collapsed": "O",
    "divergent": "D",
    "catastrophic": "X",
}


class SweepGrid(Pane):
    """Cells with a cursor. The line above the grid chooses the variant where there are several."""

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
        self._made: tuple[object, tuple[str, str], Plane] | None = None

    def needed(self, width: int) -> int:
        """The variant line where there are several, the columns' names, the rows, what letters and shades mean."""
        if not self._cells():
            return len(self._starting(width))
        legend = len(self._legend(width))
        if self._is_list():
            return len(self._cells()) + legend
        return len(self._plane().rows) + (len(self._variants()) > 1) + 1 + legend

    def title(self) -> Line:
        """What the cells show."""
        axes = self._plane().axes
        turned = () if self._is_list() or axes == SIZES else ((f"  {' × '.join(axes)}", ""), ("  a A", "dim"))
        return (("sweep: ", "title"), (self.look.grid_value, "title"), ("  v", "dim"), *turned)

    def caption(self) -> Line:
        """How many trials have ended, and of these how many in a state that is no success; in words where they fit."""
        cells, marks = self._cells(), self.look.marks
        if not cells:
            return ()
        ended = sum(cell.trials_done for cell in cells)
        counts = (
            ("running", "running", sum(cell.trials_running for cell in cells)),
            ("diverged", "diverged", sum(cell.diverged for cell in cells)),
            ("failed", "failed", sum(cell.trials_failed for cell in cells)),
        )
        for words in (True, False):
            shown: Line = ((f"{ended} ended", ""),)
            for state, name, count in counts:
                if count:
                    shown = (*shown, (" ", ""), (f"{marks.glyph(state)}{count}{f' {name}' if words else ''}", state))
            if width_of(shown) <= self.size.width - 6:
                break
        return shown

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The variant line where there are several, the columns' names, a row for each value of the other axis."""
        self._places = []
        cells = self._shown()
        if not cells:
            return self._starting(width)
        chosen = next((cell for cell in cells if cell.cell_id == self.chosen), cells[0])
        heat = self._heat()
        rows_of_all = len(cells) if self._is_list() else len(self._plane().rows) + 1 + (len(self._variants()) > 1)
        legend = self._legend(width)[: max(height - rows_of_all, 0)]  # no cell is hidden for it
        if self._is_list():
            return [*self._list(cells, chosen, heat, width, height - len(legend)), *legend]
        plane = self._plane()
        texts = {cell.cell_id: self._text(cell) for cell in cells}
        label = max(3, max(map(len, plane.rows)) + 1)
        step = max(max(map(len, texts.values())) + 3, max(map(len, plane.columns)) + 2)
        at_row, at_column = plane.places[chosen.cell_id]
        columns = window(len(plane.columns), at_column, max((width - label) // step, 1))
        lines: list[Line] = [self._variant_line()] if len(self._variants()) > 1 else []
        names = "".join(f"{plane.columns[index]:>{step - 1}} " for index in columns)
        more = ("‹" if columns.start else " ", "›" if columns.stop < len(plane.columns) else "")
        corner = "\\".join(axis[0] for axis in plane.axes).rjust(label - 1)
        lines.append(line(f"{corner}{more[0]}{names}{more[1]}", "dim"))
        rows = window(len(plane.rows), at_row, height - len(lines) - len(legend))
        by_place = {plane.places[cell.cell_id]: cell for cell in cells}
        for row in rows:
            runs: list[Run] = [(f"{plane.rows[row]:>{label}}", "dim")]
            for slot, index in enumerate(columns):
                cell = by_place.get((row, index))
                if cell is None:
                    runs.append((" " * step, ""))
                    continue
                open_, close = ("[", "]") if cell is chosen else (" ", " ")
                sign, role = self._sign(cell, heat)
                if cell is chosen and self.has_focus and not self._on_variant:
                    role = f"{role}-chosen"
                runs.append((f"{open_ + sign + texts[cell.cell_id]:>{step - 1}}{close}", role))
                left = 1 + label + slot * step
                self._places.append((len(lines) + 1, left, left + step, cell.cell_id))
            lines.append(tuple(runs))
        return [*lines, *legend]

    def _text(self, cell: CellRow) -> str:
        seconds = {} if self.reading is None else self.reading.seconds
        text = cell_text(cell, self.look.grid_value, self._search(), seconds)
        return ascii_text(text) if self.look.marks.ascii_only else text  # as wide as it will be

    def _heat(self) -> Heat | None:
        """The scale of the cells that are shown, where their value is one that is shaded."""
        seconds = {} if self.reading is None else self.reading.seconds
        return Heat.of(self._shown(), self.look.grid_value, seconds, self.look.marks.ascii_only)

    def _sign(self, cell: CellRow, heat: Heat | None) -> Run:
        """The sign before a cell's text: its state, or its shade; a cell that is done needs none before its phases."""
        state = cell_state(cell)
        if heat is not None and self.reading is not None:
            level = heat.level(amount(cell, self.look.grid_value, self.reading.seconds))
            if level is not None:
                return heat.shade(level)
        if self.look.grid_value != "progress" and state == "done":
            return (" ", state)
        return (self.look.marks.glyph(state), state)

    def _legend(self, width: int) -> list[Line]:
        """What the letters, the signs and the shades in the cells mean: of those that are there."""
        if self.look.grid_value == "phases":
            there = dict.fromkeys(phase for cell in self._shown() for phase, _ in cell.phases)
            named = [(f" {letter} {name}", "dim") for name, letter in PHASE_LETTERS.items() if name in there]
            return flowed([(run,) for run in named], width) if named else []
        heat = self._heat()
        return [] if heat is None or heat.low >= heat.high else [heat.legend()]

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
        cells = self._shown()
        chosen = next((cell for cell in cells if cell.cell_id == self.chosen), cells[0] if cells else None)
        if chosen is None:
            return
        if self._on_variant:
            self._on_variant = dy <= 0
            if dx:
                self._turn_variant(chosen, dx)
            self.update_rows()
            return
        if self._is_list():
            at = min(max(cells.index(chosen) + dy, 0), len(cells) - 1)
            if cells[at].cell_id != self.chosen:
                self._take(cells[at].cell_id)
            return
        plane = self._plane()
        row, column = plane.places[chosen.cell_id]
        row, column = row + dy, column + dx
        if row < 0 and len(self._variants()) > 1:
            self._on_variant = True
            self.update_rows()
            return
        place = min(max(row, 0), len(plane.rows) - 1), min(max(column, 0), len(plane.columns) - 1)
        there = next((cell for cell in cells if plane.places[cell.cell_id] == place), None)
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

    def _turn_variant(self, chosen: CellRow, step: int) -> None:
        variants, plane = self._variants(), self._plane()
        variant = variants[(variants.index(plane.variants[chosen.cell_id]) + step) % len(variants)]
        cells = [cell for cell in self._cells() if plane.variants[cell.cell_id] == variant]
        same = [cell for cell in cells if plane.places[cell.cell_id] == plane.places[chosen.cell_id]]
        self._take((same or cells)[0].cell_id)

    def _variant_line(self) -> Line:
        variants = self._variants()
        variant = self._plane().variants[self._shown()[0].cell_id]
        role = "cursor" if self._on_variant and self.has_focus else "value"
        place = f" {variants.index(variant) + 1}/{len(variants)}"
        return ((" ‹ ", "dim"), (clean(variant) or "default", role), (" ›", "dim"), (place, "dim"))

    def _cells(self) -> Sequence[CellRow]:
        return () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.cells

    def _plane(self) -> Plane:
        """Where the cells are; made again where they or the axes are other ones."""
        cells, axes = self._cells(), self.look.grid_axes
        if self._made is None or self._made[0] is not cells or self._made[1] != axes:
            self._made = cells, axes, Plane.of(cells, axes)
        return self._made[2]

    def _search(self) -> bool:
        return self.reading is None or self.reading.snapshot is None or self.reading.snapshot.sweep.mode == "search"

    def _is_list(self) -> bool:
        """Whether there is a cell whose depth or width is not known: then they are listed by their labels."""
        return any(cell.depth is None or cell.width is None for cell in self._cells())

    def _list(
        self, cells: Sequence[CellRow], chosen: CellRow, heat: Heat | None, width: int, height: int
    ) -> Sequence[Line]:
        rows = window(len(cells), cells.index(chosen), height)
        lines: list[Line] = []
        for index in rows:
            cell = cells[index]
            sign, role = self._sign(cell, heat)
            open_, close = ("[", "]") if cell is chosen else (" ", " ")
            if cell is chosen and self.has_focus:
                role = f"{role}-chosen"
            text = f"{open_}{sign}{self._text(cell)}{close} "
            lines.append(fit(((text, role), (clean(cell.label), "")), width))
            self._places.append((len(lines), 1, 1 + width, cell.cell_id))
        return lines

    def _variants(self) -> list[str]:
        if self._is_list():
            return [""]
        return list(dict.fromkeys(self._plane().variants.values()))

    def _shown(self) -> list[CellRow]:
        """The cells of the plane that holds the cursor."""
        cells = self._cells()
        if self._is_list():
            return list(cells)
        variants = self._plane().variants
        variant = variants.get(-1 if self.chosen is None else self.chosen, next(iter(variants.values()), ""))
        return [cell for cell in cells if variants[cell.cell_id] == variant]


def cell_text(cell: CellRow, value: str, search: bool, seconds: Mapping[int, float] = MappingProxyType({})) -> str:
    """What one cell shows, without its sign."""
    if value in HEATS:
        return heat_text(cell, value, seconds)
    if value == "phases":
        return "".join(f"{PHASE_LETTERS.get(phase, '?')}{count}" for phase, count in cell.phases) or "-"
    return f"{cell.nets_done}/{cell.nets}" if search else f"{cell.trials_done}/{cell.trials}"
