"""Rows of the store's views as figures read them. A store may come from anybody: text is shown on one line, plain."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import TYPE_CHECKING

from mlrtui.text.escape import one_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlrtui_db.reader import Reader

__all__ = ["Row", "Training", "by_net", "number", "several", "shown", "text_of", "view_rows"]

Row = Mapping[str, object]
"""One row of a view, by column."""

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


def view_rows(reader: "Reader", view: str, sweep: str) -> list[Row]:
    """All rows of a view that are about the sweep of this name."""
    columns, found = reader.query(view, where_sweep=sweep)
    return [dict(zip(columns, row, strict=True)) for row in found]


def number(row: Row, name: str) -> float:
    """A finite number of a row; NaN where there is none."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and isfinite(value) else nan


def text_of(row: Row, name: str) -> str:
    """A text of a row; "" where there is none."""
    value = row.get(name)
    return "" if value is None else str(value)


def shown(text: str, longest: int = _LONGEST) -> str:
    """Text for a label: on one line, not too long, and never read as markup (matplotlib takes $ for mathematics)."""
    line = one_line(text).replace("$", r"\$")
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def by_net(rows: Iterable[Row]) -> dict[tuple[str, str, int], list[Row]]:
    """Rows of each net together, by sweep, cell and seed, in the order in which they come."""
    found: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        seed = row.get("seed")
        key = text_of(row, "sweep"), text_of(row, "cell"), int(seed) if isinstance(seed, int | float) else 0
        found.setdefault(key, []).append(row)
    return found


def several(rows: Sequence[Row], name: str) -> bool:
    """Whether a column has more than one value."""
    return len({text_of(row, name) for row in rows}) > 1
