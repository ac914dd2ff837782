"""An older store as this version's readers see it: temporary objects of their connection stand in for what it lacks."""

import sqlite3
from contextlib import closing

from mlrtui_db._schema import SCHEMA_VERSION, schema_script, view_statements

__all__ = ["complete"]


def complete(connection: sqlite3.Connection) -> None:
    """Give a reader's connection to an older store the tables, columns and views of this version; the file stays.

    A column that the store lacks has its default in every row, a table is empty. A newer store is left alone.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version >= SCHEMA_VERSION:
        return
    connection.execute("PRAGMA query_only = OFF")  # it forbids temporary objects, too; the file is open to be read only
    try:
        for statement in _stand_ins(connection):
            connection.execute(statement)
    finally:
        connection.execute("PRAGMA query_only = ON")


def _stand_ins(connection: sqlite3.Connection) -> list[str]:
    with closing(sqlite3.connect(":memory:")) as current:
        current.executescript(schema_script())
        made = []
        for table, sql in current.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            known = set(_defaults(connection, table))
            missing = {name: value for name, value in _defaults(current, table).items() if name not in known}
            if not known:
                made.append(sql.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
            elif missing:
                more = ", ".join(f"{value} AS {name}" for name, value in missing.items())
                made.append(f"CREATE TEMP VIEW {table} AS SELECT *, {more} FROM main.{table}")
    return [*made, *(text.replace("CREATE VIEW", "CREATE TEMP VIEW", 1) for text in view_statements())]


def _defaults(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Default of every column as SQL."""
    return {row[1]: row[4] or "NULL" for row in connection.execute(f'PRAGMA table_info("{table}")')}
