"""Connections and how SQLite's errors become ours. The store's file is only ever opened through here.

POSIX drops a process's locks on a file when *any* descriptor of that file is closed, so an ordinary ``open()`` of a
store beside a live connection would silently unlock it. SQLite itself takes care of this among its own connections.
"""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mlrtui_db._checked import Unreadable
from mlrtui_db._guard import LONGEST_ROW, GuardedConnection, guard, stopped
from mlrtui_db._space import full, io_error
from mlrtui_db.errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreForeign,
    StoreUnwritable,
)

N = TypeVar("N", int, int | None)

_BUSY_MS = 5000
_READER_BUSY_MS = 2000
_WAL_LIMIT = 64 * 1024 * 1024
_CACHE_KIB = 65536
_MOST_SAID = 200  # characters of a message of SQLite, which may quote the store
_RESTORE = "restore a copy, or start a new store with --store"


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one read-write connection: WAL, commits survive a killed process. The file must exist."""
    with translated(path):
        connection = _connect(path, "mode=rw", _BUSY_MS)
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raise StoreUnwritable(f"{path} lies on a file system without write-ahead logs; use a local disk")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("PRAGMA mmap_size = 0")
        except BaseException:
            connection.close()
            raise
        return connection


def connect_new(path: Path) -> sqlite3.Connection:
    """A read-write connection to a file that we are making, or a copy of a checked store that we have just made."""
    uri = path.absolute().as_uri()  # what is attached may then be opened to be read only
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, factory=GuardedConnection)
    guard(connection)
    return connection


def connect_reader(path: Path, *, immutable: bool = False, header_only: bool = False) -> sqlite3.Connection:
    """A connection that cannot write. ``immutable`` ignores the write-ahead log and touches nothing beside the file."""
    with translated(path):
        options = "mode=ro&immutable=1" if immutable else "mode=ro"
        connection = _connect(path, options, _READER_BUSY_MS, header_only=header_only)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA mmap_size = 0")
        except BaseException:
            connection.close()
            raise
        return connection


def wal_bytes(path: Path) -> int:
    """Size of the write-ahead log beside a store, 0 when there is none."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except OSError:
        return 0


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors inside the block into `StoreError` kinds with a sentence each."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, path) from error
    except Unreadable as error:
        raise StoreDamaged(f"{path} holds what mlrtui never writes ({short(error)}): {_RESTORE}") from None
    except UnicodeDecodeError as error:  # of a text, or of SQLite's own message about one
        raise _not_text(path) from error


def error_name(error: sqlite3.Error) -> str:
    """The primary name of SQLite's error code, "SQLITE_IOERR" for all of its kinds; "" when there is none."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(name.split("_")[:2])


def _connect(path: Path, options: str, busy_ms: int, *, header_only: bool = False) -> sqlite3.Connection:
    # One thread at a time uses a connection, but a screen may open it in one thread and read in another.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        isolation_level=None,
        timeout=busy_ms / 1000,
        check_same_thread=False,
        factory=GuardedConnection,
    )
    guard(connection, header_only=header_only)
    return connection


def _not_text(path: Path) -> StoreDamaged:
    return StoreDamaged(f"{path} is damaged (a text in it is not UTF-8): {_RESTORE}")


def _translate(error: sqlite3.Error, path: Path) -> StoreError:
    if "Could not decode to UTF-8" in str(error):  # followed by the text itself
        return _not_text(path)
    match error_name(error):
        case "SQLITE_FULL":
            return full(path)
        case "SQLITE_IOERR":
            return io_error(path, error)
        case "SQLITE_BUSY" | "SQLITE_LOCKED":
            return StoreBusy(f"another program keeps {path} locked: let it finish or close it")
        case "SQLITE_CORRUPT":
            return StoreDamaged(f"{path} is damaged ({short(error)}): {_RESTORE}")
        case "SQLITE_INTERRUPT":
            stopped()
            return StoreError(f"{path}: one query took too long and was stopped: ask for less, or prune the store")
        case "SQLITE_TOOBIG":
            return StoreDamaged(
                f"{path} holds a row of more than {LONGEST_ROW >> 20} MB, mlrtui's have less: {_RESTORE}"
            )
        case "SQLITE_NOMEM":
            return StoreError(f"{path}: there is not enough memory to read it")
        case "SQLITE_NOTADB":
            return StoreForeign(f"{path} is not a mlrtui store (not an SQLite database): choose another --store")
        case "SQLITE_READONLY" | "SQLITE_CANTOPEN" | "SQLITE_PERM" | "SQLITE_AUTH":
            return StoreUnwritable(
                f"{path} cannot be opened ({short(error)}): check its permissions and those of its folder"
            )
        case "SQLITE_CONSTRAINT":
            return StoreError(f"{path} refused a record ({short(error)})")
        case _ if "malformed database schema" in str(error):
            return StoreDamaged(f"{path} is damaged ({short(error)}): {_RESTORE}")
        case _:
            return StoreError(f"{path}: {short(error)}")


def short(error: Exception) -> str:
    """What SQLite says, in one line: its messages may quote whole statements of the schema."""
    text = " ".join(str(error).split())
    return text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]}..."


@dataclass(frozen=True)
class Transaction:
    """An open BEGIN IMMEDIATE. Rows that it touches get ``rev``; ``now`` is its time, s (Unix time)."""

    connection: sqlite3.Connection
    rev: int
    now: float


def finite(value: float | None) -> float | None:
    """The number as a Python float; None when it is None, NaN or infinite."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def whole(value: N) -> N:
    """The number as a Python int, or None."""
    return value if value is None else int(value)


def columns(connection: sqlite3.Connection, name: str) -> list[str]:
    """Column names of a table or view, in order."""
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]


def insertion(table: str, names: Sequence[str]) -> str:
    """The statement that inserts a row of these columns."""
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def dict_rows(connection: sqlite3.Connection, query: str, *values: object) -> Iterator[dict[str, Any]]:
    """The rows of a query by the names of their columns. All are read, so that what they are of may be written."""
    found = connection.execute(query, values)
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found.fetchall())


def dict_row(connection: sqlite3.Connection, query: str, number: object, *more: object) -> dict[str, Any]:
    """The one row of a query for what has a number.

    Raises:
        StoreError: there is none.
    """
    row = next(dict_rows(connection, query, number, *more), None)
    if row is None:
        raise StoreError(f"the store has no row of number {number}")
    return row
