"""η* at a size that was not trained, for every group: what `mlrtui predict` prints and `Store.predict` gives."""

from collections.abc import Callable, Mapping, Sequence

from mlrtui.analysis import fits
from mlrtui.analysis.expressions import ExpressionError, cell_condition
from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.points import points
from mlrtui.analysis.prediction import LEVEL, Prediction, Refusal, predict
from mlrtui.analysis.quantities import best_rates
from mlrtui.errors import BadInput
from mlrtui.figures.rows import Row, view_rows
from mlrtui.reading.fitting import chosen
from mlrtui.text.numbers import exact
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = [
    "LARGEST",
    "cell_points",
    "grouped_where",
    "groups_of",
    "net_rows",
    "predictions",
    "refuse_sizes",
    "searches",
]

LARGEST = 1_000_000
"""The largest depth and width that may be asked for."""


def searches(reader: Reader, names: Sequence[str]) -> list[SweepRow]:
    """The searches of these names, or all of the store.

    Raises:
        BadInput: an unknown name, or one of another kind of sweep; or there is none.
    """
    rows = chosen(reader, names)
    if names and (other := [row for row in rows if row.mode != "search"]):
        raise BadInput(f"{other[0].name!r}: not a search; only searches have η*")
    found = [row for row in rows if row.mode == "search"]
    if not found:
        raise BadInput(f"{reader.path}: no sweep in it is a search; only searches have η*")
    return found


def refuse_sizes(depth: int, width: int, level: float, option: Callable[[str], str]) -> None:
    """Raise BadInput for what no prediction can be asked for; ``option`` is how messages write a name."""
    for name, value in (("depth", depth), ("width", width)):
        if not 1 <= value <= LARGEST:
            raise BadInput(f"{option(name)} {value}: use a whole number from 1 to {LARGEST}")
    if not 0.0 < level < 1.0:
        raise BadInput(f"{option('level')} {exact(level)}: use a chance above 0 and below 1, such as 0.9")


def cell_points(reader: Reader, row: SweepRow, trials: Sequence[Row] | None = None) -> list[CellPoint]:
    """The cells of a search with ln η* of their nets, or of a scan with ln of their best rates."""
    return points(net_rows(reader, row, trials), "eta_star", reader.sizes(row.sweep_id))


def net_rows(reader: Reader, row: SweepRow, trials: Sequence[Row] | None = None) -> list[Row]:
    """A row for each net, with its η* or its best rate in ``eta_star``, and whether that is a bound in ``censored``.

    ``trials``: the sweep's rows of the view `phases`, where they have been read already.
    """
    if row.mode == "search":
        return view_rows(reader, "eta_star", row.name)
    return best_rates(view_rows(reader, "phases", row.name) if trials is None else trials)


def groups_of(
    reader: Reader, names: Sequence[str], where: str = "", option: Callable[[str], str] = "--{}".format
) -> dict[tuple[str, str], list[CellPoint]]:
    """The cells from which is predicted, by sweep and by the condition of their group.

    Raises:
        BadInput: as `searches`, or a condition that cannot be read or holds for no cell.
    """
    found, unread = {}, []
    for row in searches(reader, names):
        try:
            found[row.name] = grouped_where(cell_points(reader, row), where, option)
        except BadInput as error:  # of a whole store some sweeps may lack an axis that the condition names
            if names:
                raise
            unread.append(error)
    if unread and not found:
        raise unread[0]
    empty = [name for name, each in found.items() if not each]
    if empty and (names or len(empty) == len(found)):
        raise BadInput(f"{option('where')} {where!r}: no cell of {empty[0]!r} is left")
    groups = {(name, text): cells for name, each in found.items() for text, cells in each.items()}
    if not names and len(groups) > 1:  # nets that were trained to check are sweeps of one cell
        groups = {key: cells for key, cells in groups.items() if len(cells) > 1} or groups
    return groups


def predictions(
    groups: Mapping[tuple[str, str], Sequence[CellPoint]], depth: int, width: int, level: float = LEVEL
) -> dict[tuple[str, str], Prediction | Refusal]:
    """η* at a depth and width, for each group."""
    target = {"depth": float(depth), "width": float(width)}
    return {key: predict(cells, target, level) for key, cells in groups.items()}


def grouped_where(
    cells: list[CellPoint], where: str, option: Callable[[str], str] = "--{}".format
) -> dict[str, list[CellPoint]]:
    """The cells that meet the condition, by group; none where none does.

    Raises:
        BadInput: the condition cannot be read.
    """
    if where.strip():
        try:
            condition = cell_condition(where, fits.own_names(cells))
            cells = [cell for cell in cells if condition.evaluate(cell.values)]
        except ExpressionError as error:
            raise BadInput(f"{option('where')} {where!r}: {error}") from None
    return fits.grouped(cells) if cells else {}
