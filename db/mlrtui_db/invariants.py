"""What must hold in every committed state of a store, as queries that find nothing when it does."""

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlrtui_db import _opening
from mlrtui_db._schema import schema_names, table_names
from mlrtui_db._sqlite import translated
from mlrtui_db._sweeps import mean_and_sd
from mlrtui_db.flags import bits

__all__ = ["check", "damage"]

_MOST = 5  # offenders named per rule

_RULES: dict[str, str] = {
    "n_steps is not the number of stored steps": """
        SELECT 'trial ' || t.trial_id FROM trial t
        WHERE n_steps <> (SELECT count(*) FROM step s WHERE s.trial_id = t.trial_id)""",
    "last_step, last_loss, min_loss or max_loss differ from the stored steps": """
        SELECT 'trial ' || trial_id FROM (
          SELECT t.*, (SELECT max(step) FROM step s WHERE s.trial_id = t.trial_id) AS top,
                 (SELECT loss FROM step s WHERE s.trial_id = t.trial_id ORDER BY step DESC LIMIT 1) AS last,
                 (SELECT min(loss) FROM step s WHERE s.trial_id = t.trial_id) AS low,
                 (SELECT max(loss) FROM step s WHERE s.trial_id = t.trial_id) AS high
          FROM trial t)
        WHERE last_step IS NOT top OR last_loss IS NOT last OR min_loss IS NOT low OR max_loss IS NOT high""",
    "max_loss_step is not the first step of max_loss": """
        SELECT 'trial ' || trial_id FROM trial t WHERE max_loss_step IS NOT
          (SELECT min(step) FROM step s WHERE s.trial_id = t.trial_id AND s.loss = t.max_loss)""",
    "last_sharpness or max_sharpness differ from the stored steps": """
        SELECT 'trial ' || trial_id FROM trial t
        WHERE max_sharpness IS NOT (SELECT max(sharpness) FROM step s WHERE s.trial_id = t.trial_id)
           OR last_sharpness_step IS NOT
              (SELECT max(step) FROM step s WHERE s.trial_id = t.trial_id AND sharpness IS NOT NULL)
           OR last_sharpness IS NOT
              (SELECT sharpness FROM step s WHERE s.trial_id = t.trial_id AND s.step = t.last_sharpness_step)""",
    "a step with a non-finite loss lies before bad_step, or there is no bad_step": """
        SELECT 'trial ' || s.trial_id FROM step s JOIN trial t USING (trial_id)
        WHERE s.loss IS NULL AND (t.bad_step IS NULL OR s.step < t.bad_step) GROUP BY s.trial_id""",
    "loss is NULL without a flag, or flagged and not NULL": f"""
        SELECT 'trial ' || trial_id || ' step ' || step FROM step
        WHERE (loss IS NULL) <> (flags & {bits("loss")} <> 0)""",
    "sharpness or accuracy is flagged as non-finite and not NULL": f"""
        SELECT 'trial ' || trial_id || ' step ' || step FROM step
        WHERE flags & {bits("sharpness")} <> 0 AND sharpness IS NOT NULL
           OR flags & {bits("accuracy")} <> 0 AND accuracy IS NOT NULL""",
    "a measure's value belongs to no stored step": """
        SELECT 'trial ' || trial_id || ' step ' || step FROM measured m
        WHERE NOT EXISTS (SELECT 1 FROM step s WHERE s.trial_id = m.trial_id AND s.step = m.step)""",
    "attempt is not the newest attempt": """
        SELECT 'trial ' || trial_id FROM trial t
        WHERE attempt <> (SELECT coalesce(max(attempt), 0) FROM attempt a WHERE a.trial_id = t.trial_id)
           OR attempt <> (SELECT count(*) FROM attempt a WHERE a.trial_id = t.trial_id)""",
    "an attempt ended without an outcome, or has one and did not end": """
        SELECT 'trial ' || trial_id || ' attempt ' || attempt FROM attempt
        WHERE (ended_at IS NULL) <> (outcome IS NULL)""",
    "an attempt is open that is not the current one of a running trial": """
        SELECT 'trial ' || trial_id || ' attempt ' || a.attempt FROM attempt a JOIN trial t USING (trial_id)
        WHERE a.ended_at IS NULL AND (t.status <> 'running' OR t.attempt <> a.attempt)""",
    "a running trial has no open attempt": """
        SELECT 'trial ' || trial_id FROM trial t WHERE status = 'running' AND NOT EXISTS
          (SELECT 1 FROM attempt a WHERE a.trial_id = t.trial_id AND a.ended_at IS NULL)""",
    "a trial that was never started has steps": """
        SELECT 'trial ' || trial_id FROM trial WHERE attempt = 0 AND (n_steps > 0 OR status = 'running')""",
    "a trial is done without a verdict, has a verdict and is not done, or is failed by another verdict": """
        SELECT 'trial ' || trial_id FROM trial
        WHERE (verdict IS NOT NULL) <> (status IN ('done', 'failed'))
           OR (status = 'failed') <> (coalesce(verdict, '') = 'failed')""",
    "a trial was given up and is not done, or has a verdict that needs no giving up": """
        SELECT 'trial ' || trial_id FROM trial
        WHERE given_up_epoch IS NOT NULL
          AND (status <> 'done' OR coalesce(verdict, '') NOT IN ('not-reached', 'stalled'))""",
    "a sweep has a time of finishing and is not done, or none and is": """
        SELECT 'sweep ' || sweep_id FROM sweep WHERE (finished_at IS NOT NULL) <> (status = 'done')""",
    "a column has no text in column_doc": """
        SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
        WHERE m.name IN (SELECT value FROM json_each(?)) AND m.name IN (SELECT tbl FROM column_doc)
          AND NOT EXISTS (SELECT 1 FROM column_doc d WHERE d.tbl = m.name AND d.col = c.name)""",
}


def check(store: sqlite3.Connection | Path | str) -> list[str]:
    """The invariants that a store violates, each with the first rows that do; empty when all is well.

    Reads everything: some seconds for ten million steps.

    Raises:
        StoreError: the store cannot be read at all.
    """
    if isinstance(store, sqlite3.Connection):
        return list(_violations(store))
    path, connection = _opening.open_to_read(store)
    with closing(connection), translated(path):
        return list(_violations(connection))


def _violations(connection: sqlite3.Connection) -> Iterator[str]:
    damaged = list(damage(connection))
    yield from damaged
    if damaged:
        return  # every query below would meet it
    for table, row_id, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST):
        yield f"table {table}, row {row_id}: its {parent} is missing"
    mistyped = list(_mistyped(connection))
    yield from _named("a value is not of its column's type", mistyped)
    if mistyped:
        return  # the rules below compute with them
    ours = json.dumps(schema_names())
    for rule, query in _RULES.items():
        values = (ours,) if "?" in query else ()
        yield from _named(rule, [name for (name,) in connection.execute(f"{query} LIMIT {_MOST + 1}", values)])
    yield from _named("a number is infinite", list(_infinite(connection)))
    yield from _named("ln_eta_star_mean or ln_eta_star_sd differ from the cell's nets", list(_wrong_means(connection)))


def damage(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong with the file."""
    try:
        for (found,) in connection.execute(f"PRAGMA quick_check({_MOST})").fetchall():
            if found != "ok":
                yield f"integrity: {found}"
    except sqlite3.DatabaseError as error:
        yield f"integrity: {error}"


def _named(rule: str, offenders: list[str]) -> Iterator[str]:
    if offenders:
        more = ", ..." if len(offenders) > _MOST else ""
        yield f"{rule}: {', '.join(offenders[:_MOST])}{more}"


def _mistyped(connection: sqlite3.Connection) -> Iterator[str]:
    """A strict table takes no such value; a damaged or a made-up file can hold one."""
    for table in table_names():
        columns = connection.execute("SELECT name, type, pk FROM pragma_table_info(?)", (table,)).fetchall()
        if not columns:
            continue  # a store of an earlier version lacks the table
        keys = [name for name, _, place in columns if place] or [columns[0][0]]  # what stands in for a table has none
        key = " || ' ' || ".join(f"quote({name})" for name in keys)
        wrong = " OR ".join(f"typeof({name}) NOT IN ('{kind.lower()}', 'null')" for name, kind, _ in columns if kind)
        for (row,) in connection.execute(f"SELECT substr({key}, 1, 60) FROM {table} WHERE {wrong} LIMIT {_MOST + 1}"):
            yield f"{table} {row}"


def _infinite(connection: sqlite3.Connection) -> Iterator[str]:
    for table in table_names():
        kinds = connection.execute("SELECT name FROM pragma_table_info(?) WHERE type = 'REAL'", (table,)).fetchall()
        for (column,) in kinds:
            (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE abs({column}) = 9e999").fetchone()
            if count:
                yield f"{table}.{column}"


def _wrong_means(connection: sqlite3.Connection) -> Iterator[str]:
    cells = connection.execute("SELECT cell_id, ln_eta_star_mean, ln_eta_star_sd FROM cell").fetchall()
    for cell_id, *stored in cells:
        nets = connection.execute(
            "SELECT eta_star FROM net WHERE cell_id = ? AND status = 'done' AND censored IS NULL AND eta_star > 0",
            (cell_id,),
        )
        expected = mean_and_sd([math.log(eta_star) for (eta_star,) in nets])
        if not all(map(_agree, stored, expected)):
            yield f"cell {cell_id}"


def _agree(stored: float | None, expected: float | None) -> bool:
    if stored is None or expected is None:
        return stored is expected
    return math.isclose(stored, expected, rel_tol=1e-9, abs_tol=1e-12)
