"""Rows of the views of a store in memory, made from its nets and trials."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlrtui_db.models import CellRow, LogRow

if TYPE_CHECKING:
    from tui_fakes import FakeStore

_AXES = {
    "data": "digits", "samples": 256, "target": "classes", "standardize": "global", "model": "mlp",
    "activation": "relu", "bias": 0, "parametrization": "sp", "input_lr": 1.0, "training_loss": "ce",

    "optimizer": "sgd", "batch": 64, "max_steps": 80, "dtype": "float32",
}  # fmt: skip


def view_rows(store: FakeStore, view: str, sweep: str | None) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """A view of one sweep, by name."""
    cells = [cell for snapshot in store.snapshots.values() if snapshot.sweep.name == sweep for cell in snapshot.cells]
    make = {"eta_star": _nets, "grid": _cells, "phases": _phases, "onsets": _onsets}[view]
    rows = [row | _AXES for cell in cells for row in make(store, cell)]
    columns = tuple(rows[0]) if rows else (*_NO_MARK, *_AXES)
    return columns, iter([tuple(row.values()) for row in rows])


def log_rows(store: FakeStore) -> list[LogRow]:
    """All events, oldest first."""
    found = [
        LogRow(
            event.event_id,
            event.at,
            event.level,
            event.text,
            sweep_id,
            event.trial_id,
            _cell_of(store, event.trial_id),
            "h",
        )
        for sweep_id, snapshot in store.snapshots.items()
        for event in snapshot.events
    ]
    return sorted(found, key=lambda row: row.event_id)


def _nets(store: FakeStore, cell: CellRow) -> list[dict[str, Any]]:
    nets = store.nets.get(cell.cell_id, ())
    return [
        {
            "cell": cell.label,
            "depth": cell.depth,
            "width": cell.width,
            "seed": net.seed,
            "status": net.status,
            "eta_star": net.eta_star,
            "censored": net.censored,
            "lambda0": net.lambda0,
        }
        for net in nets
    ]


def _cells(store: FakeStore, cell: CellRow) -> list[dict[str, Any]]:
    return [{"cell": cell.label, "depth": cell.depth, "width": cell.width, "lambda0_mean": cell.lambda0_mean}]


_NO_MARK = (
    "trial_id", "cell", "depth", "width", "seed", "eta", "eta_lambda0", "verdict", "phase", "peak_ratio", "peak_step",
    "eta_final_sharpness", "bad_step", "bad_kind", "phase_rule", "phase_basis", "phase_reason", "final_accuracy",
    "edge",
)  # fmt: skip
_ONSETS = ("cell", "seed", "c_loss", "c_loss_above", "c_sharp", "c_sharp_above", "c_max", "c_max_below")


def _phases(store: FakeStore, cell: CellRow) -> list[dict[str, Any]]:
    rows = []
    for trial in store.trials.get(cell.cell_id, ()):
        if trial.status in ("done", "failed"):
            last = math.nan if trial.last_sharpness is None else trial.eta * trial.last_sharpness
            values = (
                trial.trial_id, cell.label, cell.depth, cell.width, trial.seed, trial.eta, trial.eta_lambda0,
                trial.verdict, trial.phase, trial.peak_ratio, trial.peak_step, last, trial.bad_step, trial.bad_kind,
                trial.phase and 2, trial.phase and "loss+sharpness", trial.phase and f"row of {trial.phase}",
                trial.last_accuracy, trial.edge,
            )  # fmt: skip
            rows.append(dict(zip(_NO_MARK, values, strict=True)))
    return rows


def _onsets(store: FakeStore, cell: CellRow) -> list[dict[str, Any]]:
    """The loss rises where a catapult is, and survives below what diverges."""
    done = sorted((t for t in store.trials.get(cell.cell_id, ()) if t.phase), key=lambda trial: trial.eta)
    rises = [t.eta_lambda0 for t in done if t.phase != "lazy"]
    calm = [t.eta_lambda0 for t in done if t.phase == "lazy"]
    lost = [t.eta_lambda0 for t in done if t.phase == "divergent"]
    alive = [t.eta_lambda0 for t in done if t.phase != "divergent"]
    values = (cell.label, 0, min(rises), max(calm), None, None, max(alive), min(lost))
    return [dict(zip(_ONSETS, values, strict=True))]


def _cell_of(store: FakeStore, trial_id: int | None) -> int | None:
    found = (trial.cell_id for rows in store.trials.values() for trial in rows if trial.trial_id == trial_id)
    return next(found, None)
