"""What lies at a path, found out without changing anything there."""

import os
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path

from mlrtui_db import filesystem
from mlrtui_db._checked import Unreadable
from mlrtui_db._inode import refuse_links
from mlrtui_db._life import refuse_replica
from mlrtui_db._older import complete
from mlrtui_db._schema import APPLICATION_ID, SCHEMA_VERSION, view_names
from mlrtui_db._shape import check_schema
from mlrtui_db._sidefiles import refuse_beside
from mlrtui_db._sqlite import connect_reader, error_name, short, translated, wal_bytes
from mlrtui_db.axes import AXIS, TEXTS
from mlrtui_db.errors import StoreDamaged, StoreForeign, StoreMissing, StoreNewer, StoreOlder, StoreUnwritable
from mlrtui_db.lock import is_held

_SMALLEST_PAGE = 512
_LONGEST_NAMES = 65_536
_RESTORE = "restore a copy, or start a new store with --store"


@dataclass(frozen=True)
class Found:
    """A path that may be used: an existing store, or none yet (``version`` None: no file, or an empty one)."""

    path: Path  # without links
    version: int | None


def inspect(path: Path | str, *, writing: bool) -> Found:
    """Say what lies at ``path`` or raise the fitting `StoreError`; nothing is made, changed or left behind.

    ``writing``: absent and empty files are acceptable, a read-only one is not.
    """
    try:
        target = Path(path).resolve()
        try:
            status = os.stat(target)
        except FileNotFoundError:
            return _absent(target, writing)
        _check_kind(target, status)
        if writing:
            refuse_links(target, status)
            _refuse_mounted(target)
        _check_access(target, writing)
        refuse_beside(target, writing=writing)
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StoreUnwritable(f"{path} cannot be reached ({reason}): choose another --store") from None
    if status.st_size == 0:
        if not writing:
            raise StoreMissing(f"{target} is empty, no sweep was started in it: `mlrtui run` fills it")
        _check_leftovers(target)
        return Found(target, None)
    version = _read_header(target, status.st_size)
    if writing and version > SCHEMA_VERSION:
        raise _newer(target, version)
    return Found(target, version)


def verify(path: Path, *, writing: bool) -> None:
    """Look through a store's schema (not its rows); the file must be ours. Touches nothing where no log lies beside it.

    Raises:
        StoreAltered: the schema is not mlrtui's.
        StoreDamaged: truncated, corrupt, or tables are missing.
        StoreNewer: a later version, when writing; else one whose views are not those that we know.
        StoreReplica: when writing, a copy that is brought up to date from elsewhere.
    """
    alone = wal_bytes(path) == 0
    with translated(path):
        connection = _probed(path, immutable=alone)
        try:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (page_size,) = connection.execute("PRAGMA page_size").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if writing:
                refuse_replica(connection, path)
        finally:
            connection.close()
    if writing and version > SCHEMA_VERSION:
        raise _newer(path, version)
    if alone and path.stat().st_size < pages * page_size:
        raise StoreDamaged(f"{path} is truncated: {_RESTORE}")


def open_to_read(path: Path | str, *, as_it_is: bool = False) -> tuple[Path, sqlite3.Connection]:
    """A read-only connection to the store at ``path``, and the path without links.

    What an older store lacks is stood in for, unless the store is wanted ``as_it_is``.

    Raises:
        StoreError: one of its kinds.
    """
    target = inspect(path, writing=False).path
    # Beside a live writer the file may just be growing; SQLite's own locks, which the connection takes, know.
    if wal_bytes(target) == 0 and not is_held(target):
        verify(target, writing=False)
    connect = _probed if as_it_is else _completed
    try:
        return target, connect(target, immutable=False)
    except StoreUnwritable:
        if wal_bytes(target) == 0:
            return target, connect(target, immutable=True)
        raise StoreUnwritable(
            f"{target} has a log that cannot be read on read-only media: copy it together with its -wal to a "
            "writable folder"
        ) from None


def refuse_older(path: Path, connection: sqlite3.Connection) -> None:
    """Raise where the store lacks what this version keeps.

    Raises:
        StoreOlder: says what to do.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version >= SCHEMA_VERSION:
        return
    remedy = (
        f"`mlrtui resume --store {path}` brings it up to date and keeps a copy; from read-only media, copy it first"
    )
    if is_held(path):
        remedy = "a driver is at work on it, try again in a moment"
    raise StoreOlder(
        f"{path} was written by an earlier mlrtui (schema {version}, this one writes {SCHEMA_VERSION}): {remedy}"
    )


def refuse_newer(path: Path, connection: sqlite3.Connection) -> None:
    """Raise where a store, though it may be read, holds what this version does not know.

    Raises:
        StoreNewer: says what to do.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise _newer(path, version)


def _probed(path: Path, *, immutable: bool) -> sqlite3.Connection:
    """A read-only connection on which a first read has succeeded, to a store whose tables and views are all there."""
    with translated(path):
        connection = connect_reader(path, immutable=immutable)
        try:
            check_schema(path, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _completed(path: Path, *, immutable: bool) -> sqlite3.Connection:
    """The same, and what an older store lacks stood in for."""
    connection = _probed(path, immutable=immutable)
    try:
        with translated(path):
            complete(connection)
            _check_lengths(connection)
            _check_views(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_lengths(connection: sqlite3.Connection) -> None:
    """Views repeat the names of sweeps and cells in every row, so that a long one would take memory many times."""
    stored = [name for name in TEXTS if AXIS[name].is_stored]
    length = " + ".join(f"length({column})" for column in ("label", "settings", *stored))
    for table, key, of in (("sweep", "sweep_id", "length(name)"), ("cell", "cell_id", length)):
        found = connection.execute(f"SELECT {key} FROM {table} WHERE {of} > ? LIMIT 1", (_LONGEST_NAMES,)).fetchone()
        if found is not None:
            raise Unreadable(f"{table} {found[0]}: its names have more than {_LONGEST_NAMES} characters")


def _check_views(path: Path, connection: sqlite3.Connection) -> None:
    """Whether this version's views, which are read in place of a newer version's, fit its tables."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version <= SCHEMA_VERSION:
        return
    for view in view_names():
        try:
            connection.execute(f"SELECT * FROM {view} LIMIT 0")
        except sqlite3.OperationalError as error:
            if error_name(error) == "SQLITE_ERROR":  # no such column or table
                raise _newer(path, version) from None
            raise


def _refuse_mounted(target: Path) -> None:
    # The log would lie beside this name, and beside the other name of the same file there would be another one.
    if filesystem.is_mounted_on(target):
        raise StoreUnwritable(
            f"{target} is mounted by itself (a bind mount of one file), apart from its log: mount its folder instead"
        )


def _absent(target: Path, writing: bool) -> Found:
    parent = target.parent
    if not parent.is_dir():
        problem = "is not a folder" if parent.exists() else "does not exist"
        raise StoreMissing(f"the folder {parent} {problem}: make it first, or choose another --store")
    if not writing:
        raise StoreMissing(f"there is no store at {target}: `mlrtui run` makes one, --store names another")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StoreUnwritable(f"the folder {parent} is read-only: choose another --store")
    _check_leftovers(target)
    return Found(target, None)


def _check_kind(target: Path, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise StoreForeign(f"{target} is a folder: name a file in it, such as --store {target / 'mlrtui.db'}")
    kind = "device" if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode) else "pipe or socket"
    raise StoreForeign(f"{target} is a {kind}, not a mlrtui store: choose another --store")


def _check_access(target: Path, writing: bool) -> None:
    if not os.access(target, os.R_OK):
        raise StoreUnwritable(f"{target} may not be read by you: change its permissions")
    if writing and not os.access(target, os.W_OK):
        raise StoreUnwritable(f"{target} is read-only: make it writable, copy it, or choose another --store")
    if writing and not os.access(target.parent, os.W_OK | os.X_OK):
        raise StoreUnwritable(f"the folder {target.parent} is read-only: copy the store to a folder that is not")


def _check_leftovers(target: Path) -> None:
    # SQLite would replay such a log into the new database, or delete it; both lose or damage data.
    for suffix in ("-wal", "-journal"):
        log = target.with_name(target.name + suffix)
        if log.exists() and log.stat().st_size:
            raise StoreDamaged(
                f"{target} is gone but its log {log.name} is still there: put the store back beside it, "
                "or delete the log to start anew"
            )


def _read_header(target: Path, size: int) -> int:
    foreign = f"{target} is not a mlrtui store (%s): choose another --store"
    connection = connect_reader(target, immutable=True, header_only=True)
    try:
        # A checkpoint that was cut short leaves a file shorter than its header says; that is no reason to refuse.
        connection.execute("PRAGMA writable_schema = ON")
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if error_name(error) == "SQLITE_NOTADB":
            raise StoreForeign(foreign % "not an SQLite database") from None
        if error_name(error) == "SQLITE_CORRUPT":
            raise StoreDamaged(f"{target} is damaged ({short(error)}): {_RESTORE}") from None
        raise StoreUnwritable(f"{target} cannot be read ({short(error)}): check its permissions") from None
    finally:
        connection.close()
    if size < _SMALLEST_PAGE:
        raise StoreDamaged(f"{target} is truncated: {_RESTORE}")
    if application != APPLICATION_ID:
        raise StoreForeign(foreign % "an SQLite database of another application")
    if version < 1:
        raise StoreDamaged(f"{target} says no schema version: {_RESTORE}")
    return int(version)


def _newer(target: Path, version: int) -> StoreNewer:
    return StoreNewer(
        f"{target} was written by a newer mlrtui (schema {version}, this one knows {SCHEMA_VERSION}): "
        "update mlrtui, or choose another --store"
    )
