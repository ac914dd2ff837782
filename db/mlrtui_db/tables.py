"""Views written as tables of a plain SQLite file, with declared types and every number as the store has it."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mlrtui_db._sqlite import connect_new, translated
from mlrtui_db.column_docs import VIEWS
from mlrtui_db.lock import is_held
from mlrtui_db.reader import Reader

__all__ = ["write_tables"]

_TYPES = {"integer": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB"}


def write_tables(reader: Reader, out: Path, views: Sequence[str], where_sweep: str | None = None) -> list[int]:
    """Fill the empty file ``out`` with a table for each view; returns their numbers of rows.

    Raises:
        StoreError: there is no such view, the store cannot be read, or the file not be written.
    """
    types = {view: _declared(reader, view, where_sweep) for view in views}
    with translated(out), closing(connect_new(out)) as target:
        # the file is taken only when it is whole, so that nothing need be rolled back
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        attached = _attach(target, reader)
        target.execute("BEGIN")
        for view in views:
            target.execute(f'CREATE TABLE main."{view}" ({", ".join(types[view])})')
            if attached:
                for statement, values in reader.parts(view, where_sweep):
                    target.execute(f'INSERT INTO main."{view}" SELECT * FROM store.{statement}', values)
            else:
                marks = ", ".join("?" * len(types[view]))
                target.executemany(f'INSERT INTO main."{view}" VALUES ({marks})', reader.query(view, where_sweep)[1])
        counts = [int(target.execute(f'SELECT count(*) FROM main."{view}"').fetchone()[0]) for view in views]
        target.execute("COMMIT")
    return counts


def _attach(target: sqlite3.Connection, reader: Reader) -> bool:
    """Attach the store, so that rows need not pass through Python: a tenth of the time.

    Not where a driver writes it, since all is read in one transaction, which would keep the log growing; nor where
    temporary views stand in for what an older store lacks.
    """
    if reader.stood_in or is_held(reader.path):
        return False
    try:
        target.execute("ATTACH ? AS store", (f"{reader.path.absolute().as_uri()}?mode=ro",))
        target.execute("SELECT count(*) FROM store.sweep").fetchone()
    except sqlite3.OperationalError:  # read-only media, on which the reader knows its way
        return False
    return True


def _declared(reader: Reader, view: str, where_sweep: str | None) -> list[str]:
    """Name and type of every column. One that is computed has the type of its first value."""
    return [
        f'"{name}" {declared or _computed(reader, view, name, where_sweep)}' for name, declared in reader.declared(view)
    ]


def _computed(reader: Reader, view: str, name: str, where_sweep: str | None) -> str:
    unit, _ = VIEWS[view].get(name, ("", "")) if view in VIEWS else ("", "")
    return "TEXT" if unit == "text" else _TYPES[reader.type_of(view, name, where_sweep) or "real"]
