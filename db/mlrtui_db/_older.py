"""A store of another version as this version's readers see it: temporary objects of their connection stand in.

An older one lacks tables, columns and views. The views of a newer one are unknown here, so ours are read on its tables.
"""

import sqlite3
from contextlib import closing

from mlrtui_db._editions import BEFORE_SCHEMA_4, measured_before_6
from mlrtui_db._schema import SCHEMA_VERSION, schema_script, view_statements

__all__ = ["complete", "is_of_another_version"]


def complete(connection: sqlite3.Connection) -> None:
    """Give a reader's connection to another version's store the tables, columns and views of this one; the file stays.

    A column that the store lacks has its default in every row, or what bringing the store up to date would fill in; a
    table is empty. What stood in for an earlier state of the store goes.
    """
    connection.execute("PRAGMA query_only = OFF")  # it forbids temporary objects, too; the file is open to be read only
    try:
        for name, kind in connection.execute(
            "SELECT name, type FROM temp.sqlite_master WHERE type <> 'index'"
        ).fetchall():
            connection.execute(f"DROP {kind} temp.{name}")
        for statement in _stand_ins(connection) if is_of_another_version(connection) else ():
            connection.execute(statement)
    finally:
        connection.execute("PRAGMA query_only = ON")


def is_of_another_version(connection: sqlite3.Connection) -> bool:
    """Whether the store has another schema than this version's."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version) != SCHEMA_VERSION


def _stand_ins(connection: sqlite3.Connection) -> list[str]:
    made: list[str] = []
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        made = _tables(connection)
    views = [text.replace("CREATE VIEW", "CREATE TEMP VIEW", 1) for text in view_statements()]
    if version < 6 and (before := measured_before_6(connection)):
        views = [f"CREATE TEMP VIEW measured AS {before}" if " measured AS" in text else text for text in views]
    return [*made, *views]


def _tables(connection: sqlite3.Connection) -> list[str]:
    made = []
    with closing(sqlite3.connect(":memory:")) as current:
        current.executescript(schema_script())
        for table, sql in current.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            known = set(_defaults(connection, table))
            wanted = _defaults(current, table)
            if not known:
                made.append(sql.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
            elif not known.issuperset(wanted):
                shown = {name: name if name in known else value for name, value in wanted.items()}
                if table == "trial" and "phase_rule" not in known:
                    shown |= BEFORE_SCHEMA_4
                listed = ", ".join(f"{value} AS {name}" for name, value in shown.items())
                made.append(f"CREATE TEMP VIEW {table} AS SELECT {listed} FROM main.{table}")
    return made


def _defaults(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Default of every column as SQL."""
    return {row[1]: row[4] or "NULL" for row in connection.execute(f'PRAGMA table_info("{table}")')}
