"""Putting values into a store that its tables would refuse."""

import sqlite3
from contextlib import closing
from pathlib import Path

from mlrtui_db._schema import table_names

DEEP = "[" * 900 + "]" * 900
VALUES: tuple[object, ...] = (
    *(None, 0, -1, 2**62, -(2**63), 0.0, -1.5, 1e300, float("inf"), -float("inf"), 5e-324),
    *("", "notjson", "{}", "[]", "[1]", '{"a": NaN}', DEEP, "\x1b]0;owned\x07\nmlrtui: fine", "x" * 200_000),
    *(b"\xff\xfe", b""),
)
HUGE = "x" * 40_000_000  # in one row
NOT_UTF8 = "CAST(x'fffe41' AS TEXT)"


def columns(store: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(store)) as connection:
        return [
            (table, column)
            for table in table_names()
            for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        ]


def put(store: Path, table: str, column: str, value: object) -> bool:
    """Store a value in all rows of a column as a file may hold it, whatever the table demands; whether it can be.

    Types are those of a table that is not strict: that word is taken from the schema meanwhile.
    """
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        loose = sql.replace(") STRICT, WITHOUT ROWID", ") WITHOUT ROWID").replace(") STRICT", ")")
        _rewrite(connection, table, loose)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        written = f"UPDATE OR IGNORE {table} SET {column} = "
        try:
            if value == NOT_UTF8:
                connection.execute(written + NOT_UTF8)
            else:
                first = f" WHERE rowid = (SELECT min(rowid) FROM {table})" if value == HUGE else ""
                connection.execute(f"{written} ?{first}", (value,))
        except sqlite3.IntegrityError:
            return False
        finally:
            _rewrite(connection, table, sql)
    return True


def _rewrite(connection: sqlite3.Connection, table: str, sql: str) -> None:
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, table))
    connection.execute("PRAGMA writable_schema = OFF")
