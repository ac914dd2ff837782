"""Rows of the store's views `eta_star` and `grid`, or of `derived`, to the points that a fit sees: one a cell."""

import math
from collections.abc import Iterable, Mapping, Sequence

from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.quantities import QUANTITIES
from mlrtui.analysis.rows import Row
from mlrtui_db.axes import axis_values
from mlrtui_db.own import own_values

__all__ = ["BOUNDED", "points"]

BOUNDED = ("eta_star", "eta_last", *(name for name, quantity in QUANTITIES.items() if quantity.derive))
"""Columns of a net that are only bounds where its column ``censored`` says so."""


def points(rows: Sequence[Row], y: str, n_params: Mapping[str, int]) -> list[CellPoint]:
    """One point per cell: the nets' ln y, how many are censored, and the values that expressions may name."""
    by_cell: dict[str, list[Row]] = {}
    for row in rows:
        by_cell.setdefault(str(row["cell"]), []).append(row)
    return [_point(label, nets, y, n_params[label]) for label, nets in by_cell.items()]


def _point(label: str, nets: list[Row], y: str, n_params: int) -> CellPoint:
    row = nets[0]
    values = own_values(row.get("own")) | axis_values(row) | {"n_params": float(n_params)}
    values.pop("lambda0", None)  # a setting of this name: the measured one has it
    if isinstance(threshold := row.get("threshold"), float):  # of searches that are looked at together
        values["threshold"] = threshold
    lambda0 = _positive(row.get("lambda0", row.get("lambda0_mean")) for row in nets)
    if lambda0:
        values["lambda0"] = math.exp(sum(map(math.log, lambda0)) / len(lambda0))
    if y not in BOUNDED:
        measured = _positive(row.get(y, row.get(f"{y}_mean")) for row in nets)
        return CellPoint(label, values, tuple(map(math.log, measured)), 0, waits=_waits(nets))
    sound = [row for row in nets if row["censored"] is None and _positive([row.get(y)])]
    censored = sum(row["censored"] is not None for row in nets)
    # the largest success is one quantity under every rule; η* is not
    rules = frozenset(int(row.get("eta_rule") or 1) for row in sound) if y == "eta_star" else frozenset()  # type: ignore[call-overload]
    ln_y = tuple(map(math.log, _positive(row[y] for row in sound)))
    return CellPoint(label, values, ln_y, censored, rules, _at_least(nets, y, ln_y), _waits(nets))


def _waits(nets: list[Row]) -> bool:
    """Whether nets of a cell are still at work, by rows of either view."""
    if "nets_done" in nets[0]:
        return nets[0]["nets_done"] != nets[0].get("nets")
    return any(row.get("status", "done") not in ("done", "failed") for row in nets)


def _at_least(nets: list[Row], y: str, ln_y: Sequence[float]) -> float | None:
    """Lower bound of the cell's mean ln y: its nets, with those censored at the top of the range at their bounds."""
    above = [row for row in nets if row["censored"] == "at_max"]
    bounds = tuple(map(math.log, _positive(row.get(y) for row in above)))
    if not bounds or len(bounds) != sum(row["censored"] is not None for row in nets):
        return None  # of a net without any success there is no lower bound
    return (sum(ln_y) + sum(bounds)) / (len(ln_y) + len(bounds))


def _positive(values: Iterable[object]) -> list[float]:
    return [float(v) for v in values if isinstance(v, int | float) and v > 0]
