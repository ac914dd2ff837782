"""The mark of a writer at work, in the store, and what is known of how the last one ended.

Rows of table ``meta``. ``writer`` is there from a writer's first transaction to its proper end, in the file itself
and not only in its log: a file with the mark and without a log has lost the commits that the log holds, unless it was
brought in on the spot, which the lock file beside it proves. ``writer_died`` is how the last driver ended by an error;
``replica_of`` is in a copy that `mlrtui_db.replicas` keeps. All are text of a store, so they are read as a stranger's.
"""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from mlrtui_db._epochs import add_epoch
from mlrtui_db._meta import read_meta, write_meta
from mlrtui_db._record import LAST_TIME, LONGEST, LockHolder, decoded
from mlrtui_db._sqlite import connect_reader, translated, wal_bytes
from mlrtui_db.errors import StoreIncomplete, StoreReplica
from mlrtui_db.lock import is_held, left_behind
from mlrtui_db.models import Replica, WriterEnd
from mlrtui_db.work import forget_work

_MARK, _DEATH, _REPLICA = "writer", "writer_died", "replica_of"
MARKS = (_MARK, _DEATH, _REPLICA)
"""Rows that are about this file, not about what it holds: a copy has none of them."""


def mark(connection: sqlite3.Connection, who: LockHolder, path: Path, rev: int) -> None:
    """Say in the store that this writer is at work on it, inside its first transaction that changes anything.

    ``rev``: the newest that it found.
    """
    add_epoch(connection, who.token, rev)
    value = json.dumps(asdict(who) | {"note": "", "died": "", "path": str(path)}, ensure_ascii=False)
    write_meta(connection, _MARK, value)


def bring_in(connection: sqlite3.Connection) -> bool:
    """Bring the log with the mark into the file, without waiting; whether all of it is there. The log stays."""
    try:
        busy, pages, brought = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        return False  # what was committed is in the log; the next write meets the trouble
    return not busy and bool(pages == brought)


def unmark(connection: sqlite3.Connection) -> None:
    """This writer has ended properly."""
    # The log starts over first: so there is space in it for the end of the mark, on a full disk too.
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("DELETE FROM meta WHERE key = ?", (_MARK,))


def unmark_copy(connection: sqlite3.Connection) -> None:
    """A copy through SQLite has all commits, whatever its source was marked with, and nobody is at work on it."""
    connection.execute("DELETE FROM meta WHERE key IN (?, ?, ?)", MARKS)
    forget_work(connection)


def write_replica(connection: sqlite3.Connection, source: str, at: float) -> None:
    """Mark a store as a copy of another that is brought up to date from there: nobody else writes it."""
    write_meta(connection, _REPLICA, json.dumps({"source": source, "at": at}, ensure_ascii=False))


def read_replica(connection: sqlite3.Connection) -> Replica | None:
    """Of what a store is such a copy; None when of none."""
    text = read_meta(connection, _REPLICA)
    if text is None:
        return None
    try:
        said = json.loads(text)
        source, at = " ".join(str(said["source"]).split())[:LONGEST], float(said["at"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return Replica("another store", 0.0)
    return Replica(source, at if 0 <= at <= LAST_TIME else 0.0)


def refuse_replica(connection: sqlite3.Connection, path: Path) -> None:
    """Raise where a store is such a copy.

    Raises:
        StoreReplica: says of what, and what to do.
    """
    found = read_replica(connection)
    if found is not None:
        raise StoreReplica(
            f"{path} is a copy of {found.source}, which `mlrtui pull` keeps up to date, so it is not written here: run "
            f"where the source is, or make a store of your own with `mlrtui backup --store {path} NEW.db`"
        )


def record_death(connection: sqlite3.Connection, who: LockHolder, reason: str, now: float) -> None:
    """Keep how this writer dies, as a row and as an event."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    row = json.dumps(asdict(who) | {"note": "", "died": reason[:LONGEST], "at": now}, ensure_ascii=False)
    connection.execute("BEGIN IMMEDIATE")
    write_meta(connection, _DEATH, row)
    connection.execute(
        "INSERT INTO event (at, level, host, text) VALUES (?, 'error', ?, ?)",
        (now, who.host, f"the driver ({who.place()}) died: {reason}"),
    )
    connection.execute("COMMIT")


def forget_death(connection: sqlite3.Connection) -> None:
    """Another driver has begun."""
    connection.execute("DELETE FROM meta WHERE key = ?", (_DEATH,))


def end_of_writer(path: Path, record: LockHolder | None) -> WriterEnd | None:
    """How the last writer of a store ended; None when properly. The caller holds the lock.

    Args:
        path: of the store.
        record: what the lock file said before the caller took it.

    Raises:
        StoreIncomplete: its log is not beside it.
    """
    with translated(path), closing(connect_reader(path, immutable=wal_bytes(path) == 0)) as connection:
        end = last_end(connection, path, record, None)
        refuse_incomplete(connection, path, record)
    return end


def end_seen(connection: sqlite3.Connection, path: Path) -> WriterEnd | None:
    """How the last writer ended, for a reader of a store whose lock nobody holds; None when properly."""
    return last_end(connection, path, *left_behind(path))


def last_end(
    connection: sqlite3.Connection, path: Path, record: LockHolder | None, at: float | None
) -> WriterEnd | None:
    """How the last writer ended, for a store whose lock nobody holds; None when properly.

    Args:
        connection: to the store.
        path: of the store.
        record: what its lock file says, if there is one.
        at: when the lock file was last written.
    """
    marked, died = read_meta(connection, _MARK), read_meta(connection, _DEATH)
    left = decoded(marked) if marked is not None else None
    if record is not None and record.died and (left is None or left.token == record.token):
        return WriterEnd(record, at, record.died, recorded=False)
    if left is not None:
        seen = at if record is not None and record.token == left.token else _last_commit(connection)
        if died is None or (known := _death(died)) is None or known.who.token != left.token:
            return WriterEnd(left, seen, "", recorded=False)
    return None if died is None else _death(died)


def refuse_incomplete(connection: sqlite3.Connection, path: Path, record: LockHolder | None) -> None:
    """Raise where the log with a store's last commits was left behind when the file was moved or copied.

    Raises:
        StoreIncomplete: says where the log is, or what to do without it.
    """
    marked = read_meta(connection, _MARK)
    left = decoded(marked) if marked is not None else None
    if left is None or wal_bytes(path) or (record is not None and record.token == left.token and left.token):
        return
    log = f"{path.name}-wal"
    before = _path_before(str(marked))
    if before is not None and before != path and wal_bytes(before):
        remedy = f"it still lies at {before}-wal: move it to {path}-wal"
    else:
        remedy = (
            f"put it there; if it is lost, `mlrtui archive {path} NEW.db` takes what is here into a store to go on with"
        )
    raise StoreIncomplete(
        f"{path} was moved or copied without its log ({log}) before its driver had closed it, so the last commits may "
        f"be missing: {remedy}"
    )


def refuse_if_incomplete(path: Path, connection: sqlite3.Connection) -> None:
    """The same for a reader, which does not hold the lock.

    Raises:
        StoreIncomplete: says where the log is, or what to do without it.
    """
    if not is_held(path):
        with translated(path):
            refuse_incomplete(connection, path, left_behind(path)[0])


def _death(text: str) -> WriterEnd | None:
    who = decoded(text)
    if who is None:
        return None
    at = json.loads(text).get("at")
    known = isinstance(at, int | float) and 0 <= at <= LAST_TIME
    return WriterEnd(who, float(at) if known else None, who.died, recorded=True)


def _path_before(mark_text: str) -> Path | None:
    path = json.loads(mark_text).get("path")
    try:
        return Path(os.path.abspath(path)) if isinstance(path, str) and path and "\0" not in path else None
    except (OSError, ValueError):
        return None


def _last_commit(connection: sqlite3.Connection) -> float | None:
    """When the store last took something, as far as it says."""
    (at,) = connection.execute(
        "SELECT max(coalesce((SELECT max(heartbeat_at) FROM attempt), 0), coalesce((SELECT max(at) FROM event), 0))"
    ).fetchone()
    return float(at) if isinstance(at, int | float) and 0 < at <= LAST_TIME else None
