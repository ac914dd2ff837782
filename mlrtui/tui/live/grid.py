"""The sweep as a grid: depth downwards, width to the right, one variant of the other axes at a time."""

import math
from collections.abc import Sequence

from textual import events
from textual.message import Message

from mlrtui.text.lines import Line, Run, clean, fit, line
from mlrtui.text.marks import cell_state
from mlrtui.text.numbers import number
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

    def needed(self, width: int) -> int:
        """The variant line where there are several, the widths, one row a depth."""
        if not self._cells():
            return len(self._starting(width))
        if self._is_list():
            return len(self._cells())
        depths = {cell.depth for cell in self._shown()}
        return max(len(depths), 1) + (len(self._variants()) > 1) + 1

    def title(self) -> Line:
        """What the cells show."""
        return (("sweep: ", "title"), (self.look.grid_value, "title"), ("  v", "dim"))

    def caption(self) -> Line:
        """How many trials are in which state."""
        cells, marks = self._cells(), self.look.marks
        counts = (
            ("done", sum(cell.trials_done - cell.diverged - cell.trials_failed for cell in cells)),
            ("running", sum(cell.trials_running for cell in cells)),
            ("diverged", sum(cell.diverged for cell in cells)),
            ("failed", sum(cell.trials_failed for cell in cells)),
        )
        shown: list[Run] = []
        for state, count in counts:
            if count or state == "done":
                shown += [(" " if shown else "", ""), (f"{marks.glyph(state)}{count}", state)]
        return tuple(shown) if cells else ()

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The variant line where there are several, the widths, one row a depth."""
        self._places = []
        cells = self._shown()
        if not cells:
            return self._starting(width)
        chosen = next((cell for cell in cells if cell.cell_id == self.chosen), cells[0])
        if self._is_list():
            return self._list(cells, chosen, width, height)
        depths, widths = _axis(cells, 0), _axis(cells, 1)
        texts = {_place(cell): cell_text(cell, self.look.grid_value, self._search()) for cell in cells}
        label = max(3, len(str(depths[-1])) + 1)
        step = max(max(map(len, texts.values())) + 3, max(len(str(value)) for value in widths) + 2)
        columns = window(len(widths), widths.index(_place(chosen)[1]), max((width - label) // step, 1))
        lines: list[Line] = [self._variant_line()] if len(self._variants()) > 1 else []
        names = "".join(f"{widths[index] or '-':>{step - 1}} " for index in columns)
        more = ("‹" if columns.start else " ", "›" if columns.stop < len(widths) else "")
        corner = "d\\w".rjust(label - 1)
        lines.append(line(f"{corner}{more[0]}{names}{more[1]}", "dim"))
        rows = window(len(depths), depths.index(_place(chosen)[0]), height - len(lines))
        by_place = {_place(cell): cell for cell in cells}
        for depth in [depths[index] for index in rows]:
            runs: list[Run] = [(f"{depth or '-':>{label}}", "dim")]
            for slot, index in enumerate(columns):
                cell = by_place.get((depth, widths[index]))
                if cell is None:
                    runs.append((" " * step, ""))
                    continue
                state = cell_state(cell)
                text = f"{self.look.marks.glyph(state)}{texts[_place(cell)]}"
                open_, close = ("[", "]") if cell is chosen else (" ", " ")
                role = f"{state}-chosen" if cell is chosen and self.has_focus and not self._on_variant else state
                runs.append((f"{open_ + text:>{step - 1}}{close}", role))
                left = 1 + label + slot * step
                self._places.append((len(lines) + 1, left, left + step, cell.cell_id))
            lines.append(tuple(runs))
        return lines

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
        depths, widths = _axis(cells, 0), _axis(cells, 1)
        row, column = depths.index(_place(chosen)[0]) + dy, widths.index(_place(chosen)[1]) + dx
        if row < 0 and len(self._variants()) > 1:
            self._on_variant = True
            self.update_rows()
            return
        row, column = min(max(row, 0), len(depths) - 1), min(max(column, 0), len(widths) - 1)
        self._choose(cells, depths[row], widths[column])

    def on_click(self, event: events.Click) -> None:
        """The cell under the pointer."""
        for y, start, end, cell_id in self._places:
            if event.y == y and start <= event.x < end:
                self.post_message(self.Clicked(cell_id))

    def _choose(self, cells: Sequence[CellRow], depth: int, width: int) -> None:
        cell = next((cell for cell in cells if _place(cell) == (depth, width)), None)
        if cell is not None and cell.cell_id != self.chosen:
            self._take(cell.cell_id)

    def _take(self, cell_id: int) -> None:
        self.chosen = cell_id
        self.update_rows()

    def _turn_variant(self, chosen: CellRow, step: int) -> None:
        variants = self._variants()
        variant = variants[(variants.index(chosen.variant) + step) % len(variants)]
        cells = [cell for cell in self._cells() if cell.variant == variant]
        same = [cell for cell in cells if (cell.depth, cell.width) == (chosen.depth, chosen.width)]
        self._take((same or cells)[0].cell_id)

    def _variant_line(self) -> Line:
        variants = self._variants()
        variant = self._shown()[0].variant
        role = "cursor" if self._on_variant and self.has_focus else "value"
        place = f" {variants.index(variant) + 1}/{len(variants)}"
        return ((" ‹ ", "dim"), (clean(variant) or "default", role), (" ›", "dim"), (place, "dim"))

    def _cells(self) -> Sequence[CellRow]:
        return () if self.reading is None or self.reading.snapshot is None else self.reading.snapshot.cells

    def _search(self) -> bool:
        return self.reading is None or self.reading.snapshot is None or self.reading.snapshot.sweep.mode == "search"

    def _is_list(self) -> bool:
        """Whether there is a cell whose depth or width is not known: then they are listed by their labels."""
        return any(cell.depth is None or cell.width is None for cell in self._cells())

    def _list(self, cells: Sequence[CellRow], chosen: CellRow, width: int, height: int) -> Sequence[Line]:
        rows = window(len(cells), cells.index(chosen), height)
        lines: list[Line] = []
        for index in rows:
            cell = cells[index]
            state = cell_state(cell)
            text = f"{self.look.marks.glyph(state)}{cell_text(cell, self.look.grid_value, self._search())}"
            open_, close = ("[", "]") if cell is chosen else (" ", " ")
            role = f"{state}-chosen" if cell is chosen and self.has_focus else state
            lines.append(fit(((f"{open_}{text}{close} ", role), (clean(cell.label), "")), width))
            self._places.append((len(lines), 1, 1 + width, cell.cell_id))
        return lines

    def _variants(self) -> list[str]:
        if self._is_list():
            return [""]
        return list(dict.fromkeys(cell.variant for cell in self._cells()))

    def _shown(self) -> list[CellRow]:
        """The cells of the variant that holds the cursor."""
        cells = self._cells()
        if self._is_list():
            return list(cells)
        variant = next((cell.variant for cell in cells if cell.cell_id == self.chosen), None)
        if variant is None and cells:
            variant = cells[0].variant
        return [cell for cell in cells if cell.variant == variant]


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


def _axis(cells: Sequence[CellRow], place: int) -> list[int]:
    return sorted({_place(cell)[place] for cell in cells})


def _place(cell: CellRow) -> tuple[int, int]:
    """Depth and width; 0 where it is not known."""
    return cell.depth or 0, cell.width or 0
