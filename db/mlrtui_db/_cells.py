"""The cells of a sweep with what their nets and trainings have come to. Table ``step`` is not read."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection

from mlrtui_db._checked import records
from mlrtui_db._epochs import newest_rev
from mlrtui_db.axes import variant
from mlrtui_db.models import CellRow

__all__ = ["KnownCells", "read_cells"]

_CELLS = """
WITH n AS (
  SELECT cell_id, count(*) AS nets, sum(status IN ('done', 'failed')) AS nets_done,
         sum(censored IS NOT NULL) AS censored, avg(lambda0) AS lambda0_mean, max(n.rev) AS rev,
         CASE count(DISTINCT censored) WHEN 0 THEN '' WHEN 1 THEN max(censored) ELSE 'mixed' END AS bound,
         CASE max(censored)
           WHEN 'at_max' THEN min(CASE WHEN censored IS NOT NULL THEN eta_star END)
           WHEN 'at_min' THEN max(CASE WHEN censored IS NOT NULL THEN first_failure END)
         END AS bound_eta
  FROM net n WHERE cell_id IN ({cells}) GROUP BY cell_id
), t AS (
  SELECT cell_id, count(*) AS trials, sum(t.status IN ('done', 'failed')) AS trials_done,
         sum(t.status = 'running') AS trials_running, sum(t.status = 'failed') AS trials_failed,
         sum(coalesce(t.verdict = 'diverged', 0)) AS diverged, max(t.rev) AS rev,
         sum(coalesce(t.bad_kind <> 'threshold', 0)) AS nonfinite
  FROM net n JOIN trial t USING (net_id) WHERE cell_id IN ({cells}) GROUP BY cell_id
)
SELECT c.cell_id, label, depth, width, coalesce(nets, 0), coalesce(nets_done, 0), coalesce(trials, 0),
       coalesce(trials_done, 0), coalesce(trials_running, 0), coalesce(trials_failed, 0), coalesce(diverged, 0),
       ln_eta_star_mean, ln_eta_star_sd, coalesce(censored, 0), lambda0_mean,
       max(c.rev, coalesce(n.rev, 0), coalesce(t.rev, 0)), coalesce(bound, ''), bound_eta,
       coalesce(nonfinite, 0), fork_step
FROM cell c LEFT JOIN n USING (cell_id) LEFT JOIN t USING (cell_id) WHERE c.cell_id IN ({cells}) ORDER BY position
"""

_PHASES = """
SELECT cell_id, phase, count(*) FROM net JOIN trial t USING (net_id)
WHERE cell_id IN ({cells}) AND phase IS NOT NULL GROUP BY cell_id, phase ORDER BY count(*) DESC, phase
"""

_OF_SWEEP = "SELECT cell_id FROM cell WHERE sweep_id = :sweep"
_GIVEN = "SELECT value FROM json_each(:given)"

_CHANGED = """
SELECT cell_id FROM cell WHERE rev > :rev UNION SELECT cell_id FROM net WHERE rev > :rev
UNION SELECT cell_id FROM trial t JOIN net USING (net_id) WHERE t.rev > :rev
"""
_COUNTS = "SELECT (SELECT count(*) FROM cell), (SELECT count(*) FROM net), (SELECT count(*) FROM trial)"
_COUNTED = """
SELECT c.cell_id, count(DISTINCT net_id), count(trial_id)
FROM cell c LEFT JOIN net USING (cell_id) LEFT JOIN trial USING (net_id)
WHERE sweep_id != :sweep AND c.cell_id IN ({cells}) GROUP BY c.cell_id
"""
_EVERY = "SELECT cell_id FROM cell"
_OWN = "SELECT cell_id FROM cell WHERE sweep_id = :sweep AND cell_id IN (SELECT value FROM json_each(:given))"


def read_cells(
    connection: sqlite3.Connection, sweep_id: int, given: Collection[int] | None = None
) -> tuple[CellRow, ...]:
    """The cells of a sweep by position, or those that are given."""
    cells = _OF_SWEEP if given is None else _GIVEN
    values = {"sweep": sweep_id, "given": json.dumps(list(given or ()))}
    phases: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for cell_id, phase, count in connection.execute(_PHASES.format(cells=cells), values):
        phases[cell_id].append((str(phase), count))
    rows = connection.execute(_CELLS.format(cells=cells), values).fetchall()
    whole = [(*row[:15], tuple(phases[row[0]]), variant(str(row[1]), row[2], row[3]), *row[15:]) for row in rows]
    return records(CellRow, whole, "cell")


class KnownCells:
    """The cells as they were read last, so that the next time only those are read that have changed since.

    Every change of a cell, a net or a trial raises its ``rev``. What is taken away shows in the numbers of them in the
    whole store: those of other sweeps are known, too. After anything odd all cells are read.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Read everything the next time."""
        self._sweep_id, self._rev = -1, 0
        self._cells: dict[int, CellRow] = {}
        self._beside = _Beside((0, 0, 0))

    def read(self, connection: sqlite3.Connection, sweep_id: int) -> tuple[CellRow, ...]:
        """The same as `read_cells` of the sweep."""
        rev = newest_rev(connection)
        in_store: tuple[int, int, int] = connection.execute(_COUNTS).fetchone()
        known = sweep_id == self._sweep_id and rev >= self._rev
        found = self._changed(connection, sweep_id, in_store) if known else None
        if found is None:
            found = read_cells(connection, sweep_id)
            cells, nets, trials = _counts(found)
            self._beside = _Beside((in_store[0] - cells, in_store[1] - nets, in_store[2] - trials))
        self._sweep_id, self._rev = sweep_id, rev
        self._cells = {cell.cell_id: cell for cell in found}
        return found

    def _changed(
        self, connection: sqlite3.Connection, sweep_id: int, in_store: tuple[int, int, int]
    ) -> tuple[CellRow, ...] | None:
        """All cells, with those that have changed read again; None where that would not be all of them."""
        changed = [number for (number,) in connection.execute(_CHANGED, {"rev": self._rev})]
        values = {"sweep": sweep_id, "given": json.dumps(changed)}
        own = [number for (number,) in connection.execute(_OWN, values)]
        if len(own) < len(changed):
            self._beside.look(connection, values)
        cells = self._cells | {cell.cell_id: cell for cell in read_cells(connection, sweep_id, own)}
        ours = _counts(cells.values())
        if tuple(a + b for a, b in zip(ours, self._beside.counts, strict=True)) != in_store:
            return None
        order = connection.execute("SELECT cell_id FROM cell WHERE sweep_id = ? ORDER BY position", (sweep_id,))
        return tuple(cells[number] for (number,) in order)


def _counts(cells: Collection[CellRow]) -> tuple[int, int, int]:
    return len(cells), sum(cell.nets for cell in cells), sum(cell.trials for cell in cells)


class _Beside:
    """How many cells, nets and trials the other sweeps have; cell by cell once one of those has changed."""

    def __init__(self, counts: tuple[int, int, int]) -> None:
        self.counts = counts
        self._cells: dict[int, tuple[int, int]] | None = None

    def look(self, connection: sqlite3.Connection, values: dict[str, object]) -> None:
        """Count the given cells again, the first time all."""
        counted = _COUNTED.format(cells=_EVERY if self._cells is None else _GIVEN)
        fresh = {number: (nets, trials) for number, nets, trials in connection.execute(counted, values)}
        self._cells = (self._cells or {}) | fresh
        nets, trials = (sum(cell[at] for cell in self._cells.values()) for at in range(2))
        self.counts = (len(self._cells), nets, trials)
