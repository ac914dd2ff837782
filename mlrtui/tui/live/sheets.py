"""The cells of the grid as they are drawn, without the cursor: made once for all keys until cells or look change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from mlrtui.text.lines import Run, ascii_text
from mlrtui.text.marks import Marks, at_rest, cell_state
from mlrtui.tui.live.heat import HEATS, Heat, amount, heat_text
from mlrtui.tui.live.plane import Plane
from mlrtui_db.models import CellRow

__all__ = ["PHASE_LETTERS", "How", "Sheet", "Sheets", "cell_text"]

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


@dataclass(frozen=True)
class How:
    """How cells are drawn."""

    value: str  # one of `state.GRID_VALUES`
    axes: tuple[str, str]
    marks: Marks
    search: bool
    seconds: Mapping[int, float]  # by cell_id, where the value is the time
    alive: bool = True  # whether a driver is at work

    def text(self, cell: CellRow) -> str:
        """What a cell shows without its sign, as wide as it will be."""
        text = cell_text(cell, self.value, self.search, self.seconds)
        return ascii_text(text) if self.marks.ascii_only else text

    def sign(self, cell: CellRow, heat: Heat | None) -> Run:
        """The sign before a cell's text: its state, or its shade; a cell that is done needs none before its phases."""
        level = None if heat is None else heat.level(amount(cell, self.value, self.seconds))
        if heat is not None and level is not None:
            return heat.shade(level)
        state = at_rest(cell_state(cell), self.alive)
        return (" " if self.value != "progress" and state == "done" else self.marks.glyph(state), state)


@dataclass(frozen=True)
class Sheet:
    """The cells of one variant; all of them where they are a list."""

    variant: str
    cells: tuple[CellRow, ...]
    places: Mapping[int, tuple[int, int]]  # row and column by cell_id; in a list the second is 0
    how: How

    @cached_property
    def by_id(self) -> dict[int, CellRow]:
        """The cells by number."""
        return {cell.cell_id: cell for cell in self.cells}

    @cached_property
    def by_place(self) -> dict[tuple[int, int], CellRow]:
        """The cells by row and column."""
        return {self.places[cell.cell_id]: cell for cell in self.cells}

    @cached_property
    def heat(self) -> Heat | None:
        """The scale of these cells, where their value is one that is shaded."""
        return Heat.of(self.cells, self.how.value, self.how.seconds, self.how.marks.ascii_only)

    @cached_property
    def widest(self) -> int:
        """Letters of the longest text: of all cells, so that columns stay where they are while others come up."""
        return max((len(self.how.text(cell)) for cell in self.cells), default=0)

    @cached_property
    def phases(self) -> frozenset[str]:
        """The phases of these cells."""
        return frozenset(phase for cell in self.cells for phase, _ in cell.phases)


@dataclass(frozen=True)
class Sheets:
    """All cells of a sweep, by variant."""

    cells: Sequence[CellRow]
    how: How
    _made: dict[str, Sheet] = field(default_factory=dict)

    @cached_property
    def is_list(self) -> bool:
        """Whether there is a cell whose depth or width is not known: then they are listed by their labels."""
        return any(cell.depth is None or cell.width is None for cell in self.cells)

    @cached_property
    def plane(self) -> Plane:
        """Where the cells are."""
        return Plane.of(self.cells, self.how.axes)

    @cached_property
    def by_variant(self) -> dict[str, list[CellRow]]:
        """The cells of each variant, in their order; of a list there is one."""
        if self.is_list:
            return {"": list(self.cells)}
        found: dict[str, list[CellRow]] = {}
        for cell in self.cells:
            found.setdefault(self.plane.variants[cell.cell_id], []).append(cell)
        return found

    @cached_property
    def variants(self) -> list[str]:
        """Their names."""
        return list(self.by_variant)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Trials that have ended, that run, that diverged, and that failed."""
        return {
            "ended": sum(cell.trials_done for cell in self.cells),
            "running": sum(cell.trials_running for cell in self.cells),
            "diverged": sum(cell.diverged for cell in self.cells),
            "failed": sum(cell.trials_failed for cell in self.cells),
        }

    def sheet(self, variant: str) -> Sheet:
        """The cells of a variant."""
        if variant not in self._made:
            cells = tuple(self.by_variant.get(variant, ()))
            places = {cell.cell_id: (at, 0) for at, cell in enumerate(cells)} if self.is_list else self.plane.places
            self._made[variant] = Sheet(variant, cells, places, self.how)
        return self._made[variant]

    def holding(self, cell_id: int | None) -> Sheet:
        """The sheet with a cell; the first where there is no such cell."""
        first = next(iter(self.by_variant), "")
        return self.sheet(first if self.is_list or cell_id is None else self.plane.variants.get(cell_id, first))


def cell_text(cell: CellRow, value: str, search: bool, seconds: Mapping[int, float] = MappingProxyType({})) -> str:
    """What one cell shows, without its sign."""
    if value in HEATS:
        return heat_text(cell, value, seconds)
    if value == "phases":
        return "".join(f"{PHASE_LETTERS.get(phase, '?')}{count}" for phase, count in cell.phases) or "-"
    return f"{cell.nets_done}/{cell.nets}" if search else f"{cell.trials_done}/{cell.trials}"
