"""Steps from one schema version to the next: named functions, each in one transaction that also bumps the version.

A copy of the store as it was is made first, beside it: ``<store>.v<version>``. A step that fails leaves the store at
the version before it. Steps use ``connection.execute`` only: ``executescript`` would commit half-way. Prefer
``ALTER TABLE ... ADD COLUMN`` and ``RENAME COLUMN``, which keep STRICT and WITHOUT ROWID.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrtui_db._schema import SCHEMA_VERSION, renew_views
from mlrtui_db._sqlite import translated
from mlrtui_db.errors import StoreError

__all__ = ["MIGRATIONS", "Migration", "migrate"]


@dataclass(frozen=True)
class Migration:
    """One step; ``apply`` brings a store of version ``version - 1`` to ``version``."""

    version: int
    name: str
    apply: Callable[[sqlite3.Connection], None]


def _add_edge(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE cell ADD COLUMN edge REAL NOT NULL DEFAULT 2.0")


def _add_layers(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE layer (trial_id INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE,"
        " step INTEGER NOT NULL CHECK (step >= 0), layer INTEGER NOT NULL CHECK (layer >= 1),"
        " activation_rms REAL, effective_rms REAL, propagating_rms REAL,"
        " PRIMARY KEY (trial_id, step, layer)) STRICT, WITHOUT ROWID"
    )


def _add_accuracy_on(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE cell ADD COLUMN accuracy_on TEXT NOT NULL DEFAULT 'train'")


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, "edges of other optimizers than plain gradient descent", _add_edge),
    Migration(3, "what layers do", _add_layers),
    Migration(4, "accuracy of held-out samples", _add_accuracy_on),
)
"""In order of version. They change tables only: after the newest, the views are made anew from views.sql."""


def migrate(connection: sqlite3.Connection, path: Path, steps: Sequence[Migration] = MIGRATIONS) -> Path | None:
    """Apply the steps that the store lacks; return where the copy of the old store lies, None when nothing was due.

    Raises:
        StoreError: a step failed; the message names it, the store keeps the version before it.
    """
    with translated(path):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        due = [step for step in steps if step.version > version]
        if not due:
            return None
        backup = _back_up(connection, path, version)
        for step in due:
            _apply(connection, path, step)
    return backup


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    backup = path.with_name(f"{path.name}.v{version}")
    draft = path.with_name(f".{path.name}.v{version}.new")
    draft.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(draft),))
    os.replace(draft, backup)
    return backup


def _apply(connection: sqlite3.Connection, path: Path, step: Migration) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        step.apply(connection)
        if step.version == SCHEMA_VERSION:
            renew_views(connection)
        connection.execute(f"PRAGMA user_version = {step.version}")
        connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('schema_version', ?)",
            (str(step.version),),
        )
        connection.execute("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{path} could not be updated (step {step.name}: {error}); it is as it was") from error
        raise
