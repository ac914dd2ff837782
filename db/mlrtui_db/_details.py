"""Everything that is stored about one trial but its steps: rows of five tables as they are."""

import json
import sqlite3

from mlrtui_db._checked import Unreadable, json_list, json_object, plain_rows
from mlrtui_db.models import Pairs, TrialDetails

# Table, and how its one row is found from the trial.
_ROWS = (
    (
        "sweep",
        "SELECT s.* FROM trial t JOIN net USING (net_id) JOIN cell USING (cell_id) JOIN sweep s USING (sweep_id)",
    ),
    ("cell", "SELECT c.* FROM trial t JOIN net USING (net_id) JOIN cell c USING (cell_id)"),
    ("net", "SELECT n.* FROM trial t JOIN net n USING (net_id)"),
    ("trial", "SELECT t.* FROM trial t"),
    ("attempt", "SELECT a.* FROM trial t JOIN attempt a USING (trial_id, attempt)"),
)


def read_details(connection: sqlite3.Connection, trial_id: int) -> TrialDetails | None:
    """The rows that belong to a trial, or None when there is no such trial."""
    found = {table: _row(connection, f"{query} WHERE t.trial_id = ?", trial_id) for table, query in _ROWS}
    if not found["trial"]:
        return None
    settings = dict(found["cell"]).get("settings")
    for bar in json_list(dict(found["attempt"]).get("bars", "[]"), f"trial {trial_id}: bars of its attempt"):
        if not isinstance(bar, list) or [type(value) in (int, float) for value in bar] != [True, True]:
            raise Unreadable(f"trial {trial_id}: bars of its attempt are not pairs of numbers")
    columns = {name for name, _ in found["cell"]}
    more = json_object(settings, f"trial {trial_id}: the settings of its cell")
    extra = tuple((name, _plain(value)) for name, value in more.items() if name not in columns)
    cell = tuple(pair for pair in found["cell"] if pair[0] != "settings") + extra
    return TrialDetails(trial_id, found["sweep"], cell, found["net"], found["trial"], found["attempt"])


def _row(connection: sqlite3.Connection, query: str, trial_id: int) -> Pairs:
    cursor = connection.execute(query, (trial_id,))
    row = next(plain_rows(cursor, "what belongs to a trial"), None)
    return (
        () if row is None else tuple((column[0], value) for column, value in zip(cursor.description, row, strict=True))
    )


def _plain(value: object) -> str | float | int | None:
    return value if isinstance(value, str | float | int) or value is None else json.dumps(value)
