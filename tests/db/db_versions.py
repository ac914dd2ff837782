"""Stores as earlier versions left them, in `versions/` as SQL: `sqlite3 STORE .dump` without the rows of column_doc.

Their names begin with the number of their schema.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from mlrtui_db._schema import APPLICATION_ID

DUMPS = sorted((Path(__file__).parent / "versions").glob("*.sql"))
KEPT = ("sweep", "cell", "trial", "attempt", "step", "fit")


def number(dump: Path) -> int:
    return int(dump.stem.partition("-")[0])


def restore(dump: Path, path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number(dump)}")
        connection.execute("PRAGMA journal_mode = WAL")
    return path


Content = dict[str, list[dict[str, object]]]


def content(path: Path, tables: tuple[str, ...] = KEPT) -> Content:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return {table: list(map(dict, connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2"))) for table in tables}


RENAMED = {"too-slow": "not-reached"}


def holds(path: Path, before: Content) -> bool:
    """Whether every row is as it was, in the columns that there were, but for verdicts that have a new name."""
    after = content(path)
    return all(
        [{name: row[name] for name in old} for row, old in zip(after[table], rows, strict=True)]
        == [
            {name: RENAMED.get(str(value), value) if name == "verdict" else value for name, value in old.items()}
            for old in rows
        ]
        for table, rows in before.items()
    )


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
