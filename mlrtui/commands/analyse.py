"""`mlrtui fit` and `mlrtui rethreshold`: other questions to what is stored. They train nothing."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

from mlrtui.analysis import fits
from mlrtui.analysis.thresholds import AtThreshold, Ended, at_threshold, lost_there
from mlrtui.commands.opening import open_current
from mlrtui.commands.resume import stored_spec
from mlrtui.config.sections import SearchSection
from mlrtui.driver.methods import rules_of
from mlrtui.errors import BadInput
from mlrtui.reading.documents import text
from mlrtui.reading.fitting import Question, answers, chosen, fitted
from mlrtui.report import term_line
from mlrtui.stores import open_store
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import exact
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader
from mlrtui_db.records import SAVED

__all__ = ["Question", "fit", "rethreshold"]

LONGEST_NAME = 120


def fit(
    stores: Sequence[Path], sweeps: Sequence[str], asked: Question, *, as_json: bool = False, save: str | None = None
) -> int:
    """Print a fit over the cells of one or more sweeps; exit code 1 if no group has a slope.

    With ``save`` it is kept in the store under this name, beside the fits of the first of the sweeps.

    Raises:
        BadInput: an unknown sweep, axis or quantity, or an expression that cannot be read; a name that cannot be saved.
        StoreError: a store cannot be used.
    """
    if save is not None and (len(stores) > 1 or not save.strip() or len(save) > LONGEST_NAME):
        raise BadInput(f"--save {save!r}: give a name of 1 to {LONGEST_NAME} letters, and one --store, which keeps it")
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader.open(store)) for store in stores]
        results = answers(readers, sweeps, asked)
        homes = fitted(readers[0], sweeps, asked.y) if save is not None else []
    if as_json:
        print(text({"fits": [_as_json(condition, result) for condition, result in results.items()]}))
    else:
        for condition, result in results.items():
            print(f"{one_line(result.spec.name)}{f'  [{one_line(condition)}]' if condition else ''}")
            for line in _lines(result):
                print(f"  {line}")
    if save is not None and homes:
        _save(stores[0], homes[0], save.strip(), results)
    return 0 if any(result.terms for result in results.values()) else 1


def _save(store: Path, sweep: SweepRow, name: str, results: Mapping[str, fits.FitResult]) -> None:
    """Keep fits in the store; those without a slope have nothing to keep."""
    records = [
        replace(
            record,
            fit=f"{SAVED}{name}{f' [{condition}]' if condition else ''}",
            where_expr=" and ".join(f"({part})" for part in (condition, record.where_expr) if part),
        )
        for condition, result in results.items()
        for record in fits.to_records(result)
    ]
    if not records:
        return
    open_current(store).close()  # migrates it
    with open_store(store) as opened, opened.transaction():
        opened.save_fit(sweep.sweep_id, records)
        opened.add_event("info", f"fit saved: {name!r}", sweep.sweep_id)
    print(f"saved as {SAVED + name!r} of sweep {one_line(sweep.name)!r}", file=sys.stderr)


def _lines(result: fits.FitResult) -> Iterator[str]:
    if not result.terms:
        yield one_line("; ".join(result.warnings))
    for record in fits.to_records(result):
        yield term_line(record)


def _as_json(condition: str, result: fits.FitResult) -> dict[str, Any]:
    spec = result.spec
    return {
        "group": condition,
        "y": spec.y,
        "x": list(spec.x),
        "where": spec.where,
        "terms": [
            {"expression": term.expression, "exponent": term.exponent, "low": term.low, "high": term.high}
            for term in result.terms
        ],
        "intercept": result.intercept,
        "r2": result.r2,
        "cells": result.cells,
        "decades": result.decades,
        "method": result.method,
        "left_out": list(result.excluded),
        "warnings": list(result.warnings),
    }


# Another threshold ----------------------------------------------------------------------------------------------------


def rethreshold(store: Path, threshold: float, sweeps: Sequence[str], *, as_json: bool = False) -> int:
    """Print η* of every net at another accuracy threshold; exit code 1 if no net is decided.

    Raises:
        BadInput: the threshold is none, or a sweep has none.
        StoreError: the store cannot be used.
    """
    if not 0.0 < threshold <= 1.0:
        raise BadInput(f"THRESHOLD {exact(threshold)}: use an accuracy above 0, up to 1")
    found: list[tuple[str, str, int, AtThreshold]] = []
    with Reader.open(store) as reader:
        rows = {row.name: row for row in chosen(reader, sweeps)}
        searches = {name: _search_of(row) for name, row in rows.items()}
        if not sweeps and not any(searches.values()):
            raise BadInput(f"{store}: no sweep in it searches for an accuracy; nothing to judge anew")
        for name, search in searches.items():
            if search is None and sweeps:
                raise BadInput(f"{name!r}: not a search for an accuracy; it has no threshold")
            if search is None or search.threshold is None:
                continue
            rules = rules_of(search.model_copy(update={"method": "bisect"}))
            for (cell, seed), trainings in _trainings(reader, rows[name], threshold).items():
                found.append((name, cell, seed, at_threshold(rules, trainings, threshold, search.threshold)))
    if as_json:
        print(text({"nets": [_net_as_json(*one) for one in found]}))
    else:
        _print_nets(found, threshold)
    return 0 if any(one.boundary is not None for *_, one in found) else 1


def _search_of(row: SweepRow) -> SearchSection | None:
    """The search of a sweep, if it is one for an accuracy."""
    search = stored_spec(row).search if row.mode == "search" else None
    return search if search is not None and search.success == "accuracy" else None


def _trainings(reader: Reader, sweep: SweepRow, threshold: float) -> dict[tuple[str, int], list[Ended]]:
    """Of each net, in the order in which they were asked for."""
    lost = {one.trial_id for one in reader.ended(sweep.sweep_id, threshold) if lost_there(one)}
    columns, rows = reader.query("boundaries", where_sweep=sweep.name)
    named = sorted((dict(zip(columns, row, strict=True)) for row in rows), key=lambda row: row["trial_id"])
    nets: dict[tuple[str, int], list[Ended]] = {}
    for row in named:
        if row["verdict"] in (None, "failed"):
            continue
        best = row["best_accuracy"]
        best = nan if best is None else float(best)
        if best >= threshold:
            best = _after_the_first_step(reader, row["trial_id"], best, threshold)
        given_up, there = row["given_up_epoch"] is not None, row["trial_id"] in lost
        ended = Ended(row["eta"], row["verdict"], best, given_up, there)
        nets.setdefault((str(row["cell"]), int(row["seed"])), []).append(ended)
    return nets


def _after_the_first_step(reader: Reader, trial_id: int, best: float, threshold: float) -> float:
    """The best accuracy without that before training, which may be above a low threshold."""
    start = reader.curve(trial_id, limit=1)
    if not len(start.step) or start.step[0] != 0 or not start.accuracy[0] >= threshold:
        return best
    later = reader.curve(trial_id, after_step=0).accuracy
    return max((float(value) for value in later if value == value), default=nan)


def _print_nets(found: Sequence[tuple[str, str, int, AtThreshold]], threshold: float) -> None:
    decided = sum(one.boundary is not None for *_, one in found)
    sweep = ""
    for name, cell, seed, one in found:
        if name != sweep:
            print(f"{one_line(name)}: η* at accuracy {exact(threshold)}")
            sweep = name
        print(f"  {one_line(cell)} seed {seed}: {_known(one)}")
    print(f"{decided} of {len(found)} nets are decided by stored trainings; nothing was trained")


def _known(one: AtThreshold) -> str:
    if one.boundary is not None:
        if one.boundary.censored is not None:
            return f"censored: {one.boundary.reason}"
        return f"η* {exact(one.boundary.eta_star, 4)} ± {exact(one.boundary.eta_star_se, 2)}"
    low = "no rate is known to succeed" if one.low is None else f"succeeds at {exact(one.low, 4)}"
    high = "none above is known to fail" if one.high is None else f"fails at {exact(one.high, 4)}"
    return f"not decided: {low}, {high}; it would train {', '.join(exact(eta, 4) for eta in one.missing)} next"


def _net_as_json(sweep: str, cell: str, seed: int, one: AtThreshold) -> dict[str, Any]:
    known = one.boundary
    return {
        "sweep": sweep,
        "cell": cell,
        "seed": seed,
        "eta_star": None if known is None else known.eta_star,
        "eta_star_se": None if known is None else known.eta_star_se,
        "censored": None if known is None else known.censored,
        "decided": known is not None,
        "low": one.low,
        "high": one.high,
        "missing": list(one.missing),
    }
