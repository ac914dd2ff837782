"""What is new in a store since it was copied, for the copy: `answer` at the store, `mlrtui_db.replicas` at the copy.

A row of cells, nets and trials that changes gets the number of its transaction (``rev``), which only grows. So what a
copy lacks is: rows with a larger ``rev``, their attempts and those that are open, the steps behind the copy's last one
where the attempt is the same and all of them where it is not, newer events, and the small tables when they differ.
All is read in one read transaction and put aside before any of it is sent, since a line may be slow.
"""

import hashlib
import json
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from mlrtui_db import _opening, sqlite_version
from mlrtui_db._checked import plain_rows
from mlrtui_db._epochs import diverged, newest_rev, read_epochs
from mlrtui_db._life import MARKS
from mlrtui_db._schema import SCHEMA_VERSION, step_tables
from mlrtui_db._sqlite import columns, translated
from mlrtui_db.copies import nameless_copy
from mlrtui_db.errors import StoreError
from mlrtui_db.frames import Frame, packed, read_frames, write_frame
from mlrtui_db.lock import is_held

__all__ = [
    "FORMAT",
    "KEYED",
    "WHOLE",
    "answer",
    "frame_check",
    "last_event",
    "serve",
    "shape",
    "table_digest",
    "totals",
]

FORMAT = 1
WHOLE = ("sweep", "fit", "series", "annotation", "column_doc")
"""Small tables, sent whole when they differ."""
KEYED = {"cell": "cell_id", "net": "net_id", "trial": "trial_id"}
"""Tables with a ``rev``, and their keys."""

_BLOCK = 20_000  # rows of a frame
_PIECE = 1 << 18  # bytes of a file in a frame
_IN_MEMORY = 1 << 25  # bytes that are put aside before a temporary file is made
_LONGEST_REQUEST = 1 << 26


def serve(store: Path, requests: IO[bytes], out: IO[bytes]) -> None:
    """Answer each line of ``requests`` until there are no more.

    Raises:
        StoreError: the store cannot be read, or a line is no request.
    """
    while line := requests.readline(_LONGEST_REQUEST):
        for frame in answer(store, _request(line)):
            write_frame(out, frame)
        out.flush()


def _request(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or not isinstance(request.get("since"), dict | None):
        raise StoreError("what came on standard input is no request of `mlrtui pull`: run that, on the other machine")
    return request


def answer(store: Path | str, request: dict[str, Any]) -> Iterator[Frame]:
    """What brings a copy up to date: a head, then rows (kind "delta") or a whole file (kind "full"), then an end.

    Args:
        store: the store that was copied.
        request: "since": what `replicas.state` says of the copy; None: there is none yet.

    Raises:
        StoreError: the store cannot be read.
    """
    sqlite_version.require()
    running = is_held(store)  # before it is read, so that the last rows of a driver that ends are seen
    head: dict[str, Any] = {"mlrtui": FORMAT, "running": running}
    since, why = request.get("since"), ""
    if since is not None:
        path, connection = _opening.open_to_read(store, as_it_is=True)
        with closing(connection), translated(path), tempfile.SpooledTemporaryFile(_IN_MEMORY) as aside:
            connection.execute("BEGIN")
            why = _refused(connection, since)
            if not why:
                check = 0
                for frame in _delta(connection, since):
                    write_frame(aside, frame)
                    check = frame_check(frame, check)
                write_frame(aside, _end(connection, check))
                connection.execute("COMMIT")
                yield head | {"kind": "delta"}, b""
                aside.seek(0)
                yield from read_frames(aside)
                return
    with nameless_copy(store) as (file, size):
        yield head | {"kind": "full", "bytes": size, "why": why}, b""
        yield from _pieces(file)


def shape(connection: sqlite3.Connection) -> str:
    """A digest of a store's schema, also of what others have put into it."""
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " ORDER BY name"
    )
    return hashlib.sha256(repr(rows.fetchall()).encode(errors="replace")).hexdigest()


def frame_check(frame: Frame, before: int) -> int:
    """A check sum of frames, given that of those before: none was left out."""
    head, body = frame
    return zlib.crc32(f"{head.get('do')} {head.get('table')} {len(body)}".encode(), zlib.crc32(body, before))


def table_digest(connection: sqlite3.Connection, table: str) -> str:
    """A digest of a table's rows."""
    digest = hashlib.sha256()
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY {', '.join(_keys(connection, table))}"):
        digest.update(repr(row).encode(errors="replace"))
    return digest.hexdigest()


def last_event(connection: sqlite3.Connection) -> list[Any]:
    """Number, time and text of the newest event; [0, 0, ""] without one."""
    row = connection.execute("SELECT event_id, at, text FROM event ORDER BY event_id DESC LIMIT 1").fetchone()
    return list(row) if row else [0, 0.0, ""]


def totals(connection: sqlite3.Connection) -> list[Any]:
    """Numbers that a copy has in common with its store, or has been brought up to date wrongly."""
    found: list[Any] = []
    for query in (
        "count(*), sum(rev), sum(trial_id), sum(attempt), sum(n_steps) FROM trial",
        "count(*), sum(rev), sum(net_id) FROM net",
        "count(*), sum(rev), sum(cell_id) FROM cell",
        "count(*), sum(attempt), sum(next_seq) FROM attempt",
        "count(*), max(event_id) FROM event",
    ):
        found += connection.execute(f"SELECT {query}").fetchone()
    return found


def _keys(connection: sqlite3.Connection, table: str) -> list[str]:
    rows = connection.execute(f"PRAGMA table_info({table})").fetchall()
    return [name for _, name, *_, place in sorted(rows, key=lambda row: row[-1]) if place]


def _refused(connection: sqlite3.Connection, since: dict[str, Any]) -> str:
    """Why all must be copied; "" when what is new is enough."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION or since.get("format") != FORMAT or since.get("shape") != shape(connection):
        return "its tables are of another version"
    why = diverged(read_epochs(connection), newest_rev(connection), str(since["under"]), int(since["rev"]))
    event_id, *event = since["event"]
    found = connection.execute("SELECT at, text FROM event WHERE event_id = ?", (event_id,)).fetchone()
    if not why and event_id and list(found or ()) != event:
        return "it was restored from an older copy"
    return why


def _delta(connection: sqlite3.Connection, since: dict[str, Any]) -> Iterator[Frame]:
    for table in WHOLE:
        if table_digest(connection, table) != since["digests"].get(table):
            yield {"do": "clear", "table": table}, b""
            yield from _rows(connection, table, f"SELECT * FROM {table}")
    rev = int(since["rev"])
    for table, key in KEYED.items():
        changed = connection.execute(f"SELECT {key} FROM {table} WHERE rev > ?", (rev,)).fetchall()
        yield from _blocks({"do": "delete", "table": table}, [key], iter(changed))
        yield from _rows(connection, table, f"SELECT * FROM {table} WHERE rev > ?", rev)
    # a beat of an open attempt changes no trial
    trials = "SELECT trial_id FROM trial WHERE rev > ? UNION SELECT trial_id FROM trial WHERE status = 'running'"
    touched = connection.execute(trials, (rev,)).fetchall()
    yield from _blocks({"do": "delete", "table": "attempt"}, ["trial_id"], iter(touched))
    yield from _rows(connection, "attempt", f"SELECT * FROM attempt WHERE trial_id IN ({trials})", rev)
    yield from _rows(connection, "event", "SELECT * FROM event WHERE event_id > ?", since["event"][0])
    grown = _grown(connection, rev, {int(number): held for number, held in since["growing"].items()})
    anew = [(trial_id,) for trial_id, after in grown if after < 0]
    for table in step_tables(connection):
        yield from _blocks({"do": "delete", "table": table}, ["trial_id"], iter(anew))
        yield from _blocks(
            {"do": "insert", "table": table}, columns(connection, table), _steps(connection, table, grown)
        )


def _end(connection: sqlite3.Connection, check: int) -> Frame:
    """The last frame, with what proves that the others are all there and fit."""
    meta = [list(row) for row in connection.execute("SELECT key, value FROM meta ORDER BY key") if row[0] not in MARKS]
    return {"end": True, "check": check, "totals": totals(connection), "meta": meta}, b""


def _grown(connection: sqlite3.Connection, rev: int, growing: dict[int, Sequence[int]]) -> list[tuple[int, int]]:
    """Each trial that changed, and the step behind which the copy lacks all; -1: the copy's steps are not its own."""
    found = []
    for trial_id, attempt, n_steps in connection.execute(
        "SELECT trial_id, attempt, n_steps FROM trial WHERE rev > ? ORDER BY trial_id", (rev,)
    ):
        held_attempt, held_steps, last_step = growing.get(trial_id, (0, 0, -1))
        found.append((trial_id, last_step if attempt == held_attempt and n_steps >= held_steps else -1))
    return found


def _steps(connection: sqlite3.Connection, table: str, grown: Sequence[tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
    for trial_id, after in grown:
        yield from connection.execute(f"SELECT * FROM {table} WHERE trial_id = ? AND step > ?", (trial_id, after))


def _rows(connection: sqlite3.Connection, table: str, query: str, *values: object) -> Iterator[Frame]:
    rows = connection.execute(query, values)
    yield from _blocks({"do": "insert", "table": table}, columns(connection, table), rows)


def _blocks(head: dict[str, Any], names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> Iterator[Frame]:
    block: list[tuple[Any, ...]] = []
    for row in plain_rows(rows, f"table {head['table']}"):  # a BLOB of a damaged store is no JSON
        block.append(row)
        if len(block) == _BLOCK:
            yield packed(head, names, block)
            block = []
    if block:
        yield packed(head, names, block)


def _pieces(file: IO[bytes]) -> Iterator[Frame]:
    """A file, compressed, and at the end the digest of what it was."""
    digest, squeezed = hashlib.sha256(), zlib.compressobj(1)
    while some := file.read(_PIECE):
        digest.update(some)
        if piece := squeezed.compress(some):
            yield {}, piece
    yield {}, squeezed.flush()
    yield {"end": True, "sha256": digest.hexdigest()}, b""
