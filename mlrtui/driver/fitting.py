"""Redo a sweep's fits from what the store shows in its views, so that anyone can redo them from the same rows."""

from collections.abc import Iterable, Iterator

from mlrtui.analysis import fits
from mlrtui.analysis.points import points
from mlrtui.config import SweepSpec
from mlrtui.driver.sweep_run import SweepRun
from mlrtui_db.reader import Reader
from mlrtui_db.records import FitRecord
from mlrtui_db.store import Store

__all__ = ["fit_records", "refresh_fits"]

_Row = dict[str, object]


def refresh_fits(store: Store, sweep_id: int, run: SweepRun) -> list[str]:
    """Fit what the committed rows allow and keep it, inside a transaction; writes nothing where nothing changed.

    Returns a sentence for every fit that is refused, since it would mix numbers that are not alike.
    """
    n_params = {cell.plan.label: cell.plan.net.n_params for cell in run.cells}
    with Reader.open(store.path) as reader:
        rows = _rows(reader, "eta_star" if run.spec.search is not None else "grid", run.spec.sweep.name)
    results = list(_results(run.spec, rows, n_params))
    store.replace_fits(sweep_id, [record for result in results for record in fits.to_records(result)])
    return [f"{result.spec.name}: {result.warnings[0]}" for result in results if result.refused]


def fit_records(spec: SweepSpec, rows: Iterable[_Row], n_params: dict[str, int]) -> list[FitRecord]:
    """All fits of a sweep: those of its file, or the standard ones."""
    return [record for result in _results(spec, rows, n_params) for record in fits.to_records(result)]


def _results(spec: SweepSpec, rows: Iterable[_Row], n_params: dict[str, int]) -> Iterator[fits.FitResult]:
    rows = list(rows)
    wanted = [fits.FitSpec(y=fit.y, x=tuple(fit.x), where=fit.where, mixed_rules=fit.mixed_rules) for fit in spec.fit]
    search = spec.search is not None
    usual = ("eta_star", "lambda0") if search else ("lambda0",)
    cells = {y: points(rows, y, n_params) for y in (*usual, *(fit.y for fit in wanted))}
    standard = fits.standard_fits(cells[usual[0]], search)
    for fit in dict.fromkeys(wanted) or standard:
        yield fits.fit(cells[fit.y], fit)


def _rows(reader: Reader, view: str, sweep: str) -> list[_Row]:
    columns, rows = reader.query(view, where_sweep=sweep)
    return [dict(zip(columns, row, strict=True)) for row in rows]
