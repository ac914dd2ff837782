"""The table of what differs: one row a setting or a result, one column each of what is compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.text.lines import Line, Run, ascii_line, clean, fit_plain, line
from mlrtui.tui.compare.differences import LETTERS, Difference
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.rows import RowsPane

__all__ = ["DifferenceTable", "Differences", "role_of"]


def role_of(order: int) -> str:
    """The role of what is compared at this place."""
    return "curve" if order == 0 else f"curve-{order + 1}"


@dataclass(frozen=True)
class Differences:
    """What a table shows: names of its columns, all settings, all results."""

    names: tuple[str, ...]
    settings: tuple[Difference, ...]
    results: tuple[Difference, ...]


class DifferenceTable(RowsPane):
    """Settings that differ, then the results."""

    GROWS = True

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane")
        self.all_settings = False

    def made(self) -> Differences:
        """What is compared."""
        raise NotImplementedError

    def title(self) -> Line:
        """How many settings differ."""
        made = self.made()
        count = sum(row.differs for row in made.settings)
        return line(f"what differs: {count} of {len(made.settings)} settings" if made.names else "compare", "title")

    def head(self, width: int) -> Sequence[Line]:
        """Which column is which."""
        made = self.made()
        if not made.names:
            return ()
        label, room = self._widths(made, width)
        head: list[Run] = [(" " * (label + 3), "")]
        for order, one in enumerate(made.names):
            name = ((f"{LETTERS[order]} ", role_of(order)), (one, ""))
            head += [*self._cell(name, room), (" ", "")]
        return [tuple(head)]

    def rows(self, width: int) -> Sequence[Line]:
        """Settings, then results."""
        made = self.made()
        if not made.names:
            return [line(" nothing is marked yet", "note")]
        label, room = self._widths(made, width)
        return [
            *(self._row(row, label, room, "") for row in self._settings(made)),
            *(self._row(row, label, room, "value") for row in made.results),
        ]

    def _row(self, row: Difference, label: int, room: int, role: str) -> Line:
        runs: list[Run] = [*self._cell(line(row.name, "dim"), label + 1, " "), ("  ", "")]
        for value in row.values:
            runs += [*self._cell(line(clean(value), role), room), (" ", "")]
        return tuple(runs)

    def _cell(self, runs: Line, room: int, before: str = "") -> Line:
        """Of exactly `room` cells; what ASCII spells longer is spelled before it is measured."""
        spelled = ascii_line(runs) if self.look.marks.ascii_only else runs
        return fit_plain(((before, ""), *spelled), room, self.look.marks.ascii_only)

    def _widths(self, made: Differences, width: int) -> tuple[int, int]:
        """Cells for a name and for each value."""
        longest = max((len(row.name) for row in (*self._settings(made), *made.results)), default=8)
        label = min(longest, 18 if width < 100 else 30)
        return label, max((width - label - 3) // len(made.names) - 1, 4)

    def _settings(self, made: Differences) -> list[Difference]:
        return [row for row in made.settings if self.all_settings or row.differs]
