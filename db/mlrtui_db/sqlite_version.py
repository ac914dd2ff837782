"""The SQLite that this Python is linked to, and the oldest that a store needs."""

import sqlite3

from mlrtui_db.errors import StoreError

__all__ = ["NEEDED", "found", "require", "sufficient"]

NEEDED = "3.37"
"""The first SQLite with STRICT tables; older ones call a store malformed."""


def found() -> str:
    """Version of the SQLite in use."""
    return sqlite3.sqlite_version


def sufficient() -> bool:
    """Whether it can use a store."""
    return sqlite3.sqlite_version_info >= tuple(map(int, NEEDED.split(".")))


def require() -> None:
    """Raise `StoreError` when it cannot."""
    if not sufficient():
        raise StoreError(
            f"this Python brings SQLite {found()}, but a store needs {NEEDED} or later: use a newer Python"
        )
