"""Rows of table ``meta``: texts of a store, so they are read as a stranger's."""

import sqlite3

__all__ = ["read_meta", "write_meta"]

_LONGEST = 8192  # characters; a hundred writers take 4000


def read_meta(connection: sqlite3.Connection, key: str, longest: int = _LONGEST) -> str | None:
    """The text of a row; None where there is none, or one longer than we write."""
    row = connection.execute(
        "SELECT value FROM meta WHERE key = ? AND typeof(value) = 'text' AND length(value) <= ?", (key, longest)
    ).fetchone()
    return None if row is None else str(row[0])


def write_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Put a row in place of the one that there is."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
