"""Redo a sweep's fits from what the store shows in its views, so that anyone can redo them from the same rows."""

import math
from collections.abc import Iterable, Sequence

from mlrtui.analysis import fits
from mlrtui.config import SweepSpec
from mlrtui.driver.sweep_run import SweepRun
from mlrtui_db.reader import Reader
from mlrtui_db.records import FitRecord
from mlrtui_db.store import Store

__all__ = ["fit_records", "points", "refresh_fits"]

_Row = dict[str, object]
_COLUMNS = ("depth", "width", "samples", "batch", "input_lr")


def refresh_fits(store: Store, sweep_id: int, run: SweepRun) -> None:
    """Fit what the committed rows allow and keep it; writes nothing where nothing changed. Call inside a transaction."""
    n_params = {cell.plan.label: cell.plan.net.n_params for cell in run.cells}
    with Reader.open(store.path) as reader:
        rows = _rows(reader, "eta_star" if run.spec.search is not None else "grid", run.spec.sweep.name)
    store.replace_fits(sweep_id, fit_records(run.spec, rows, n_params))


def fit_records(spec: SweepSpec, rows: Iterable[_Row], n_params: dict[str, int]) -> list[FitRecord]:
    """All fits of a sweep: those of its file, or the standard ones."""
    rows = list(rows)
    wanted = [fits.FitSpec(y=fit.y, x=tuple(fit.x), where=fit.where) for fit in spec.fit]
    found: list[FitRecord] = []
    cells = {y: points(rows, y, n_params) for y in ("eta_star", "lambda0")}
    for fit in wanted or fits.standard_fits(cells["eta_star" if spec.search is not None else "lambda0"], spec.search is not None):
        result = fits.fit(cells[fit.y], fit)
        if result is not None:
            found += fits.to_records(result)
    return found


def points(rows: Sequence[_Row], y: str, n_params: dict[str, int]) -> list[fits.CellPoint]:
    """One point per cell: the nets' ln y, how many are censored, and the values that expressions may name."""
    by_cell: dict[str, list[_Row]] = {}
    for row in rows:
        by_cell.setdefault(str(row["cell"]), []).append(row)
    return [_point(label, nets, y, n_params[label]) for label, nets in by_cell.items()]


def _point(label: str, nets: list[_Row], y: str, n_params: int) -> fits.CellPoint:
    values = {name: float(nets[0][name]) for name in _COLUMNS} | {"n_params": float(n_params)}  # type: ignore[arg-type]
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
