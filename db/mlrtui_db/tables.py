"""Rows of views put into tables of another SQLite file, every number as the store has it."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from mlrtui_db._sqlite import connect_new, translated
from mlrtui_db.lock import is_held
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection

__all__ = ["fill_tables"]


def fill_tables(
    reader: Reader, out: Path, selections: Sequence[Selection], progress: Callable[[int], None] = lambda rows: None
) -> list[int]:
    """Fill the tables of ``out`` that have the views' names and the selected columns; returns their numbers of rows.

    Args:
        reader: of the store.
        out: a file that nobody else uses; it is useless unless all goes well.
        selections: what to put into each table.
        progress: called with the number of rows that were added.

    Raises:
        BadQuery: something that is selected cannot be read.
        StoreError: the store cannot be read, or the file not be written.
    """
    for asked in selections:
        reader.check(asked)
    with translated(out), closing(connect_new(out)) as target:
        # the file is taken only when it is whole, so that nothing need be rolled back
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        attached = _attach(target, reader)
        target.execute("BEGIN")
        counts = []
        for asked in selections:
            names = ", ".join(f'"{column.name}"' for column in asked.columns)
            before = target.total_changes
            if attached and not asked.where.strip():  # a condition may name views, which are tables here
                for statement, values in reader.parts(asked):
                    found = target.execute(
                        f'INSERT INTO main."{asked.view}" ({names}) SELECT {names} FROM store.{statement}', values
                    )
                    progress(found.rowcount)
            else:
                marks = ", ".join("?" * len(asked.columns))
                for batch in reader.batches(asked):
                    target.executemany(
                        f'INSERT INTO main."{asked.view}" ({names}) VALUES ({marks})', batch.whole_rows()
                    )
                    progress(len(batch.rows))
            counts.append(target.total_changes - before)
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
