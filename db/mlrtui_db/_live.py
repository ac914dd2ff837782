"""The queries of the Live screen. None of them reads table ``step``; the caller holds the read transaction."""

import sqlite3
from collections import defaultdict

from mlrtui_db._checked import Unreadable, json_list, json_object, record
from mlrtui_db.axes import variant
from mlrtui_db.models import CellRow, CellState, EventRow, FitRow, LogRow, MachineRow, NetRow, SweepRow, TrialRow

_SWEEPS = """
WITH c AS (SELECT sweep_id, count(*) AS cells FROM cell WHERE {one} GROUP BY sweep_id),
n AS (
  SELECT sweep_id, count(*) AS nets, sum(n.status IN ('done', 'failed')) AS nets_done
  FROM cell JOIN net n USING (cell_id) WHERE {one} GROUP BY sweep_id
), t AS (
  SELECT sweep_id, count(*) AS trials, sum(t.status IN ('done', 'failed')) AS trials_done,
         sum(t.status = 'running') AS trials_running, sum(t.status = 'failed') AS trials_failed
  FROM cell JOIN net USING (cell_id) JOIN trial t USING (net_id) WHERE {one} GROUP BY sweep_id
), a AS (
  SELECT sweep_id, max(heartbeat_at) AS heartbeat_at
  FROM cell JOIN net USING (cell_id) JOIN trial USING (net_id) JOIN attempt USING (trial_id)
  WHERE {one} GROUP BY sweep_id
)
SELECT sweep_id, name, mode, status, created_at, finished_at, coalesce(cells, 0), coalesce(nets, 0),
       coalesce(nets_done, 0), coalesce(trials, 0), coalesce(trials_done, 0), coalesce(trials_running, 0),
       coalesce(trials_failed, 0), heartbeat_at, spec, shard, repeatable
FROM sweep LEFT JOIN c USING (sweep_id) LEFT JOIN n USING (sweep_id) LEFT JOIN t USING (sweep_id)
     LEFT JOIN a USING (sweep_id)
WHERE {one} ORDER BY sweep_id DESC
"""

_CELLS = """
WITH n AS (
  SELECT cell_id, count(*) AS nets, sum(status IN ('done', 'failed')) AS nets_done,
         sum(censored IS NOT NULL) AS censored, avg(lambda0) AS lambda0_mean, max(n.rev) AS rev,
         CASE count(DISTINCT censored) WHEN 0 THEN '' WHEN 1 THEN max(censored) ELSE 'mixed' END AS bound,
         CASE max(censored)
           WHEN 'at_max' THEN min(CASE WHEN censored IS NOT NULL THEN eta_star END)
           WHEN 'at_min' THEN max(CASE WHEN censored IS NOT NULL THEN first_failure END)
         END AS bound_eta
  FROM cell JOIN net n USING (cell_id) WHERE sweep_id = :sweep GROUP BY cell_id
), t AS (
  SELECT cell_id, count(*) AS trials, sum(t.status IN ('done', 'failed')) AS trials_done,
         sum(t.status = 'running') AS trials_running, sum(t.status = 'failed') AS trials_failed,
         sum(coalesce(t.verdict = 'diverged', 0)) AS diverged, max(t.rev) AS rev
  FROM cell JOIN net USING (cell_id) JOIN trial t USING (net_id) WHERE sweep_id = :sweep GROUP BY cell_id
)
SELECT c.cell_id, label, depth, width, coalesce(nets, 0), coalesce(nets_done, 0), coalesce(trials, 0),
       coalesce(trials_done, 0), coalesce(trials_running, 0), coalesce(trials_failed, 0), coalesce(diverged, 0),
       ln_eta_star_mean, ln_eta_star_sd, coalesce(censored, 0), lambda0_mean,
       max(c.rev, coalesce(n.rev, 0), coalesce(t.rev, 0)), coalesce(bound, ''), bound_eta
FROM cell c LEFT JOIN n USING (cell_id) LEFT JOIN t USING (cell_id) WHERE sweep_id = :sweep ORDER BY position
"""

# The lanes of a round start and end together: what it took counts once.
_SECONDS = """
SELECT cell_id, sum(seconds) FROM (
  SELECT cell_id, max(coalesce(a.ended_at, a.heartbeat_at)) - a.started_at AS seconds
  FROM cell JOIN net USING (cell_id) JOIN trial USING (net_id) JOIN attempt a USING (trial_id)
  WHERE sweep_id = ? GROUP BY cell_id, a.host, a.device, a.started_at
) GROUP BY cell_id
"""

_PHASES = """
SELECT cell_id, phase, count(*)
FROM cell JOIN net USING (cell_id) JOIN trial t USING (net_id)
WHERE sweep_id = ? AND phase IS NOT NULL GROUP BY cell_id, phase ORDER BY count(*) DESC, phase
"""

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
WHERE c.sweep_id = ? AND {} > 0 ORDER BY t.rev DESC, t.status = 'running' DESC, t.trial_id DESC LIMIT 1
"""

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


def read_sweeps(connection: sqlite3.Connection, sweep_id: int | None = None) -> tuple[SweepRow, ...]:
    """The sweeps, newest first, with their progress; of one alone that takes the time of its trainings alone."""
    one = "true" if sweep_id is None else "sweep_id = :sweep"
    rows = connection.execute(_SWEEPS.format(one=one), {} if sweep_id is None else {"sweep": sweep_id})
    sweeps = tuple(record(SweepRow, row, "sweep") for row in rows)
    for sweep in sweeps:
        spec = json_object(sweep.spec, f"sweep {sweep.sweep_id}: spec")
        if not isinstance(spec.get("sharpness", {}), dict):
            raise Unreadable(f"sweep {sweep.sweep_id}: spec.sharpness is not a table")
    return sweeps


def read_cells(connection: sqlite3.Connection, sweep_id: int) -> tuple[CellRow, ...]:
    """The cells of a sweep by position."""
    phases: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for cell_id, phase, count in connection.execute(_PHASES, (sweep_id,)):
        phases[cell_id].append((str(phase), count))
    rows = connection.execute(_CELLS, {"sweep": sweep_id}).fetchall()
    return tuple(
        record(CellRow, (*row[:15], tuple(phases[row[0]]), variant(str(row[1]), row[2], row[3]), *row[15:]), "cell")
        for row in rows
    )


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
    for started in ("t.n_steps", "t.attempt"):  # a trial that has a curve says more than one that only began
        row = connection.execute(_NEWEST.format(started), (sweep_id,)).fetchone()
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
