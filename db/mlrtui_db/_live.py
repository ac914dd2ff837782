"""The queries of the Live screen. None of them reads table ``step``; the caller holds the read transaction."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from mlrtui_db._checked import Unreadable, json_list, json_object, record
from mlrtui_db.annotations import annotated
from mlrtui_db.models import CellRow, CellState, EventRow, FitRow, LogRow, MachineRow, NetRow, SweepRow, TrialRow

# Where a store has one sweep, all of its nets, trials and attempts are of that one, and none is looked up.
_SWEEPS = """
WITH c AS (SELECT sweep_id, count(*) AS cells FROM cell WHERE {one} GROUP BY sweep_id),
n AS (
  SELECT sweep_id, count(*) AS nets, sum(n.status IN ('done', 'failed')) AS nets_done
  FROM cell JOIN net n USING (cell_id) WHERE {one} GROUP BY sweep_id
), t AS (
  {trials}
), a AS (
  SELECT {sweep} AS sweep_id, max(heartbeat_at) AS heartbeat_at FROM {attempts}
)
SELECT sweep_id, name, mode, status, created_at, finished_at, coalesce(cells, 0), coalesce(nets, 0),
       coalesce(nets_done, 0), coalesce(trials, 0), coalesce(trials_done, 0), coalesce(trials_running, 0),
       coalesce(trials_failed, 0), heartbeat_at, spec, shard, repeatable
FROM sweep LEFT JOIN c USING (sweep_id) LEFT JOIN n USING (sweep_id) LEFT JOIN t USING (sweep_id)
     LEFT JOIN a USING (sweep_id)
WHERE {one} ORDER BY sweep_id DESC
"""

# The lanes of a round start and end together: what it took counts once.
_SECONDS = """
SELECT cell_id, sum(seconds) FROM (
  SELECT cell_id, max(coalesce(a.ended_at, a.heartbeat_at)) - a.started_at AS seconds
  FROM cell JOIN net USING (cell_id) JOIN trial USING (net_id) JOIN attempt a USING (trial_id)
  WHERE sweep_id = ? GROUP BY cell_id, a.host, a.device, a.started_at
) GROUP BY cell_id
"""

_TRIALS_OF = """SELECT {sweep} AS sweep_id, count(*) AS trials, sum(t.status IN ('done', 'failed')) AS trials_done,
         sum(t.status = 'running') AS trials_running, sum(t.status = 'failed') AS trials_failed
  FROM {trials}"""
_OF_CELLS = ("trials", "trials_done", "trials_running", "trials_failed")  # what cells have counted already
_COUNTED = f"SELECT :sweep AS sweep_id, {', '.join(f':{name} AS {name}' for name in _OF_CELLS)}"
_JOINED = {
    "sweep": "sweep_id",
    "trials": "cell JOIN net USING (cell_id) JOIN trial t USING (net_id) WHERE {one} GROUP BY sweep_id",
    "attempts": "cell JOIN net USING (cell_id) JOIN trial USING (net_id) JOIN attempt USING (trial_id)"
    " WHERE {one} GROUP BY sweep_id",
}
_ALONE = {"sweep": "(SELECT sweep_id FROM sweep)", "trials": "trial t", "attempts": "attempt"}

_NETS = """
SELECT net_id, cell_id, seed, status, operator, lambda0, lambda0_residual, lambda0_preconditioned, lambda0_hessian,
       eta_star, first_failure, eta_area, zone_octaves, reversals, censored, reason,
       sharpness_samples, eta_rule, CASE eta_rule WHEN 1 THEN eta_star ELSE eta_last END, eta_star_se, window_low,
       window_high, successes
FROM net WHERE cell_id = ? ORDER BY seed
"""

_TRIALS = """
SELECT trial_id, t.net_id, n.cell_id, n.seed, t.eta, t.eta_lambda0, t.round, t.status, t.verdict, t.phase, t.attempt,
       t.n_steps, t.max_steps, t.last_step, t.last_loss, t.last_accuracy, t.last_sharpness, t.best_accuracy,
       t.peak_ratio, t.peak_step, t.bad_step, t.bad_kind, n.lambda0_preconditioned, t.rev,
       CASE WHEN n.operator <> 'ntk' OR c.loss = 'mse'
            THEN nullif(c.edge, 0) END,
       t.given_up_epoch, t.phase_rule, json_extract(c.settings, '$.schedule'),
       json_extract(c.settings, '$.warmup_steps')
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id)
"""

_NEWEST = """
SELECT t.trial_id, n.cell_id
FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id)
WHERE c.sweep_id = ? AND {started} > 0 {newest}
ORDER BY t.rev DESC, t.status = 'running' DESC, t.trial_id DESC LIMIT 1
"""
_NEWEST_REV = "AND t.rev = (SELECT rev FROM trial WHERE {started} > 0 ORDER BY rev DESC LIMIT 1)"  # by the index of it

_LONGEST = 4000  # characters of an event that are shown
_EVENTS = f"SELECT event_id, at, level, substr(text, 1, {_LONGEST}), trial_id FROM event"

_LOG = f"""
SELECT event_id, at, level, substr(text, 1, {_LONGEST}), e.sweep_id, e.trial_id, n.cell_id, host
FROM event e LEFT JOIN trial t USING (trial_id) LEFT JOIN net n USING (net_id)
WHERE event_id > ? ORDER BY event_id DESC LIMIT ?
"""

_FITS = """
SELECT fit, term, y, exponent, low, high, r2, cells, decades, where_expr, excluded, f_equal, p_equal, method,
       warnings, intercept
FROM fit WHERE sweep_id = ? ORDER BY fit, term
"""


def read_sweeps(
    connection: sqlite3.Connection, sweep_id: int | None = None, cells: Sequence[CellRow] | None = None
) -> tuple[SweepRow, ...]:
    """The sweeps, newest first, with their progress; of one alone that takes the time of its trainings alone, and less
    where its cells have been read."""
    one = "true" if sweep_id is None else "sweep_id = :sweep"
    parts = {name: text.format(one=one) for name, text in (_ALONE if _is_alone(connection) else _JOINED).items()}
    parts["trials"] = _TRIALS_OF.format(**parts) if cells is None else _COUNTED
    counted = {name: sum(getattr(cell, name) for cell in cells or ()) for name in _OF_CELLS}
    rows = connection.execute(_SWEEPS.format(one=one, **parts), {"sweep": sweep_id} | counted)
    sweeps = tuple(record(SweepRow, row, "sweep") for row in rows)
    for sweep in sweeps:
        spec = json_object(sweep.spec, f"sweep {sweep.sweep_id}: spec")
        if not isinstance(spec.get("sharpness", {}), dict):
            raise Unreadable(f"sweep {sweep.sweep_id}: spec.sharpness is not a table")
    return annotated(connection, sweeps)


def _is_alone(connection: sqlite3.Connection) -> bool:
    """Whether the store holds one sweep, so that all that it holds is of that one."""
    (count,) = connection.execute("SELECT count(*) FROM sweep").fetchone()
    return bool(count == 1)


def read_seconds(connection: sqlite3.Connection, sweep_id: int) -> dict[int, float]:
    """Seconds that workers have spent on the trainings of each cell, by its number."""
    return {cell_id: float(seconds) for cell_id, seconds in connection.execute(_SECONDS, (sweep_id,))}


def read_nets(connection: sqlite3.Connection, cell_id: int) -> tuple[NetRow, ...]:
    """The nets of a cell by seed."""
    return tuple(record(NetRow, row, "net") for row in connection.execute(_NETS, (cell_id,)))


def read_trials(connection: sqlite3.Connection, cell_id: int) -> tuple[TrialRow, ...]:
    """The trials of a cell by seed, then eta."""
    rows = connection.execute(f"{_TRIALS} WHERE n.cell_id = ? ORDER BY n.seed, t.eta", (cell_id,))
    return tuple(record(TrialRow, row, "trial") for row in rows)


def read_trial(connection: sqlite3.Connection, trial_id: int) -> TrialRow | None:
    """One trial, or None."""
    row = connection.execute(f"{_TRIALS} WHERE trial_id = ?", (trial_id,)).fetchone()
    return None if row is None else record(TrialRow, row, "trial")


def read_newest(connection: sqlite3.Connection, sweep_id: int) -> tuple[int | None, int | None]:
    """The trial of a sweep that changed last among those that were ever started, and its cell.

    Of several that changed in one commit, as lanes of a round do, one that goes on.
    """
    newest = _NEWEST_REV if _is_alone(connection) else ""
    for started in ("n_steps", "attempt"):  # a trial that has a curve says more than one that only began
        query = _NEWEST.format(started=started, newest=newest.format(started=started))
        row = connection.execute(query, (sweep_id,)).fetchone()
        if row is not None:
            return row[0], row[1]
    return None, None


def read_events(connection: sqlite3.Connection, sweep_id: int, limit: int) -> tuple[EventRow, ...]:
    """The newest events of a sweep and of the store as a whole, newest first."""
    rows = connection.execute(
        f"{_EVENTS} WHERE sweep_id = ? OR sweep_id IS NULL ORDER BY event_id DESC LIMIT ?", (sweep_id, limit)
    )
    return tuple(record(EventRow, row, "event") for row in rows)


def read_events_after(connection: sqlite3.Connection, event_id: int, limit: int) -> tuple[EventRow, ...]:
    """Events after a number, oldest first."""
    rows = connection.execute(f"{_EVENTS} WHERE event_id > ? ORDER BY event_id LIMIT ?", (event_id, limit))
    return tuple(record(EventRow, row, "event") for row in rows)


def read_log(connection: sqlite3.Connection, event_id: int, limit: int) -> tuple[LogRow, ...]:
    """The newest events of all sweeps after a number, oldest first."""
    return tuple(record(LogRow, row, "event") for row in connection.execute(_LOG, (event_id, limit)))[::-1]


def read_sizes(connection: sqlite3.Connection, sweep_id: int) -> dict[str, int]:
    """Trained parameters of the cells of a sweep, by label."""
    rows = connection.execute("SELECT label, n_params FROM cell WHERE sweep_id = ?", (sweep_id,)).fetchall()
    for label, size in rows:
        if not isinstance(label, str) or not isinstance(size, int) or not 0 <= size < 2**53:
            raise Unreadable(f"cell {str(label)[:60]!r}: n_params is {str(size)[:60]!r}")
    return dict(rows)


_MACHINES = """
SELECT a.host, a.device, coalesce(a.env, '{}'), count(*) AS trials, min(a.started_at), max(a.ended_at)
FROM cell JOIN net USING (cell_id) JOIN trial t USING (net_id) JOIN attempt a USING (trial_id, attempt)
WHERE sweep_id = ? GROUP BY 1, 2, 3 ORDER BY trials DESC, 1, 2, 3
"""


def read_machines(connection: sqlite3.Connection, sweep_id: int) -> tuple[MachineRow, ...]:
    """Machines, devices and versions of the newest attempts of a sweep's trials."""
    rows = connection.execute(_MACHINES, (sweep_id,))
    return tuple(record(MachineRow, row, f"sweep {sweep_id}: an attempt") for row in rows)


def read_cell_states(connection: sqlite3.Connection, sweep_id: int) -> tuple[CellState, ...]:
    """The cells of a sweep by position, with the seeds of their nets."""
    seeds: dict[int, set[int]] = defaultdict(set)
    nets = "SELECT cell_id, seed FROM cell JOIN net USING (cell_id) WHERE sweep_id = ?"
    for cell_id, seed in connection.execute(nets, (sweep_id,)):
        seeds[cell_id].add(seed)
    cells = "SELECT cell_id, position, data_id, settings FROM cell WHERE sweep_id = ? ORDER BY position"
    return tuple(
        CellState(cell_id, position, data_id, settings, frozenset(seeds[cell_id]))
        for cell_id, position, data_id, settings in connection.execute(cells, (sweep_id,))
    )


def read_fits(connection: sqlite3.Connection, sweep_id: int) -> tuple[FitRow, ...]:
    """The fits of a sweep."""
    rows = connection.execute(_FITS, (sweep_id,))
    return tuple(record(FitRow, (*row[:10], _labels(row), *row[11:]), "fit") for row in rows)


def _labels(row: tuple[object, ...]) -> tuple[str, ...]:
    where = f"fit {str(row[0])[:60]!r}: excluded"
    found = json_list(row[10], where)
    if not all(isinstance(label, str) for label in found):
        raise Unreadable(f"{where} is not a list of texts")
    return tuple(found)
