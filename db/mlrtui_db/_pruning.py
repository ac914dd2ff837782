"""Deleting the steps of a sweep while keeping what came of its trials."""

from mlrtui_db._schema import tables_of_trials
from mlrtui_db._steps import SUMMARY_COLUMNS
from mlrtui_db._writing import Transaction

_KEPT = ("n_steps", "bad_step", "bad_kind")  # what went wrong, and where, is part of the outcome
_CLEARED = ", ".join(f"{name} = NULL" for name in SUMMARY_COLUMNS if name not in _KEPT)
_ENDED = (
    "SELECT trial_id FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id)"
    " WHERE sweep_id = ? AND trial.status IN ('done', 'failed')"
)


def prune_steps(tx: Transaction, sweep_id: int) -> int:
    """See `Store.prune_steps`."""
    deleted = 0
    for table in tables_of_trials(tx.connection):
        if table not in ("attempt", "event"):
            gone = tx.connection.execute(f"DELETE FROM {table} WHERE trial_id IN ({_ENDED})", (sweep_id,)).rowcount
            deleted += gone if table == "step" else 0
    tx.connection.execute(
        f"UPDATE trial SET n_steps = 0, rev = ?, {_CLEARED} WHERE n_steps > 0 AND trial_id IN ({_ENDED})",
        (tx.rev, sweep_id),
    )
    return deleted
