"""The rows of a sweep from which each quantity of its cells is fitted."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from mlrtui.analysis.quantities import QUANTITIES, Row, derived, view_of

__all__ = ["Queried", "derives", "quantity_rows"]


class Queried(Protocol):
    """What gives rows of the store's views."""

    def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Columns and rows of a view."""


def derives(y: str) -> bool:
    """Whether a quantity is told by the trainings of a scan, and not by a column."""
    return y in QUANTITIES and QUANTITIES[y].derive is not None


def quantity_rows(reader: Queried, sweep: str, mode: str, wanted: Iterable[str]) -> dict[str, list[Row]]:
    """Rows for `points`, for each wanted quantity of a sweep of this kind. No view is read twice."""
    wanted = list(wanted)
    cells = _rows(reader, view_of(mode), sweep)
    trials = _rows(reader, "phases", sweep) if any(map(derives, wanted)) else []
    return {y: derived(y, cells, trials) if derives(y) else cells for y in wanted}


def _rows(reader: Queried, view: str, sweep: str) -> list[Row]:
    columns, rows = reader.query(view, sweep)
    return [dict(zip(columns, row, strict=True)) for row in rows]
