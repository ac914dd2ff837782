"""Redo a sweep's fits from what the store shows in its views, so that anyone can redo them from the same rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from mlrtui.analysis import fits
from mlrtui.analysis.points import points
from mlrtui.analysis.rows import Row
from mlrtui.config import AnySweep, read_sweep
from mlrtui.driver.sweep_run import SweepRun
from mlrtui.planning import CellPlan
from mlrtui.reading.quantities import quantity_rows
from mlrtui_db.reader import Reader
from mlrtui_db.records import FitRecord
from mlrtui_db.store import Store
from mlrtui_trainer.models.kinds import n_params as count

__all__ = ["current_fits", "refit_merged"]


def current_fits(store: Path, run: SweepRun) -> tuple[list[FitRecord], list[str]]:
    """The fits that the committed rows of a sweep allow, and a sentence for each that is refused: it would mix numbers
    that are not alike."""
    if run.maps:
        return [], []
    plans = [cell.plan for cell in run.cells]
    n_params = {plan.label: count(plan.net) if isinstance(plan, CellPlan) else 0 for plan in plans}
    with Reader.open(store) as reader:
        rows = _rows(reader, run.spec)
    results = list(_results(run.spec, rows, n_params))
    refused = [f"{result.spec.name}: {result.warnings[0]}" for result in results if result.refused]
    return _records(results), refused


def refit_merged(store: Store, sweep_ids: Sequence[int]) -> None:
    """Fit sweeps anew whose rows were put together out of several stores; an event says so.

    A sweep of another version, whose settings this one does not know, is left without fits, and an event says that.
    """
    for sweep_id in sweep_ids:
        with Reader.open(store.path) as reader:
            (sweep,) = (row for row in reader.sweeps() if row.sweep_id == sweep_id)
            found, text = (
                None,
                "its fits were left out: this version does not know its settings; resume it with its own",
            )
            with suppress(ValidationError):
                spec = read_sweep(sweep.spec)
                found = _records(_results(spec, _rows(reader, spec), reader.sizes(sweep_id)))
                text = "its fits were computed anew from the rows of all stores"
        with store.transaction():
            store.replace_fits(sweep_id, found or [])
            store.add_event("info" if found is not None else "warning", f"merged: {text}", sweep_id)


def _rows(reader: Reader, spec: AnySweep) -> dict[str, list[Row]]:
    """What the fits of a sweep are made from, by quantity: those of its file, else the usual ones."""
    usual = ("eta_star", "lambda0") if spec.search is not None else ("lambda0",)
    return quantity_rows(reader, spec.sweep.name, spec.mode, dict.fromkeys((*usual, *(fit.y for fit in spec.fit))))


def _records(results: Iterable[fits.FitResult]) -> list[FitRecord]:
    return [record for result in results for record in fits.to_records(result)]


def _results(spec: AnySweep, rows: Mapping[str, list[Row]], n_params: dict[str, int]) -> Iterator[fits.FitResult]:
    """All fits of a sweep: those of its file, or the standard ones."""
    if spec.boundary_map is not None:
        return  # a map has neither η* nor λ₀
    wanted = [fits.FitSpec(fit.y, tuple(fit.x), fit.where, fit.mixed_rules, fit.censored) for fit in spec.fit]
    cells = {y: points(found, y, n_params) for y, found in rows.items()}
    search = spec.search is not None
    for fit in dict.fromkeys(wanted) or fits.standard_fits(cells["eta_star" if search else "lambda0"], search):
        yield fits.fit(cells[fit.y], fit)
