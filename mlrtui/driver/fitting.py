"""Redo a sweep's fits from what the store shows in its views, so that anyone can redo them from the same rows."""

import math
from collections.abc import Iterable, Sequence

from mlrtui.analysis import fits
from mlrtui.analysis.expressions import CELL_NUMBERS, CELL_TEXTS
from mlrtui.config import SweepSpec
from mlrtui.driver.sweep_run import SweepRun
from mlrtui_db.reader import Reader
from mlrtui_db.records import FitRecord
from mlrtui_db.store import Store

__all__ = ["fit_records", "points", "refresh_fits"]

_Row = dict[str, object]
_VIEW_NAMES = {"loss": "training_loss"}  # a view calls the setting so, beside a step's loss


def refresh_fits(store: Store, sweep_id: int, run: SweepRun) -> None:
    """Fit what the committed rows allow and keep it, inside a transaction; writes nothing where nothing changed."""
    n_params = {cell.plan.label: cell.plan.net.n_params for cell in run.cells}
    with Reader.open(store.path) as reader:
        rows = _rows(reader, "eta_star" if run.spec.search is not None else "grid", run.spec.sweep.name)
    store.replace_fits(sweep_id, fit_records(run.spec, rows, n_params))


def fit_records(spec: SweepSpec, rows: Iterable[_Row], n_params: dict[str, int]) -> list[FitRecord]:
    """All fits of a sweep: those of its file, or the standard ones."""
    rows = list(rows)
    wanted = [fits.FitSpec(y=fit.y, x=tuple(fit.x), where=fit.where) for fit in spec.fit]
    found: list[FitRecord] = []
    search = spec.search is not None
    cells = {y: points(rows, y, n_params) for y in (("eta_star", "lambda0") if search else ("lambda0",))}
    standard = fits.standard_fits(cells["eta_star" if search else "lambda0"], search)
    for fit in dict.fromkeys(wanted) or standard:
        found += fits.to_records(fits.fit(cells[fit.y], fit))
    return found


def points(rows: Sequence[_Row], y: str, n_params: dict[str, int]) -> list[fits.CellPoint]:
    """One point per cell: the nets' ln y, how many are censored, and the values that expressions may name."""
    by_cell: dict[str, list[_Row]] = {}
    for row in rows:
        by_cell.setdefault(str(row["cell"]), []).append(row)
    return [_point(label, nets, y, n_params[label]) for label, nets in by_cell.items()]


def _point(label: str, nets: list[_Row], y: str, n_params: int) -> fits.CellPoint:
    row = nets[0]
    values: dict[str, float | str] = {"n_params": float(n_params)}
    values |= {name: float(row[name]) for name in CELL_NUMBERS if row.get(name) is not None}  # type: ignore[arg-type]
    values |= {name: str(row[_VIEW_NAMES.get(name, name)]) for name in CELL_TEXTS}
    lambda0 = _positive(row.get("lambda0", row.get("lambda0_mean")) for row in nets)
    if lambda0:
        values["lambda0"] = math.exp(sum(map(math.log, lambda0)) / len(lambda0))
    if y == "lambda0":
        return fits.CellPoint(label, values, tuple(map(math.log, lambda0)), 0)
    known = _positive(row["eta_star"] for row in nets if row["censored"] is None)
    censored = sum(row["censored"] is not None for row in nets)
    return fits.CellPoint(label, values, tuple(map(math.log, known)), censored)


def _positive(values: Iterable[object]) -> list[float]:
    return [float(v) for v in values if isinstance(v, int | float) and v > 0]


def _rows(reader: Reader, view: str, sweep: str) -> list[_Row]:
    columns, rows = reader.query(view, where_sweep=sweep)
    return [dict(zip(columns, row, strict=True)) for row in rows]
