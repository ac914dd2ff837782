"""The sweep as a grid: depth downwards, width to the right, one variant of the other axes at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from textual import events
from textual.message import Message

from mlrtui.text.lines import Line, Run, clean, fit, line
from mlrtui.text.marks import cell_state
from mlrtui.text.numbers import number
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import window
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


class Variant:
    """The cells of one variant, found by place and by number. Made once for all keys, since a sweep may have 10⁵."""

    def __init__(self, cells: Sequence[CellRow]) -> None:
        self.cells = cells
        self.by_place: Mapping[tuple[int, int], CellRow] = {_place(cell): cell for cell in reversed(cells)}
        self.depths = sorted({depth for depth, _ in self.by_place})
        self.widths = sorted({width for _, width in self.by_place})
        self._longest: dict[tuple[str, bool], int] = {}

    def longest(self, value: str, search: bool) -> int:
        """Characters of the longest text of its cells."""
        if (value, search) not in self._longest:
            self._longest[value, search] = max(len(cell_text(cell, value, search)) for cell in self.cells)
        return self._longest[value, search]


@dataclass(frozen=True)
class Cells:
    """The cells of a snapshot and what the grid asks of them."""

    all: Sequence[CellRow]

    @cached_property
    def is_list(self) -> bool:
        """Whether there is a cell whose depth or width is not known: then they are listed by their labels."""
        return any(cell.depth is None or cell.width is None for cell in self.all)

    @cached_property
    def variants(self) -> Mapping[str, Variant]:
        """By name, in the order of the cells; a list has one."""
        if self.is_list:
            return {"": Variant(self.all)}
        found: dict[str, list[CellRow]] = {}
        for cell in self.all:
            found.setdefault(cell.variant, []).append(cell)
        return {name: Variant(cells) for name, cells in found.items()}

    @cached_property
    def places(self) -> Mapping[int, int]:
        """Place of each cell in all of them, by number."""
        return {cell.cell_id: at for at, cell in enumerate(self.all)}

    @cached_property
    def counts(self) -> Sequence[tuple[str, int]]:
        """How many trials are in which state."""
        return (
            ("done", sum(cell.trials_done - cell.diverged - cell.trials_failed for cell in self.all)),
            ("running", sum(cell.trials_running for cell in self.all)),
            ("diverged", sum(cell.diverged for cell in self.all)),
            ("failed", sum(cell.trials_failed for cell in self.all)),
        )

    def chosen(self, cell_id: int | None) -> CellRow:
        """The cell of this number, else the first."""
        return self.all[self.places.get(cell_id, 0) if cell_id is not None else 0]

    def shown(self, cell_id: int | None) -> Variant:
        """The variant that holds a cell."""
        return self.variants["" if self.is_list else self.chosen(cell_id).variant]


class SweepGrid(Pane):
    """Cells with a cursor. The line above the grid chooses the variant where there are several."""

    GROWS = True

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
        self._known = Cells(())

    def needed(self, width: int) -> int:
        """The variant line where there are several, the widths, one row a depth."""
        cells = self._cells()
        if not cells.all:
            return 2
        if cells.is_list:
            return len(cells.all)
        return len(cells.shown(self.chosen).depths) + (len(cells.variants) > 1) + 1

    def title(self) -> Line:
        """What the cells show."""
        return (("sweep: ", "title"), (self.look.grid_value, "title"), ("  v", "dim"))

    def caption(self) -> Line:
        """How many trials are in which state."""
        cells, marks = self._cells(), self.look.marks
        shown: list[Run] = []
        for state, count in cells.counts:
            if count or state == "done":
                shown += [(" " if shown else "", ""), (f"{marks.glyph(state)}{count}", state)]
        return tuple(shown) if cells.all else ()

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The variant line where there are several, the widths, one row a depth."""
        self._places = []
        cells, value = self._cells(), self.look.grid_value
        if not cells.all:
            return [line(" no sweep in this store yet", "note")]
        chosen = cells.chosen(self.chosen)
        if cells.is_list:
            return self._list(cells, chosen, width, height)
        variant = cells.shown(self.chosen)
        depths, widths, search = variant.depths, variant.widths, self._search()
        label = max(3, len(str(depths[-1])) + 1)
        step = max(variant.longest(value, search) + 3, len(str(widths[-1])) + 2)
        columns = window(len(widths), widths.index(_place(chosen)[1]), max((width - label) // step, 1))
        lines: list[Line] = [self._variant_line()] if len(cells.variants) > 1 else []
        names = "".join(f"{widths[index] or '-':>{step - 1}} " for index in columns)
        more = ("‹" if columns.start else " ", "›" if columns.stop < len(widths) else "")
        corner = "d\\w".rjust(label - 1)
        lines.append(line(f"{corner}{more[0]}{names}{more[1]}", "dim"))
        rows = window(len(depths), depths.index(_place(chosen)[0]), height - len(lines))
        for depth in [depths[index] for index in rows]:
            runs: list[Run] = [(f"{depth or '-':>{label}}", "dim")]
            for slot, index in enumerate(columns):
                cell = variant.by_place.get((depth, widths[index]))
                if cell is None:
                    runs.append((" " * step, ""))
                    continue
                state = cell_state(cell)
                text = f"{self.look.marks.glyph(state)}{cell_text(cell, value, search)}"
                open_, close = ("[", "]") if cell is chosen else (" ", " ")
                role = f"{state}-chosen" if cell is chosen and self.has_focus and not self._on_variant else state
                runs.append((f"{open_ + text:>{step - 1}}{close}", role))
                left = 1 + label + slot * step
                self._places.append((len(lines) + 1, left, left + step, cell.cell_id))
            lines.append(tuple(runs))
        return lines

    def move(self, dx: int, dy: int) -> bool:
        """To the neighbouring cell; above the first row lies the variant line."""
        self._go(dx, dy)
        return True

    def _go(self, dx: int, dy: int) -> None:
        cells = self._cells()
        if not cells.all:
            return
        chosen = cells.chosen(self.chosen)
        if self._on_variant:
            self._on_variant = dy <= 0
            if dx:
                self._turn_variant(chosen, dx)
            self.update_rows()
            return
        if cells.is_list:
            at = min(max(cells.places[chosen.cell_id] + dy, 0), len(cells.all) - 1)
            self._take(cells.all[at])
            return
        variant = cells.shown(self.chosen)
        depths, widths = variant.depths, variant.widths
        row, column = depths.index(_place(chosen)[0]) + dy, widths.index(_place(chosen)[1]) + dx
        if row < 0 and len(cells.variants) > 1:
            self._on_variant = True
            self.update_rows()
            return
        row, column = min(max(row, 0), len(depths) - 1), min(max(column, 0), len(widths) - 1)
        self._take(variant.by_place.get((depths[row], widths[column])))

    def on_click(self, event: events.Click) -> None:
        """The cell under the pointer."""
        for y, start, end, cell_id in self._places:
            if event.y == y and start <= event.x < end:
                self.post_message(self.Clicked(cell_id))

    def _take(self, cell: CellRow | None) -> None:
        if cell is not None and cell.cell_id != self.chosen:
            self.chosen = cell.cell_id
            self.update_rows()

    def _turn_variant(self, chosen: CellRow, step: int) -> None:
        variants = self._cells().variants
        names = list(variants)
        variant = variants[names[(names.index(chosen.variant) + step) % len(names)]]
        self._take(variant.by_place.get(_place(chosen), variant.cells[0]))

    def _variant_line(self) -> Line:
        names, name = list(self._cells().variants), self._cells().chosen(self.chosen).variant
        role = "cursor" if self._on_variant and self.has_focus else "value"
        place = f" {names.index(name) + 1}/{len(names)}"
        return ((" ‹ ", "dim"), (clean(name) or "default", role), (" ›", "dim"), (place, "dim"))

    def _cells(self) -> Cells:
        found = () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.cells
        if found is not self._known.all:
            self._known = Cells(found)
        return self._known

    def _search(self) -> bool:
        return self.reading is None or self.reading.snapshot is None or self.reading.snapshot.sweep.mode == "search"

    def _list(self, cells: Cells, chosen: CellRow, width: int, height: int) -> Sequence[Line]:
        rows = window(len(cells.all), cells.places[chosen.cell_id], height)
        lines: list[Line] = []
        for index in rows:
            cell = cells.all[index]
            state = cell_state(cell)
            text = f"{self.look.marks.glyph(state)}{cell_text(cell, self.look.grid_value, self._search())}"
            open_, close = ("[", "]") if cell is chosen else (" ", " ")
            role = f"{state}-chosen" if cell is chosen and self.has_focus else state
            lines.append(fit(((f"{open_}{text}{close} ", role), (clean(cell.label), "")), width))
            self._places.append((len(lines), 1, 1 + width, cell.cell_id))
        return lines


def cell_text(cell: CellRow, value: str, search: bool) -> str:
    """What one cell shows, without its glyph."""
    if value == "η*":
        mean = cell.ln_eta_star_mean
        if mean is not None:
            return number(math.exp(mean), 2)
        return "cens" if cell.censored else "-"
    if value == "λ₀":
        return number(cell.lambda0_mean)
    if value == "phases":
        return "".join(f"{PHASE_LETTERS.get(phase, '?')}{count}" for phase, count in cell.phases) or "-"
    return f"{cell.nets_done}/{cell.nets}" if search else f"{cell.trials_done}/{cell.trials}"


def _place(cell: CellRow) -> tuple[int, int]:
    """Depth and width; 0 where it is not known."""
    return cell.depth or 0, cell.width or 0
