"""Trainings to one threshold as evidence at another: what is stored of them, and rows that follow from theirs.

A row that follows is a copy, in a net of another sweep, of a stored training: up to the step at which it
would have ended there. The training itself stays as it is. The attempt of a copy says where it is from.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mlrtui_db._attempts import add_trials
from mlrtui_db._schema import step_tables
from mlrtui_db._sqlite import Transaction, columns, dict_row, finite, insertion
from mlrtui_db._step_rows import Columns
from mlrtui_db._steps import SUMMARY_COLUMNS, Summary
from mlrtui_db.errors import StoreError
from mlrtui_db.records import Derivation, TrialOutcome, TrialRecord

DERIVED_FROM = "derived_from"
"""Key of an attempt's env under which a copy has the trial_key of the training that it follows from."""

_OF_THE_ROW = ("trial_id", "trial_key", "net_id", "eta", "eta_lambda0", "round", "max_steps", "attempt", "rev")
"""What a copy has of its own."""

_OUTCOME = frozenset(one.name for one in fields(TrialOutcome)) - {"trial_id", "attempt", "seq"}

_STEP = ", ".join(Columns._fields)


def derive_trial(tx: Transaction, trial: TrialRecord, derivation: Derivation) -> int:
    """See `Store.derive_trial`."""
    source = dict_row(tx.connection, "SELECT * FROM trial WHERE trial_id = ?", derivation.source_id)
    if source["status"] != "done":
        raise StoreError(f"trial {derivation.source_id} is {source['status']}: nothing follows from it")
    (trial_id,) = add_trials(tx, [trial])
    mine = dict_row(tx.connection, "SELECT * FROM trial WHERE trial_id = ?", trial_id)
    if mine["status"] != "queued":
        raise StoreError(f"trial {trial_id} is {mine['status']} and cannot be derived")
    made = {name: value for name, value in source.items() if name not in _OF_THE_ROW}
    _copy_steps(tx, derivation, trial_id)
    if derivation.until is not None:
        made |= _summary(tx, trial_id)
    unknown = derivation.outcome.keys() - _OUTCOME
    if unknown:
        raise StoreError(f"no part of an outcome: {', '.join(sorted(unknown))}")
    made |= {name: finite(v) if isinstance(v, float) else v for name, v in derivation.outcome.items()}
    made |= {"verdict": derivation.verdict, "given_up_epoch": derivation.given_up_epoch}
    made |= {"attempt": mine["attempt"] + 1, "rev": tx.rev}
    setting = ", ".join(f"{name} = ?" for name in made)
    tx.connection.execute(f"UPDATE trial SET {setting} WHERE trial_id = ?", (*made.values(), trial_id))
    _copy_attempt(tx, source, trial_id, made["attempt"], derivation.detail)
    return trial_id


def is_derived(connection: sqlite3.Connection, trial_id: int) -> bool:
    """Whether the rows of a trial follow from another's."""
    query = (
        f"SELECT json_extract(env, '$.{DERIVED_FROM}') FROM attempt WHERE trial_id = ? ORDER BY attempt DESC LIMIT 1"
    )
    found = connection.execute(query, (trial_id,)).fetchone()
    return found is not None and found[0] is not None


def _copy_steps(tx: Transaction, derivation: Derivation, trial_id: int) -> None:
    until = derivation.until
    for table in step_tables(tx.connection):
        rest = ", ".join(name for name in columns(tx.connection, table) if name != "trial_id")
        tx.connection.execute(
            f"INSERT INTO {table} (trial_id, {rest}) SELECT ?, {rest} FROM {table}"
            " WHERE trial_id = ? AND (? IS NULL OR step <= ?)",
            (trial_id, derivation.source_id, until, until),
        )


def _summary(tx: Transaction, trial_id: int) -> Mapping[str, Any]:
    """The columns that follow from the steps that were copied."""
    summary = Summary(0, *(None for _ in SUMMARY_COLUMNS[1:]))
    rows = tx.connection.execute(f"SELECT {_STEP} FROM step WHERE trial_id = ? ORDER BY step", (trial_id,)).fetchall()
    if rows:
        summary.extend(Columns(*zip(*rows, strict=True)))
    return {name: getattr(summary, name) for name in SUMMARY_COLUMNS}


def _copy_attempt(tx: Transaction, source: Mapping[str, Any], trial_id: int, attempt: int, detail: str) -> None:
    """Host, device and environment are those of the training; the times are those of the copy."""
    newest = "SELECT * FROM attempt WHERE trial_id = ? AND attempt = ?"
    made = dict_row(tx.connection, newest, source["trial_id"], source["attempt"])
    env = json.loads(made["env"])
    origin = env.get(DERIVED_FROM, source["trial_key"])  # of a copy: the training itself
    made |= {"trial_id": trial_id, "attempt": attempt, "detail": detail, "outcome": "done", "next_seq": 0}
    made |= {"env": json.dumps(env | {DERIVED_FROM: origin}, sort_keys=True)}
    made |= dict.fromkeys(("started_at", "heartbeat_at", "ended_at"), tx.now)
    tx.connection.execute(insertion("attempt", list(made)), tuple(made.values()))
