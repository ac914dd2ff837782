"""What every connection is guarded by: a store may come from a stranger, or be damaged.

Functions with effects cannot be called from a schema, values and patterns have a longest length, pages are checked as
they are read, and a statement ends at Ctrl-C or when it has run without end.
"""

import sqlite3
import threading
from contextlib import closing
from functools import cache
from typing import Any

__all__ = ["LONGEST_ROW", "GuardedConnection", "guard", "stopped"]

LONGEST_ROW = 64 << 20
"""Bytes of one row, text or blob; a fit of a million cells has as many."""

_STEPS_PER_LOOK = 2_000_000  # of SQLite's virtual machine: some 20 ms
_MOST_LOOKS = 50_000  # some ten minutes or more in one statement; the slowest of ours, on 10^8 steps, takes less
_LIMITS = {
    "SQLITE_LIMIT_LENGTH": LONGEST_ROW,
    "SQLITE_LIMIT_SQL_LENGTH": 1 << 20,
    "SQLITE_LIMIT_LIKE_PATTERN_LENGTH": 500,
    "SQLITE_LIMIT_WORKER_THREADS": 0,
}


class _Ended(threading.local):
    """Whether the last statement of this thread that was ended had run without end; else somebody wanted to leave."""

    without_end = False


_ended = _Ended()


class _Budget:
    """Ends a statement that runs too long. Called by SQLite now and then, so that Python sees Ctrl-C meanwhile."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self) -> bool:
        self.looks += 1
        if self.looks > _MOST_LOOKS:
            _ended.without_end = True
            return True
        return False


class GuardedConnection(sqlite3.Connection):
    """A connection on which each statement has its own budget, and Ctrl-C raises `KeyboardInterrupt`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.budget = _Budget()

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """As of any connection."""
        self.budget.looks = 0
        _ended.without_end = False
        try:
            return super().execute(*args)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                stopped()
            raise


def guard(connection: sqlite3.Connection, *, header_only: bool = False) -> None:
    """Put a fresh connection under guard; reads and writes nothing. ``header_only``: no more is to be read."""
    for name, most in _LIMITS.items():
        connection.setlimit(getattr(sqlite3, name), most)
    if hasattr(connection, "setconfig"):  # Python 3.12 and later
        for name, wanted in {"DEFENSIVE": not header_only, "ENABLE_TRIGGER": False}.items():
            connection.setconfig(getattr(sqlite3, f"SQLITE_DBCONFIG_{name}"), wanted)
    if _json_is_innocuous():
        connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if isinstance(connection, GuardedConnection):
        connection.set_progress_handler(connection.budget.look, _STEPS_PER_LOOK)


@cache
def _json_is_innocuous() -> bool:
    """Whether json_valid() may be used in a schema that is not trusted; not in SQLite 3.40, and ours uses it.

    There the schema stays trusted, which lets in functions of Python and of extensions; none is loaded.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        try:
            connection.execute("CREATE TABLE probe (value TEXT CHECK (json_valid(value)))")
            connection.execute("INSERT INTO probe VALUES ('{}')")
        except sqlite3.OperationalError:
            return False
    return True


def stopped() -> None:
    """After SQLite said that a statement was interrupted: raise `KeyboardInterrupt`, unless it had run without end."""
    if _ended.without_end:
        return
    # An exception of a signal's handler that fell into `look`; sqlite3 takes it for the wish to end the statement.
    raise KeyboardInterrupt
