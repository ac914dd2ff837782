"""The rows of a sweep from which each quantity of its cells is fitted."""

from collections.abc import Iterable

from mlrtui.analysis.quantities import derived, derives, view_of
from mlrtui.analysis.rows import Row
from mlrtui.figures.rows import Queried, view_rows

__all__ = ["quantity_rows"]


def quantity_rows(reader: Queried, sweep: str, mode: str, wanted: Iterable[str]) -> dict[str, list[Row]]:
    """Rows for `points`, for each wanted quantity of a sweep of this kind. No view is read twice."""
    wanted = list(wanted)
    cells = view_rows(reader, view_of(mode), sweep)
    trials = view_rows(reader, "phases", sweep) if any(map(derives, wanted)) else []
    return {y: derived(y, cells, trials) if derives(y) else cells for y in wanted}
