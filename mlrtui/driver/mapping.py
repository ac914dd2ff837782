"""Maps of a sweep: which of their points are trained next. All rows of a map answer to one field."""

from collections.abc import Iterable, Sequence
from math import exp, log

from mlrtui.analysis.fields import UNKNOWN, Field, Grid
from mlrtui.config import AnySweep
from mlrtui.map_planning import grid_of
from mlrtui.planning import Cell, CellPlan
from mlrtui_trainer.phases import is_success

__all__ = ["MapQuestions", "Maps"]

GROWTH = 2.2
"""Points of a level of a map over those of the level before, before any is known: 2 for a smooth boundary."""

NEAR = 1e-9
"""Relative difference within which a rate is a column's: powers are not the same to the last bit everywhere."""


class _Map:
    """One map: its field, and the questions of its rows."""

    def __init__(self, grid: Grid, etas: Sequence[float]) -> None:
        self.field = Field(grid)
        self.etas = etas
        self.rows: list[MapQuestions] = []
        self._columns = {eta: column for column, eta in enumerate(etas)}
        self._open: dict[int, tuple[float, ...]] | None = None

    def column(self, eta: float) -> int | None:
        """Of a rate; None: of no column."""
        if (found := self._columns.get(eta)) is not None:
            return found
        near = min(range(len(self.etas)), key=lambda column: abs(log(self.etas[column] / eta)))
        return near if abs(self.etas[near] - eta) <= NEAR * eta else None

    def tell(self, row: int, eta: float, verdict: str) -> None:
        """The outcome of a training."""
        column = self.column(eta)
        if column is not None:
            self.field.tell(row, column, None if verdict == "failed" else is_success(verdict))
            self._open = None

    def wanted(self, row: int) -> tuple[float, ...]:
        """The rates that are wanted of a row."""
        return self._wanted().get(row, ())

    def left(self, first_band: int) -> float:
        """How many trainings are expected from now on; ``first_band``: of the level after the coarse grid, about.

        Of levels that are not reached, each asks so many times as many as the one before as levels have so far.
        """
        grid, field = self.field.grid, self.field
        asked, known = field.wanted() | (field.known != UNKNOWN), field.known != UNKNOWN
        found: list[int] = []  # by level
        seen: list[int] = []
        for level in range(grid.levels + 1):
            rows, columns = grid.strides(level)
            found.append(int(asked[::rows, ::columns].sum()) - sum(found))
            seen.append(int(known[::rows, ::columns].sum()) - sum(seen))
        ratios = [log(found[level] / found[level - 1]) for level in range(2, field.level + 1) if found[level - 1]]
        usual = log(GROWTH if grid.both else 1.0)
        growth = exp((usual + sum(ratios)) / (1 + len(ratios)))
        expected = [float(count) for count in found]
        for level in range(max(field.level, 0) + 1, grid.levels + 1):
            expected[level] = max(expected[level], first_band if level == 1 else growth * expected[level - 1])
        return sum(expected) - sum(seen)

    @property
    def closed(self) -> bool:
        """Nothing more is wanted of any row."""
        return not self._wanted()

    def _wanted(self) -> dict[int, tuple[float, ...]]:
        if self._open is None:
            rows, columns = self.field.wanted().nonzero()
            found: dict[int, list[float]] = {}
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                found.setdefault(row, []).append(self.etas[column])
            self._open = {row: tuple(etas) for row, etas in found.items()}
        return self._open


class MapQuestions:
    """What the row of a map wants to know: the rates whose outcomes decide where its boundary is."""

    def __init__(self, whole: _Map, row: int) -> None:
        self.whole, self.row = whole, row
        self.told = 0

    @property
    def round(self) -> int:
        """The coarsest level of which something is wanted."""
        return self.whole.field.level

    @property
    def closed(self) -> bool:
        """Nothing is wanted of any row of the map: an answer elsewhere may ask for more of this one."""
        return self.whole.closed

    def ask(self) -> tuple[float, ...]:
        """The rates that are wanted now."""
        return self.whole.wanted(self.row)

    def tell(self, eta: float, verdict: str) -> None:
        """The outcome of a training."""
        self.told += 1
        self.whole.tell(self.row, eta, verdict)

    def boundary(self) -> None:
        """A row alone has no boundary."""


class Maps:
    """All maps of a sweep, one for each seed of the cells that agree in all but the map's axis."""

    def __init__(self, spec: AnySweep, cells: Iterable[Cell]) -> None:
        self._section = spec.boundary_map
        self._rows: dict[int, int] = {}
        for cell in cells:
            if isinstance(cell, CellPlan) and cell.row is not None:
                self._rows[cell.row.home] = self._rows.get(cell.row.home, 0) + 1
        self._maps: dict[tuple[int, int], _Map] = {}
        self._etas = () if self._section is None else self._section.etas

    def __bool__(self) -> bool:
        return self._section is not None

    def kin(self, told: Iterable[MapQuestions]) -> list[MapQuestions]:
        """The rows of whose maps something was told, and that want something, or all once nothing is wanted."""
        maps = dict.fromkeys(row.whole for row in told)
        return [row for one in maps for row in one.rows if one.closed or one.wanted(row.row)]

    def left(self) -> dict[tuple[int, int], float]:
        """Trainings that each map still takes, about, by the place of its cells and the seed."""
        assert self._section is not None
        margin, squares = self._section.margin, self._section.squares
        across = 2 * (1 + 2 * margin)
        return {
            key: one.left(across * (2 * squares if one.field.grid.both else one.field.grid.rows))
            for key, one in self._maps.items()
        }

    def questions(self, cell: Cell, seed: int) -> MapQuestions:
        """Of the net of a row."""
        assert self._section is not None
        assert isinstance(cell, CellPlan)
        assert cell.row is not None
        key = cell.row.home, seed
        if key not in self._maps:
            self._maps[key] = _Map(grid_of(self._section, self._rows[cell.row.home]), self._etas)
        whole = self._maps[key]
        whole.rows.append(MapQuestions(whole, cell.row.row))
        return whole.rows[-1]
