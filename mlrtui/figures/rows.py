"""Rows of the store's views as figures read them. A store may come from anybody: text is shown on one line, plain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Any, Protocol

from mlrtui.analysis.rows import Row, by_net, number, text_of
from mlrtui.text.escape import one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Queried", "Row", "Training", "by_net", "number", "several", "shown", "text_of", "view_rows"]

_LONGEST = 44


@dataclass(frozen=True, eq=False)
class Training:
    """One training with its stored steps. Arrays of equal length; NaN where nothing was stored, inf where it was so."""

    eta: float
    c: float  # η·λ₀; NaN: not known
    step: "npt.NDArray[np.float64]"
    loss: "npt.NDArray[np.float64]"
    sharpness: "npt.NDArray[np.float64]"  # NaN: not measured at this step, or not a number
    accuracy: "npt.NDArray[np.float64]"
    edge: float = nan  # η·λ at the edge of stability; NaN: none
    phase: str = ""
    cell: str = ""
    seed: int = 0
    eta_along: "npt.NDArray[np.float64] | None" = field(default=None)  # rate of each step, under a schedule


class Queried(Protocol):
    """What gives rows of the store's views."""

    def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
        """Columns and rows of a view."""


def view_rows(reader: Queried, view: str, sweep: str) -> list[Row]:
    """All rows of a view that are about the sweep of this name."""
    columns, found = reader.query(view, where_sweep=sweep)
    return [dict(zip(columns, row, strict=True)) for row in found]


def shown(text: str, longest: int = _LONGEST) -> str:
    """Text for a label: on one line, not too long, and never read as markup (matplotlib takes $ for mathematics)."""
    line = one_line(text).replace("$", r"\$")
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def several(rows: Sequence[Row], name: str) -> bool:
    """Whether a column has more than one value."""
    return len({text_of(row, name) for row in rows}) > 1
