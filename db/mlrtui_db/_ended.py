"""Trainings that have ended, as evidence at a threshold: read by the driver and by those who only look."""

import sqlite3

from mlrtui_db.models import EndedTrial

# A training of our own is not judged before its first step, one of the user's is. A best accuracy that is lower needs
# no look at the steps.
_ENDED = """
SELECT t.trial_id, t.trial_key, n.cell_id, n.seed, t.eta, t.verdict, t.best_accuracy, t.given_up_epoch IS NOT NULL,
       t.n_steps, t.last_step,
       CASE WHEN t.best_accuracy >= :threshold THEN
         (SELECT min(step) FROM step s WHERE s.trial_id = t.trial_id AND s.accuracy >= :threshold
          AND s.step >= CASE c.accuracy_on WHEN 'own' THEN 0 ELSE 1 END) END,
       n.base_eta
FROM cell c JOIN net n USING (cell_id) JOIN trial t USING (net_id)
WHERE c.sweep_id = :sweep AND t.status = 'done' ORDER BY t.trial_id
"""


def read_ended(connection: sqlite3.Connection, sweep_id: int, threshold: float) -> tuple[EndedTrial, ...]:
    """See `Store.ended`."""
    rows = connection.execute(_ENDED, {"sweep": sweep_id, "threshold": threshold})
    return tuple(EndedTrial(*row)._replace(given_up=bool(row[7])) for row in rows)
