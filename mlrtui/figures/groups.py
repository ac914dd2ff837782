"""Cells in groups, each with its place on the x axis: what figures over a size have in common."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from mlrtui.analysis import fits
from mlrtui.analysis.expressions import ExpressionError, cell_number
from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.points import points
from mlrtui.errors import BadInput
from mlrtui.figures import style
from mlrtui.figures.rows import Row, shown, text_of
from mlrtui_db.axes import SIZES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Group", "default_x", "groups", "not_known", "size_axis"]

_MOST_SIZES = 6  # that are all labelled


@dataclass(frozen=True)
class Group:
    """Cells that agree in everything but sizes, or but those that stand on the x axis."""

    name: str
    rows: tuple[Row, ...]
    cells: tuple[CellPoint, ...]
    at: Mapping[str, float]  # x of each cell; a cell without one is not in it

    @property
    def without_x(self) -> int:
        """Rows whose cell has no place on the axis."""
        return sum(text_of(row, "cell") not in self.at for row in self.rows)


def default_x(rows: Sequence[Row]) -> str:
    """The width, or the depth where that alone varies."""
    varying = [name for name in SIZES if len({row.get(name) for row in rows}) > 1]
    return "depth" if varying == ["depth"] else "width"


def groups(
    rows: Sequence[Row],
    x: str,
    group_by: Sequence[str] | None,
    n_params: Mapping[str, int],
    *,
    y: str = "lambda0",
    pool_sizes: bool = False,
) -> list[Group]:
    """Rows of any view with a cell's settings, apart by sweep and by every axis that varies and is not in x.

    Args:
        rows: with the columns sweep and cell, and those of the axes.
        x: expression of a cell.
        group_by: axes; None: all that vary.
        n_params: trained parameters by label of a cell, for expressions with ``n_params``.
        y: column of which the cells have values.
        pool_sizes: cells of all depths and widths together, whatever x is.

    Raises:
        BadInput: an expression or a name that is not known.
    """
    sweeps: dict[str, list[Row]] = {}
    for row in rows:
        sweeps.setdefault(text_of(row, "sweep"), []).append(row)
    apart = [name for name in SIZES if not pool_sizes and not re.search(rf"\b{name}\b", x)]
    found = []
    for sweep, its in sweeps.items():
        cells = points(its, y, {text_of(row, "cell"): 0 for row in its} | dict(n_params))
        try:
            expression = cell_number(x, fits.own_names(cells))
            parts = fits.grouped(cells, group_by, sizes=apart)
        except ExpressionError as error:
            raise not_known(error) from None
        for condition, group in parts.items():
            at: dict[str, float] = {}
            for cell in group:
                try:
                    value = float(expression.evaluate(cell.values))
                except ExpressionError:
                    continue
                if value > 0 and isfinite(value):
                    at[cell.label] = value
            labels = {cell.label for cell in group}
            name = " · ".join(filter(None, (sweep if len(sweeps) > 1 else "", condition)))
            found.append(Group(name, tuple(row for row in its if text_of(row, "cell") in labels), tuple(group), at))
    return found


def not_known(error: ExpressionError) -> BadInput:
    """The same mistake, with what may be named."""
    return BadInput(f"{error}: name depth, width or another axis of the grid")


def size_axis(axes: "Axes", x: str, sizes: Sequence[float], beyond: Sequence[float] = ()) -> None:
    """A logarithmic x axis over the cells' sizes and what lies beyond them; few sizes are labelled each."""
    known = sorted(set(sizes))
    style.log_axis(axes, "x", *style.spread([*known, *beyond]), known if len(known) <= _MOST_SIZES else ())
    axes.set_xlabel(shown(x.replace("*", " · ")))
