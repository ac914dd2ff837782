"""Writing sweeps, cells and nets."""

import itertools
import json
import math
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields

from mlrtui_db._live import read_cell_states
from mlrtui_db._sqlite import Transaction, finite, whole
from mlrtui_db.errors import StoreError, SweepConflict
from mlrtui_db.models import NamedSweep, NetState, SweepState, TrialState
from mlrtui_db.records import SAVED, BoundaryRecord, CellRecord, FitRecord, NetLambdas, NetRecord, SweepRecord

_CELL_COLUMNS = tuple(column.name for column in fields(CellRecord) if column.name != "nets")
_INSERT_CELL = f"INSERT INTO cell (sweep_id, rev, {', '.join(_CELL_COLUMNS)}) VALUES (?, ?{', ?' * len(_CELL_COLUMNS)})"
_LAMBDA_COLUMNS = {
    "main": "lambda0",
    "main_residual": "lambda0_residual",
    "preconditioned": "lambda0_preconditioned",
    "preconditioned_residual": "lambda0_preconditioned_residual",
    "gauss_newton": "lambda0_gauss_newton",
    "gauss_newton_residual": "lambda0_gauss_newton_residual",
    "hessian": "lambda0_hessian",
    "hessian_residual": "lambda0_hessian_residual",
    "loss": "fork_loss",
    "loss_initial": "base_loss",
    "eta_catapult": "eta_catapult",
}


def add_sweep(tx: Transaction, sweep: SweepRecord) -> int:
    """See `Store.add_sweep`."""
    known = tx.connection.execute("SELECT sweep_id FROM sweep WHERE sweep_key = ?", (sweep.sweep_key,)).fetchone()
    if known:
        return int(known[0])
    namesake = tx.connection.execute("SELECT spec FROM sweep WHERE name = ?", (sweep.name,)).fetchone()
    if namesake:
        raise SweepConflict(
            f"the store holds another sweep named {sweep.name!r}: rename this one, or choose another --store",
            namesake[0],
        )
    sweep_id = _inserted(
        tx.connection.execute(
            "INSERT INTO sweep (sweep_key, name, spec, mode, code_id, created_at, shard) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (sweep.sweep_key, sweep.name, sweep.spec, sweep.mode, sweep.code_id, tx.now, sweep.shard),
        ).lastrowid
    )
    for cell in sweep.cells:
        _add_nets(tx, _add_cell(tx, sweep_id, cell), cell.nets)
    return sweep_id


def grow_sweep(
    tx: Transaction, sweep_id: int, sweep: SweepRecord, known: Mapping[int, int], *, searches_again: bool
) -> None:
    """See `Store.grow_sweep`."""
    execute = tx.connection.execute
    held = {cell.cell_id: cell.seeds for cell in read_cell_states(tx.connection, sweep_id)}
    if sorted(held) != sorted(known.values()):
        raise StoreError(f"sweep {sweep_id} cannot grow: not every cell that it has is among those that are wanted")
    labels = {cell.position: cell.label for cell in sweep.cells}
    move_cells(tx, sweep_id, {cell_id: (position, labels[position]) for position, cell_id in known.items()})
    for cell in sweep.cells:
        cell_id = known[cell.position] if cell.position in known else _add_cell(tx, sweep_id, cell)
        _add_nets(tx, cell_id, [net for net in cell.nets if net.seed not in held.get(cell_id, ())])
    if searches_again:
        search_again(tx, sweep_id)
    execute("DELETE FROM fit WHERE sweep_id = ? AND substr(fit, 1, ?) <> ?", (sweep_id, len(SAVED), SAVED))
    execute(
        "UPDATE sweep SET spec = ?, sweep_key = ?, shard = ?, status = 'open', finished_at = NULL WHERE sweep_id = ?",
        (sweep.spec, sweep.sweep_key, sweep.shard, sweep_id),
    )


def move_cells(tx: Transaction, sweep_id: int, places: Mapping[int, tuple[int, str]]) -> None:
    """Give all cells of a sweep the positions and labels that they have in a larger one, by cell_id."""
    execute = tx.connection.execute
    execute("UPDATE cell SET position = -1 - position WHERE sweep_id = ?", (sweep_id,))  # makes way: they are unique
    for cell_id, place in places.items():
        execute("UPDATE cell SET position = ?, label = ?, rev = ? WHERE cell_id = ?", (*place, tx.rev, cell_id))


def search_again(tx: Transaction, sweep_id: int) -> None:
    """Open the nets of a sweep that are done: more is wanted of them."""
    tx.connection.execute(
        "UPDATE net SET status = 'open', rev = ? WHERE status = 'done'"
        " AND cell_id IN (SELECT cell_id FROM cell WHERE sweep_id = ?)",
        (tx.rev, sweep_id),
    )


def _add_cell(tx: Transaction, sweep_id: int, cell: CellRecord) -> int:
    values = [getattr(cell, name) for name in _CELL_COLUMNS]
    return _inserted(tx.connection.execute(_INSERT_CELL, (sweep_id, tx.rev, *values)).lastrowid)


def _add_nets(tx: Transaction, cell_id: int, nets: Sequence[NetRecord]) -> None:
    tx.connection.executemany(
        "INSERT INTO net (cell_id, seed, operator, loss_convention, sharpness_samples, sharpness_schedule,"
        " rev) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(cell_id, net.seed, net.operator, net.loss_convention),
                *(net.sharpness_samples, net.sharpness_schedule, tx.rev),
            )
            for net in nets
        ],
    )


def sweep_named(connection: sqlite3.Connection, name: str) -> NamedSweep | None:
    """See `Store.sweep_named`."""
    row = connection.execute("SELECT sweep_id, spec FROM sweep WHERE name = ?", (name,)).fetchone()
    return None if row is None else NamedSweep(*row)


def sweeps_beginning(connection: sqlite3.Connection, start: str) -> tuple[NamedSweep, ...]:
    """See `Store.sweeps_beginning`."""
    query = "SELECT sweep_id, spec FROM sweep WHERE substr(name, 1, length(?1)) = ?1 ORDER BY sweep_id"
    return tuple(NamedSweep(*row) for row in connection.execute(query, (start,)))


def rename_sweep(tx: Transaction, sweep_id: int, name: str, spec: str, sweep_key: str) -> None:
    """See `Store.rename_sweep`."""
    if sweep_named(tx.connection, name) is not None:
        raise SweepConflict(f"the store holds a sweep named {name!r}: rename the one that is to be trained", spec)
    tx.connection.execute(
        "UPDATE sweep SET name = ?, spec = ?, sweep_key = ? WHERE sweep_id = ?", (name, spec, sweep_key, sweep_id)
    )


def free_name(connection: sqlite3.Connection, name: str, at: float) -> str:
    """See `Store.free_name`; ``at``: the time that is added, s (Unix time)."""
    timed = f"{name} {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}"
    names = itertools.chain([name, timed], (f"{timed} ({number})" for number in itertools.count(2)))
    return next(free for free in names if sweep_named(connection, free) is None)


def sweep_state(tx: Transaction, sweep_id: int) -> SweepState:
    """See `Store.sweep_state`."""
    execute = tx.connection.execute
    sweep = execute("SELECT status, code_id, shard, repeatable FROM sweep WHERE sweep_id = ?", (sweep_id,)).fetchone()
    if sweep is None:
        raise StoreError(f"the store holds no sweep number {sweep_id}")
    nets = execute(
        "SELECT net_id, n.cell_id, seed, status, start_eta, CASE WHEN censored IS NULL THEN eta_star END,"
        f" base_eta, lambda0_converged, {', '.join(_LAMBDA_COLUMNS.values())}"
        " FROM cell c JOIN net n USING (cell_id) WHERE sweep_id = ? ORDER BY position, seed",
        (sweep_id,),
    )
    trials = execute(
        "SELECT t.trial_id, net_id, t.eta, t.round, t.status, t.verdict, t.attempt, t.error, t.given_up_epoch"
        " FROM cell c JOIN net n USING (cell_id) JOIN trial t USING (net_id) WHERE sweep_id = ? ORDER BY t.trial_id",
        (sweep_id,),
    )
    return SweepState(
        sweep_id=sweep_id,
        status=sweep[0],
        code_id=sweep[1],
        shard=sweep[2],
        repeatable=None if sweep[3] is None else bool(sweep[3]),
        cells=read_cell_states(tx.connection, sweep_id),
        nets=tuple(_net_state(*row) for row in nets),
        trials=tuple(TrialState(*row) for row in trials),
    )


def trial_keys(connection: sqlite3.Connection, trial_ids: Sequence[int]) -> list[str]:
    """See `Store.trial_keys`."""
    query = "SELECT trial_key FROM trial WHERE trial_id = ?"
    return [connection.execute(query, (trial_id,)).fetchone()[0] for trial_id in trial_ids]


def end_sweep(tx: Transaction, sweep_id: int, status: str) -> None:
    """See `Store.end_sweep`."""
    tx.connection.execute(
        "UPDATE sweep SET status = ?, finished_at = ? WHERE sweep_id = ? AND status <> ?",
        (status, tx.now if status == "done" else None, sweep_id, status),
    )


def set_repeatable(tx: Transaction, sweep_id: int, repeatable: bool) -> None:
    """See `Store.set_repeatable`."""
    tx.connection.execute("UPDATE sweep SET repeatable = ? WHERE sweep_id = ?", (int(repeatable), sweep_id))


def set_lambdas(tx: Transaction, lambdas: NetLambdas) -> None:
    """See `Store.set_lambdas`."""
    assignments = ", ".join(f"{column} = ?" for column in _LAMBDA_COLUMNS.values())
    values = [finite(getattr(lambdas, name)) for name in _LAMBDA_COLUMNS]
    tx.connection.execute(
        f"UPDATE net SET {assignments}, lambda0_converged = ?, rev = ? WHERE net_id = ?",
        (*values, int(lambdas.converged), tx.rev, lambdas.net_id),
    )


def set_base(tx: Transaction, net_id: int, base_eta: float, base_lambda0: float | None) -> None:
    """See `Store.set_base`."""
    tx.connection.execute(
        "UPDATE net SET base_eta = ?, base_lambda0 = ?, rev = ? WHERE net_id = ?",
        (float(base_eta), None if base_lambda0 is None else finite(base_lambda0), tx.rev, net_id),
    )


def open_net(tx: Transaction, net_id: int, start_eta: float | None) -> None:
    """See `Store.open_net`."""
    tx.connection.execute(
        "UPDATE net SET status = 'open', start_eta = ?, reason = NULL, rev = ? WHERE net_id = ?",
        (finite(start_eta), tx.rev, net_id),
    )


def fail_net(tx: Transaction, net_id: int, reason: str) -> None:
    """See `Store.fail_net`."""
    tx.connection.execute(
        "UPDATE net SET status = 'failed', reason = ?, rev = ? WHERE net_id = ?", (reason, tx.rev, net_id)
    )
    refresh_cell(tx, net_id)


def close_net(tx: Transaction, net_id: int, boundary: BoundaryRecord | None) -> None:
    """See `Store.close_net`."""
    if boundary is None:
        tx.connection.execute("UPDATE net SET status = 'done', rev = ? WHERE net_id = ?", (tx.rev, net_id))
    else:
        tx.connection.execute(
            "UPDATE net SET status = 'done', eta_star = ?, first_failure = ?, eta_area = ?, zone_octaves = ?,"
            " reversals = ?, censored = ?, reason = ?, eta_rule = ?, eta_last = ?, eta_star_se = ?, window_low = ?,"
            " window_high = ?, successes = ?, rev = ? WHERE net_id = ?",
            (
                finite(boundary.eta_star),
                finite(boundary.first_failure),
                finite(boundary.eta_area),
                finite(boundary.zone_octaves),
                int(boundary.reversals),
                boundary.censored,
                boundary.reason,
                boundary.eta_rule,
                finite(boundary.eta_last),
                finite(boundary.eta_star_se),
                finite(boundary.window_low),
                finite(boundary.window_high),
                whole(boundary.successes),
                tx.rev,
                net_id,
            ),
        )
    refresh_cell(tx, net_id)


def mean_and_sd(logs: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation of ln eta*; None where there are too few."""
    if not logs:
        return None, None
    mean = math.fsum(logs) / len(logs)
    if len(logs) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in logs) / (len(logs) - 1))


def refresh_cell(tx: Transaction, net_id: int) -> None:
    """Recompute mean and spread of ln eta* of a net's cell."""
    rows = tx.connection.execute(
        "SELECT eta_star FROM net WHERE cell_id = (SELECT cell_id FROM net WHERE net_id = ?)"
        " AND status = 'done' AND censored IS NULL AND eta_star > 0 ORDER BY seed",
        (net_id,),
    )
    mean, sd = mean_and_sd([math.log(eta_star) for (eta_star,) in rows])
    tx.connection.execute(
        "UPDATE cell SET ln_eta_star_mean = ?, ln_eta_star_sd = ?, rev = ?"
        " WHERE cell_id = (SELECT cell_id FROM net WHERE net_id = ?)",
        (mean, sd, tx.rev, net_id),
    )


def _net_state(
    net_id: int,
    cell_id: int,
    seed: int,
    status: str,
    start_eta: float | None,
    eta_star: float | None,
    base_eta: float | None,
    converged: int | None,
    *values: float | None,
) -> NetState:
    lambdas = None
    if converged is not None:
        numbers = {
            name: math.nan if value is None else value for name, value in zip(_LAMBDA_COLUMNS, values, strict=True)
        }
        lambdas = NetLambdas(net_id=net_id, converged=bool(converged), **numbers)
    return NetState(net_id, cell_id, seed, status, lambdas, start_eta, eta_star, base_eta)


def _inserted(row_id: int | None) -> int:
    if row_id is None:  # pragma: no cover - sqlite3 types lastrowid as optional for statements other than INSERT
        raise StoreError("the store gave no number to a new row")
    return row_id


_COLUMNS = tuple(column.name for column in fields(FitRecord))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM fit WHERE sweep_id = ?"
_UPSERT = f"INSERT OR REPLACE INTO fit (sweep_id, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})"

_Row = tuple[str | float | int | None, ...]


def replace_fits(tx: Transaction, sweep_id: int, fits: Sequence[FitRecord]) -> bool:
    """See `Store.replace_fits`."""
    wanted = {(fit.fit, fit.term): _row(fit) for fit in fits}
    stored: dict[tuple[str, str], _Row] = {
        (row[0], row[1]): tuple(row) for row in tx.connection.execute(_SELECT, (sweep_id,))
    }
    gone = [(sweep_id, *key) for key in stored if key not in wanted and not key[0].startswith(SAVED)]
    changed = [(sweep_id, *row) for key, row in wanted.items() if stored.get(key) != row]
    if gone:
        tx.connection.executemany("DELETE FROM fit WHERE sweep_id = ? AND fit = ? AND term = ?", gone)
    if changed:
        tx.connection.executemany(_UPSERT, changed)
    return bool(gone or changed)


def save_fit(tx: Transaction, sweep_id: int, fits: Sequence[FitRecord]) -> None:
    """See `Store.save_fit`."""
    for name in {fit.fit for fit in fits}:
        if not name.startswith(SAVED):
            raise StoreError(f"fit {name!r}: names of saved fits begin with {SAVED!r}")
        tx.connection.execute("DELETE FROM fit WHERE sweep_id = ? AND fit = ?", (sweep_id, name))
    tx.connection.executemany(_UPSERT, [(sweep_id, *_row(fit)) for fit in fits])


def _row(fit: FitRecord) -> _Row:
    if finite(fit.exponent) is None:
        raise StoreError(f"fit {fit.fit!r}: the exponent of {fit.term!r} is {fit.exponent}; leave the fit out")
    values: dict[str, str | float | int | None] = {}
    for name in _COLUMNS:
        value = getattr(fit, name)
        if name == "excluded":
            values[name] = json.dumps(list(value), ensure_ascii=False)
        elif name == "inputs":
            points = [[label, finite(x), finite(y)] for label, x, y in value]
            values[name] = json.dumps(points, ensure_ascii=False, allow_nan=False)
        elif value is None or isinstance(value, str):
            values[name] = value
        else:
            values[name] = int(value) if name == "cells" else finite(value)
    return tuple(values[name] for name in _COLUMNS)
