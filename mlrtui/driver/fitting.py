"""Redo a sweep's fits from what the store shows in its views, so that anyone can redo them from the same rows."""

from collections.abc import Iterable
from pathlib import Path

from mlrtui.analysis import fits
from mlrtui.analysis.points import points
from mlrtui.config import SweepSpec
from mlrtui.driver.sweep_run import SweepRun
from mlrtui_db.reader import Reader
from mlrtui_db.records import FitRecord

__all__ = ["current_fits", "fit_records"]

_Row = dict[str, object]


def current_fits(store: Path, run: SweepRun) -> list[FitRecord]:
    """The fits that the committed rows of a sweep allow."""
    n_params = {cell.plan.label: cell.plan.net.n_params for cell in run.cells}
    with Reader.open(store) as reader:
        rows = _rows(reader, "eta_star" if run.spec.search is not None else "grid", run.spec.sweep.name)
    return fit_records(run.spec, rows, n_params)


def fit_records(spec: SweepSpec, rows: Iterable[_Row], n_params: dict[str, int]) -> list[FitRecord]:
    """All fits of a sweep: those of its file, or the standard ones."""
    rows = list(rows)
    wanted = [fits.FitSpec(y=fit.y, x=tuple(fit.x), where=fit.where) for fit in spec.fit]
    found: list[FitRecord] = []
    search = spec.search is not None
    usual = ("eta_star", "lambda0") if search else ("lambda0",)
    cells = {y: points(rows, y, n_params) for y in (*usual, *(fit.y for fit in wanted))}
    standard = fits.standard_fits(cells[usual[0]], search)
    for fit in dict.fromkeys(wanted) or standard:
        found += fits.to_records(fits.fit(cells[fit.y], fit))
    return found


def _rows(reader: Reader, view: str, sweep: str) -> list[_Row]:
    columns, rows = reader.query(view, where_sweep=sweep)
    return [dict(zip(columns, row, strict=True)) for row in rows]
