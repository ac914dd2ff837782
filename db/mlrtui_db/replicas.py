"""A copy of another store that is brought up to date now and then, and never written otherwise.

Row ``replica_of`` of table ``meta`` says so, and a writer refuses it. Readers see the copy as it was or as it is now:
what comes is applied in one transaction, and a whole store anew goes through SQLite, too, since a file that took the
place of an open one would find its log there.
"""

import hashlib
import json
import sqlite3
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrtui_db import _opening, deltas, sqlite_version
from mlrtui_db._epochs import newest_rev, read_epochs
from mlrtui_db._life import read_replica, unmark_copy, write_replica
from mlrtui_db._schema import SCHEMA_VERSION, step_tables, table_names
from mlrtui_db._sqlite import columns, connect_new, connect_reader, connect_writer, insertion, translated
from mlrtui_db.copies import clear_away, draft_of, whole_or_not
from mlrtui_db.deltas import KEYED, WHOLE
from mlrtui_db.errors import StoreDamaged, StoreError, StoreLocked, StoreUnwritable
from mlrtui_db.frames import Frame, NotOurFrame, unpacked
from mlrtui_db.invariants import damage
from mlrtui_db.lock import acquire

__all__ = ["Applied", "OutOfStep", "alone", "apply", "as_text", "pieces", "receive", "state"]


class OutOfStep(Exception):
    """What came does not fit the copy; nothing was changed, and all must be copied anew."""


@dataclass(frozen=True)
class Applied:
    """How many rows came."""

    trials: int  # new, or changed
    steps: int
    events: int


@contextmanager
def alone(copy: Path) -> Iterator[None]:
    """Keep others from bringing the same copy up to date meanwhile, and clear away what a killed one left.

    Raises:
        StoreLocked: another process is at it.
        StoreUnwritable: the folder cannot be written.
    """
    if not copy.absolute().parent.is_dir():
        raise StoreUnwritable(f"the folder {copy.absolute().parent} does not exist: make it first")
    try:
        held = acquire(copy.with_name(f".{copy.name}.pull"))
    except StoreLocked:
        raise StoreLocked(f"another process is bringing {copy} up to date: let it finish") from None
    with held:
        for leftover in (draft_of(copy), _fresh(copy), draft_of(_fresh(copy))):
            clear_away(leftover)
        yield


def state(copy: Path) -> dict[str, Any] | None:
    """What a copy has, for `deltas.answer`; None where all must be copied: it does not exist, or is of another version.

    Raises:
        StoreUnwritable: it is no copy, but a store of its own.
        StoreError: it cannot be read.
    """
    sqlite_version.require()
    if not copy.exists():
        return None
    path, connection = _opening.open_to_read(copy, as_it_is=True)
    with closing(connection), translated(path):
        connection.execute("BEGIN")
        if read_replica(connection) is None:
            raise StoreUnwritable(
                f"{copy} is a store of its own, not a copy that `mlrtui pull` made: choose another name"
            )
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            return None
        epochs = read_epochs(connection)
        growing = connection.execute(
            "SELECT trial_id, attempt, n_steps, last_step FROM trial"
            " WHERE status IN ('queued', 'running') AND n_steps > 0"
        )
        return {
            "format": deltas.FORMAT,
            "shape": deltas.shape(connection),
            "under": epochs[-1][0] if epochs else "",
            "rev": newest_rev(connection),
            "event": deltas.last_event(connection),
            "growing": {trial_id: held for trial_id, *held in growing},
            "digests": {table: deltas.table_digest(connection, table) for table in WHOLE},
        }


def apply(copy: Path, source: str, frames: Iterator[Frame]) -> Applied:
    """Bring a copy up to date with what follows the head of a "delta", in one transaction.

    Args:
        copy: the store that `state` described.
        source: where they come from, as the user names it.
        frames: up to the one that says it is the end.

    Raises:
        OutOfStep: the result would not be the source; the copy is as it was.
        EOFError: they broke off; the copy is as it was.
        StoreError: the copy cannot be written.
    """
    connection = connect_writer(copy)
    with closing(connection), translated(copy):
        # Changed rows are taken out and put in again; their other rows must not go with them.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        try:
            applied = _Application(connection).run(frames)
            write_replica(connection, source, time.time())
            connection.execute("COMMIT")
        except (NotOurFrame, sqlite3.IntegrityError, OverflowError, UnicodeEncodeError) as error:
            raise OutOfStep(str(error)) from None
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        _brought_in(connection)
    return applied


def receive(copy: Path, source: str, pieces: Iterator[bytes]) -> int:
    """Make a copy, or make it anew, out of the bytes of a store's file; returns its size in bytes.

    Args:
        copy: its path.
        source: where it comes from, as the user names it.
        pieces: of the file; what they raise is raised, and nothing is left behind.

    Raises:
        StoreError: what came is no store, or the copy cannot be written; nothing is left behind.
    """
    target = _fresh(copy) if copy.exists() else copy
    try:
        with whole_or_not(target) as draft:
            with draft.open("wb") as file:
                file.writelines(pieces)
            _check(draft, source)
            with closing(connect_new(draft)) as connection:
                unmark_copy(connection)
                write_replica(connection, source, time.time())
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if target != copy:
            _overwrite(copy, target)
    finally:
        if target != copy:
            target.unlink(missing_ok=True)
    return copy.stat().st_size


def _fresh(copy: Path) -> Path:
    return copy.with_name(f".{copy.name}.fresh")


def _check(draft: Path, source: str) -> None:
    try:
        path, connection = _opening.open_to_read(draft)
        with closing(connection), translated(path):
            broken = next(damage(connection), None)
    except StoreError as error:
        raise type(error)(str(error).replace(str(draft), source)) from None
    if broken is not None:
        raise StoreDamaged(f"{source} is damaged ({broken}): restore a copy there")


def _overwrite(copy: Path, fresh: Path) -> None:
    with (
        closing(connect_writer(copy)) as connection,
        translated(copy),
        closing(connect_reader(fresh, immutable=True)) as new,
    ):
        new.backup(connection)
        _brought_in(connection)


def _brought_in(connection: sqlite3.Connection) -> None:
    """Bring the log into the file without waiting for readers; what they keep stays for the next time."""
    connection.execute("PRAGMA busy_timeout = 500")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


class _Application:
    """Frames applied to the open transaction of a copy."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._columns = {table: columns(connection, table) for table in table_names() if table != "meta"}
        self._steps = step_tables(connection)
        self._n_steps: dict[int, int] = {}  # of each trial that changed

    def run(self, frames: Iterator[Frame]) -> Applied:
        """All of them."""
        came, check = dict.fromkeys(self._columns, 0), 0
        for frame in frames:
            head, _ = frame
            if head.get("end"):
                self._end(head, check)
                return Applied(len(self._n_steps), came["step"], came["event"])
            table = str(head.get("table"))
            if table not in self._columns:
                raise NotOurFrame(f"table {table!r}"[:80])
            came[table] += self._frame(table, frame)
            check = deltas.frame_check(frame, check)
        raise EOFError

    def _frame(self, table: str, frame: Frame) -> int:
        many = self._connection.executemany
        match frame[0].get("do"):
            case "clear" if table in WHOLE:
                self._connection.execute(f"DELETE FROM {table}")
                return 0
            case "delete" if table in (*KEYED, "attempt", *self._steps):
                key = KEYED.get(table, "trial_id")
                rows = list(unpacked(frame, [key]))
                if table == "trial":
                    self._n_steps |= {number: self._held(number) for (number,) in rows}
                elif table == "step":
                    self._n_steps |= {number: 0 for (number,) in rows}
                many(f"DELETE FROM {table} WHERE {key} = ?", rows)
                return 0
            case "insert":
                names = self._columns[table]
                rows = list(unpacked(frame, names))
                if table in self._steps:
                    self._count(table, rows)
                return many(insertion(table, names), rows).rowcount
        raise NotOurFrame(f"{frame[0]!r}"[:80])

    def _held(self, trial_id: int) -> int:
        row = self._connection.execute("SELECT n_steps FROM trial WHERE trial_id = ?", (trial_id,)).fetchone()
        return int(row[0]) if row else 0

    def _count(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for trial_id, count in Counter(row[0] for row in rows).items():
            if trial_id not in self._n_steps:
                raise NotOurFrame(f"{table}: rows of a trial that did not change")
            self._n_steps[trial_id] += count if table == "step" else 0

    def _end(self, head: dict[str, Any], check: int) -> None:
        if head.get("check") != check:
            raise OutOfStep("some of it is missing")
        for trial_id, count in self._n_steps.items():
            if self._held(trial_id) != count:
                raise OutOfStep(f"trial {trial_id} has other steps")
        if deltas.totals(self._connection) != head.get("totals"):
            raise OutOfStep("the numbers of rows differ")
        meta = head.get("meta")
        if not isinstance(meta, list) or not all(
            isinstance(row, list) and [*map(type, row)] == [str, str] for row in meta
        ):
            raise NotOurFrame("meta")
        self._connection.execute("DELETE FROM meta")
        self._connection.executemany(insertion("meta", ("key", "value")), meta)


def pieces(frames: Iterator[Frame], source: str) -> Iterator[bytes]:
    """The bytes of the file that follows the head of a "full" from ``source``.

    Raises:
        EOFError: it breaks off.
        StoreDamaged: it is not what was sent.
    """
    wrong = StoreDamaged(f"what came from {source} is not what was sent: try again")
    squeezed, digest = zlib.decompressobj(), hashlib.sha256()
    for head, body in frames:
        if head.get("end"):
            if head.get("sha256") != digest.hexdigest():
                raise wrong
            return
        try:
            piece = squeezed.decompress(body)
        except zlib.error:
            raise wrong from None
        digest.update(piece)
        yield piece
    raise EOFError


def as_text(request: dict[str, Any] | None) -> bytes:
    """A request as the line that `deltas.serve` reads."""
    return json.dumps({"since": request}).encode() + b"\n"
