"""Steps from one schema version to the next: named functions, each in one transaction that also bumps the version.

A copy of the store as it was is made first, beside it: ``<store>.v<version>``. A step that fails, or whose process is
killed, leaves the store at the version before it. Steps use ``connection.execute`` only: ``executescript`` would commit
half-way. Prefer ``ALTER TABLE ... ADD COLUMN`` and ``RENAME COLUMN``, which keep STRICT and WITHOUT ROWID; a new CHECK
comes with a new column, into which the old one is copied. Never build a table anew that others refer to: dropping the
old one would delete their rows. Steps are about tables: views and the texts about columns are made anew with the last
one.
"""

import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlrtui_db._editions import BEFORE_SCHEMA_4, measured_before_6
from mlrtui_db._life import unmark_copy
from mlrtui_db._meta import write_meta
from mlrtui_db._schema import SCHEMA_VERSION, drop_views, renew_views
from mlrtui_db._sqlite import columns, connect_new, error_name, short, translated
from mlrtui_db.errors import StoreError
from mlrtui_db.relabelling import Relabel, relabel_all

__all__ = ["MIGRATIONS", "Migration", "migrate"]


@dataclass(frozen=True)
class Migration:
    """One step; ``apply`` brings a store of version ``version - 1`` to ``version``."""

    version: int
    name: str
    apply: Callable[[sqlite3.Connection], None]
    relabels: bool = False  # whether phases are named anew after it, by whoever knows the rules


def _second(connection: sqlite3.Connection) -> None:
    """Eigenvalues beside λ and the rule by which it was measured, which some stores of version 1 have, and more."""
    if _added(connection, "net", "sharpness_schedule TEXT NOT NULL DEFAULT 'at initialisation'"):
        connection.execute("""
            UPDATE net SET sharpness_schedule = 'every ' || every || ' steps' FROM (
              SELECT cell_id, json_extract(spec, '$.sharpness.every') AS every FROM cell JOIN sweep USING (sweep_id)
            ) AS asked
            WHERE asked.cell_id = net.cell_id AND every > 0""")
    connection.execute("""
        CREATE TABLE IF NOT EXISTS eigenvalue (
          trial_id INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
          step     INTEGER NOT NULL CHECK (step >= 0),
          operator TEXT NOT NULL,
          rank     INTEGER NOT NULL CHECK (rank >= 1),
          value    REAL,
          residual REAL,
          PRIMARY KEY (trial_id, step, operator, rank)
        ) STRICT, WITHOUT ROWID""")
    _added(connection, "cell", "edge REAL NOT NULL DEFAULT 2.0")
    _added(connection, "cell", "accuracy_on TEXT NOT NULL DEFAULT 'train'")
    connection.execute("""
        CREATE TABLE IF NOT EXISTS layer (
          trial_id INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
          step     INTEGER NOT NULL CHECK (step >= 0),
          layer    INTEGER NOT NULL CHECK (layer >= 1),
          activation_rms  REAL,
          effective_rms   REAL,
          propagating_rms REAL,
          PRIMARY KEY (trial_id, step, layer)
        ) STRICT, WITHOUT ROWID""")


def _third(connection: sqlite3.Connection) -> None:
    """Trainings that were given up, and the bars by which."""
    _added(connection, "trial", "given_up_epoch INTEGER")
    _added(connection, "attempt", "bars TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(bars))")


def _fourth(connection: sqlite3.Connection) -> None:
    """The second edition of phases with its evidence, η* by area, and verdict not-reached for what was too-slow."""
    drop_views(connection)  # a column that a view names cannot be dropped
    for column, words in {"verdict": _VERDICTS_4, "phase": _PHASES_4}.items():
        _added(connection, "trial", f"{column}_4 TEXT CHECK ({column}_4 IN ({words}))")
    for name, kind in _TRIAL_4.items():
        _added(connection, "trial", f"{name} {kind}")
    before = BEFORE_SCHEMA_4
    connection.execute(
        f"UPDATE trial SET verdict_4 = {before['verdict']}, phase_4 = phase, phase_rule = {before['phase_rule']},"
        f" phase_reason = {before['phase_reason']}"
    )
    for column in ("verdict", "phase"):
        connection.execute(f"ALTER TABLE trial DROP COLUMN {column}")
        connection.execute(f"ALTER TABLE trial RENAME COLUMN {column}_4 TO {column}")
    for name, kind in _NET_4.items():
        _added(connection, "net", f"{name} {kind}")


_VERDICTS_4 = "'reached', 'finished', 'not-reached', 'stalled', 'diverged', 'dead', 'failed'"
_PHASES_4 = "'lazy', 'stable', 'controlled', 'catapult', 'edge', 'divergent', 'catastrophic', 'collapsed', 'unfinished'"
_TRIAL_4 = {
    "phase_rule": "INTEGER CHECK (phase_rule >= 1)",
    "phase_basis": "TEXT CHECK (phase_basis IN ('loss', 'loss+sharpness'))",
    "phase_reason": "TEXT",
    **dict.fromkeys(("peak_smoothed", "rise", "logit_growth", "hidden_growth", "ratio_first"), "REAL"),
    **dict.fromkeys(("ratio_before_peak", "ratio_low", "ratio_hover", "ratio_last", "drift"), "REAL"),
    **dict.fromkeys(("loss_constant", "majority"), "REAL"),
}
_NET_4 = {
    "eta_rule": "INTEGER NOT NULL DEFAULT 1 CHECK (eta_rule >= 1)",
    **dict.fromkeys(("eta_last", "eta_star_se", "window_low", "window_high"), "REAL"),
    "successes": "INTEGER",
}


_VALUE_5 = """value REAL, edge REAL, edge_high REAL, low REAL, high REAL, residual REAL, products INTEGER,
          forwards INTEGER, status TEXT, note TEXT, seconds REAL"""
"""Columns of one value of a measure."""


def _fifth(connection: sqlite3.Connection) -> None:
    """Measures, a learning rate by step, recorded runs, shards. The axes of views are made of what all stores have."""
    drop_views(connection)  # a column that a view names cannot be dropped
    _added(connection, "sweep", "shard TEXT")
    _added(connection, "step", "eta REAL")
    _added(connection, "sweep", "repeatable INTEGER CHECK (repeatable IN (0, 1))")
    connection.execute(f"""
        CREATE TABLE IF NOT EXISTS measure (
          trial_id INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
          step     INTEGER NOT NULL CHECK (step >= 0),
          measure  TEXT NOT NULL,
          {_VALUE_5},
          PRIMARY KEY (trial_id, step, measure)
        ) STRICT, WITHOUT ROWID""")
    _replace(connection, "sweep", "mode", "TEXT NOT NULL DEFAULT 'search' CHECK ({} IN ('search', 'scan', 'recorded'))")
    for name, kind in _CELL_5.items():
        _replace(connection, "cell", name, kind)


_CELL_5 = {
    **dict.fromkeys(("depth", "width", "samples", "batch", "max_steps"), "INTEGER"),
    **dict.fromkeys(("data", "target", "standardize", "model", "activation"), "TEXT"),
    **dict.fromkeys(("parametrization", "loss", "optimizer", "dtype"), "TEXT"),
    "bias": "INTEGER CHECK ({} IN (0, 1))",
    "input_lr": "REAL",
}
"""What is not known of a training that is not ours."""


def _sixth(connection: sqlite3.Connection) -> None:
    """Eigenvalues and sizes of layers become measures with parts, whose names are stored once."""
    drop_views(connection)  # they read the tables that go
    before = measured_before_6(connection)
    connection.execute("""
        CREATE TABLE series (
          series_id INTEGER PRIMARY KEY,
          measure   TEXT NOT NULL,
          part      TEXT NOT NULL DEFAULT '',
          UNIQUE (measure, part)
        ) STRICT""")
    connection.execute(
        f"INSERT INTO series (measure, part) SELECT DISTINCT measure, part FROM ({before}) ORDER BY measure, part"
    )
    connection.execute(f"""
        CREATE TABLE measure_6 (
          trial_id  INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,
          step      INTEGER NOT NULL CHECK (step >= 0),
          series_id INTEGER NOT NULL REFERENCES series,
          {_VALUE_5},
          PRIMARY KEY (trial_id, step, series_id)
        ) STRICT, WITHOUT ROWID""")
    connection.execute(f"""
        INSERT INTO measure_6
        SELECT trial_id, step, series_id, value, edge, edge_high, low, high, residual, products, forwards, status, note,
               seconds
        FROM ({before}) JOIN series USING (measure, part) ORDER BY trial_id, step, series_id""")
    for table in ("eigenvalue", "layer", "measure"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("ALTER TABLE measure_6 RENAME TO measure")


def _seventh(connection: sqlite3.Connection) -> None:
    """What came with schema 7, each part by itself."""
    _add_annotations(connection)
    _add_forks(connection)
    _added(connection, "cell", "map_value REAL")


def _add_annotations(connection: sqlite3.Connection) -> None:
    """Notes and tags of people on sweeps."""
    connection.execute("""
        CREATE TABLE annotation (
          annotation_id INTEGER PRIMARY KEY,
          sweep_id      INTEGER NOT NULL REFERENCES sweep ON DELETE CASCADE,
          kind          TEXT NOT NULL CHECK (kind IN ('note', 'tag')),
          at            REAL NOT NULL,
          text          TEXT NOT NULL
        ) STRICT""")


def _add_forks(connection: sqlite3.Connection) -> None:
    """At which step of its base a net of forks begins, and what the base was."""
    _added(connection, "cell", "fork_step INTEGER CHECK (fork_step >= 0)")
    for name in ("base_eta", "base_lambda0", "base_loss", "fork_loss", "eta_catapult"):
        _added(connection, "net", f"{name} REAL")


def _replace(connection: sqlite3.Connection, table: str, name: str, kind: str) -> None:
    """Give a column another type or condition, in which ``{}`` stands for its name; the values stay."""
    connection.execute(f"ALTER TABLE {table} ADD COLUMN {name}_5 {kind.format(f'{name}_5')}")
    connection.execute(f"UPDATE {table} SET {name}_5 = {name}")
    connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    connection.execute(f"ALTER TABLE {table} RENAME COLUMN {name}_5 TO {name}")


def _added(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Add a column, given with its type and default, where the table lacks it; whether it did."""
    if column.split()[0] in columns(connection, table):
        return False
    connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    return True


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, "spectra, edges, held-out samples, layers", _second),
    Migration(3, "trainings given up", _third),
    Migration(4, "phases and eta* of the second edition", _fourth, relabels=True),
    Migration(5, "measures, learning rates by step, recorded runs, every axis in the views", _fifth),
    Migration(6, "eigenvalues and layers as measures with parts", _sixth),
    Migration(7, "notes and tags, forks, maps", _seventh),
)
"""In order of version. They change tables only: after the newest, the views are made anew from views.sql."""


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    steps: Sequence[Migration] = MIGRATIONS,
    *,
    relabel: Relabel | None = None,
) -> Path | None:
    """Apply the steps that the store lacks; return where the copy of the old store lies, None when nothing was due.

    ``relabel`` names phases anew where a step asks for it (`relabelling`); without it they stay.

    Raises:
        StoreFull: there is no room for the copy or for a step; the store keeps the version that it has.
        StoreError: a step failed; the message names it, the store keeps the version before it.
    """
    with translated(path):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        due = [step for step in steps if step.version > version]
        if not due:
            return None
        backup = _back_up(connection, path, version)
        for step in due:
            _apply(connection, path, step, backup, relabel)
    return backup


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    backup, draft = _free_name(path, version), path.with_name(f".{path.name}.v{version}.new")
    draft.unlink(missing_ok=True)
    try:
        draft.touch()  # with the user's umask
        connection.execute("VACUUM INTO ?", (str(draft),))
        with closing(connect_new(draft)) as copy:
            unmark_copy(copy)
        os.replace(draft, backup)
    finally:
        draft.unlink(missing_ok=True)
    return backup


def _free_name(path: Path, version: int) -> Path:
    """Beside the store; a copy that is there already may be of another store that had this name."""
    name = path.with_name(f"{path.name}.v{version}")
    numbered = (name.with_name(f"{name.name}-{number}") for number in itertools.count(2))
    return next(place for place in itertools.chain([name], numbered) if not os.path.lexists(place))


def _apply(connection: sqlite3.Connection, path: Path, step: Migration, backup: Path, relabel: Relabel | None) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        step.apply(connection)
        relabelled = ""
        if step.relabels and relabel is not None:
            named, left = relabel_all(connection, relabel)
            relabelled = f"; phases named anew: {named}, left as they were: {left}" if named or left else ""
        if step.version == SCHEMA_VERSION:
            renew_views(connection)
        connection.execute(f"PRAGMA user_version = {step.version}")
        write_meta(connection, "schema_version", str(step.version))
        connection.execute(
            "INSERT INTO event (at, level, text) VALUES (?, 'info', ?)",
            (
                time.time(),
                f"brought to schema {step.version} ({step.name}{relabelled}); the store as it was: {backup.name}",
            ),
        )
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error) and error_name(error) not in ("SQLITE_FULL", "SQLITE_IOERR"):
            raise StoreError(
                f"{path} could not be updated (step {step.name}: {short(error)}); it is as it was"
            ) from error
        raise
