"""The schema as shipped, and how a new store is made: whole and under its final name, or not at all."""

import os
import re
import sqlite3
import time
from functools import cache
from importlib.resources import files
from pathlib import Path

from mlrtui_db._sqlite import connect_new, translated
from mlrtui_db.axes import view_columns
from mlrtui_db.column_docs import column_documents
from mlrtui_db.errors import StoreUnwritable
from mlrtui_db.flags import FLAG_SHARPNESS_NOT_CONVERGED, loss_state

APPLICATION_ID = 0x6D6C7274  # "mlrt"
SCHEMA_VERSION = 7

_SERVING = ("axes", "measured")
"""Views that only serve the others."""


@cache
def schema_script() -> str:
    """The SQL of all tables, indexes and views of the current version."""
    return "\n".join(_script(name) for name in ("schema.sql", "views.sql"))


def _script(name: str) -> str:
    text = (files("mlrtui_db") / name).read_text(encoding="utf-8")
    return re.sub(r"/\* (\w+ of \w+\.py) \*/", lambda found: _MADE[found[1]], text)


_MADE = {
    "columns of axes.py": view_columns(),
    "loss_state of flags.py": loss_state(),
    "FLAG_SHARPNESS_NOT_CONVERGED of flags.py": str(FLAG_SHARPNESS_NOT_CONVERGED),
}
"""What views.sql leaves to the tables that it names."""


@cache
def schema_names() -> tuple[str, ...]:
    """Names of the tables and views that a store of the current version has."""
    return tuple(re.findall(r"^CREATE (?:TABLE|VIEW) (\w+)", schema_script(), re.MULTILINE))


@cache
def view_names() -> tuple[str, ...]:
    """Names of the views for people, in the order of views.sql."""
    found = re.findall(r"^CREATE VIEW (\w+)", schema_script(), re.MULTILINE)
    return tuple(name for name in found if name not in _SERVING)


@cache
def table_names() -> tuple[str, ...]:
    """Names of the tables, in the order of schema.sql."""
    return tuple(name for name in schema_names() if name not in (*view_names(), *_SERVING))


@cache
def view_statements() -> tuple[str, ...]:
    """The SQL of each view, in the order of views.sql."""
    return tuple(re.findall(r"^CREATE VIEW.*?;$", _script("views.sql"), re.MULTILINE | re.DOTALL))


def tables_of_trials(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Names of the tables whose rows belong to a trial, by the schema's own references."""
    return tuple(
        table
        for table in table_names()
        if any(row[2] == "trial" for row in connection.execute(f"PRAGMA foreign_key_list({table})"))
    )


def step_tables(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Names of the tables with rows for steps of trials."""
    return tuple(table for table in tables_of_trials(connection) if table not in ("attempt", "event"))


def install_schema(connection: sqlite3.Connection, now: float) -> None:
    """Fill an empty database, in one transaction."""
    connection.executescript(
        f"BEGIN IMMEDIATE; {schema_script()}\n"
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};"
    )
    write_documents(connection)
    connection.executemany(
        "INSERT INTO meta (key, value) VALUES (?, ?)",
        [
            ("schema_version", str(SCHEMA_VERSION)),
            ("created_at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))),
        ],
    )
    connection.execute("COMMIT")


def write_documents(connection: sqlite3.Connection) -> None:
    """Replace the content of table ``column_doc`` by what this version says."""
    connection.execute("DELETE FROM column_doc")
    connection.executemany(
        "INSERT INTO column_doc (tbl, col, unit, text) VALUES (?, ?, ?, ?)", column_documents(connection)
    )


def renew_views(connection: sqlite3.Connection) -> None:
    """Make the views and the documentation those of this version, whatever they were; the tables are its already."""
    drop_views(connection)
    for statement in view_statements():
        connection.execute(statement)
    write_documents(connection)


def drop_views(connection: sqlite3.Connection) -> None:
    """Take our views away; `renew_views` makes those of this version."""
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        if name in (*view_names(), *_SERVING):
            connection.execute(f'DROP VIEW "{name}"')


def create_store(path: Path, now: float) -> None:
    """Make a new store at ``path``, where no file or an empty one lies. The caller holds the writer's lock.

    It is built beside and renamed, so that a killed process leaves no half-made store.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.unlink(missing_ok=True)
        draft.touch()  # with the user's umask; SQLite would never let a group write
        with translated(path):
            connection = connect_new(draft)
            try:
                install_schema(connection, now)
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        os.replace(draft, path)
    except OSError as error:
        raise StoreUnwritable(
            f"{path} cannot be made ({error.strerror}): check the folder's permissions and free room"
        ) from None
    finally:
        for leftover in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-journal")):
            leftover.unlink(missing_ok=True)
