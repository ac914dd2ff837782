"""Notes and tags of people on sweeps: read with the sweeps, written by the store's one writer alone.

While a driver holds the store, a change is left for it as a small file in a folder beside the store. The driver takes
it at its next look, within a second, as does whoever opens the store next. Each change may be done twice with the same
end.
"""

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mlrtui_db._checked import Unreadable
from mlrtui_db._sqlite import Transaction
from mlrtui_db.beside import open_beside
from mlrtui_db.errors import StoreError, StoreUnwritable
from mlrtui_db.models import NoteRow, SweepRow

__all__ = [
    "ADD",
    "LONGEST_NOTE",
    "LONGEST_TAG",
    "REMOVE",
    "REPLACE",
    "Change",
    "annotated",
    "change",
    "is_text",
    "leave",
    "left",
    "taken",
]

ADD, REMOVE, REPLACE = "add", "remove", "replace"
LONGEST_NOTE, LONGEST_TAG = 4000, 60  # characters
_KINDS = ("note", "tag")
_MOST = 10_000  # annotations that are read, and changes that are taken at once
_LONGEST = 65_536  # bytes of a change


@dataclass(frozen=True)
class Change:
    """One change of the notes and tags of a sweep.

    A tag is added and removed by its text. A note is removed and replaced by its number and the time at which it was
    written, so that no other one is meant that has its number by then.
    """

    do: str
    sweep_id: int
    kind: str
    text: str
    at: float  # s (Unix time): of the new note or tag, or of the one that is removed or replaced
    number: int = 0


def change(tx: Transaction, asked: Change) -> None:
    """Do it; nothing where it is done already, or the sweep or note is gone."""
    execute, tag = tx.connection.execute, asked.kind == "tag"
    same = "sweep_id = ?1 AND kind = ?2 AND text = ?3" + ("" if tag else " AND at = ?4")
    values = (asked.sweep_id, asked.kind, asked.text, asked.at)
    if asked.do == ADD:
        execute(
            "INSERT INTO annotation (sweep_id, kind, text, at) SELECT ?1, ?2, ?3, ?4"
            f" WHERE EXISTS (SELECT 1 FROM sweep WHERE sweep_id = ?1) AND NOT EXISTS"
            f" (SELECT 1 FROM annotation WHERE {same})",
            values,
        )
    elif tag:
        execute("DELETE FROM annotation WHERE sweep_id = ? AND kind = 'tag' AND text = ?", (asked.sweep_id, asked.text))
    elif asked.do == REMOVE:
        execute("DELETE FROM annotation WHERE annotation_id = ? AND at = ? AND kind = 'note'", (asked.number, asked.at))
    else:
        execute(
            "UPDATE annotation SET text = ? WHERE annotation_id = ? AND at = ? AND kind = 'note'",
            (asked.text, asked.number, asked.at),
        )


def annotated(connection: sqlite3.Connection, sweeps: Sequence[SweepRow]) -> tuple[SweepRow, ...]:
    """The sweeps with their tags, sorted, and their notes, oldest first."""
    tags: dict[int, list[str]] = {}
    notes: dict[int, list[NoteRow]] = {}
    for number, sweep_id, kind, at, text in connection.execute(
        f"SELECT annotation_id, sweep_id, kind, at, substr(text, 1, {LONGEST_NOTE}) FROM annotation"
        f" ORDER BY annotation_id LIMIT {_MOST}"
    ):
        if [type(value) for value in (number, sweep_id, kind, at, text)] != [int, int, str, float, str]:
            raise Unreadable(f"annotation {str(number)[:20]}: not what mlrtui writes")
        if kind == "tag":
            tags.setdefault(sweep_id, []).append(text)
        else:
            notes.setdefault(sweep_id, []).append(NoteRow(number, at, text))
    if not tags and not notes:
        return tuple(sweeps)
    return tuple(
        replace(sweep, tags=tuple(sorted(tags.get(sweep.sweep_id, ()))), notes=tuple(notes.get(sweep.sweep_id, ())))
        for sweep in sweeps
    )


def is_text(text: str) -> bool:
    """Whether SQLite can store it: no half of a surrogate pair, which stands for a byte that is no UTF-8."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def folder_of(store: Path) -> Path:
    """Where changes lie for the writer."""
    return store.with_name(store.name + ".notes")


def leave(store: Path, changes: Sequence[Change]) -> Path:
    """Leave changes for the writer of a store; returns the file that is gone once they were taken.

    Raises:
        StoreUnwritable: the folder of the store cannot be written, or the changes are more than a writer reads at once.
    """
    text = json.dumps([asdict(one) for one in changes], ensure_ascii=False)
    if len(text.encode()) > _LONGEST:
        raise StoreUnwritable(f"{len(changes)} changes are too long for one command: give some of them in another one")
    folder, name = folder_of(store), f"{time.time_ns():020}-{secrets.token_hex(8)}"  # done in the order of their names
    try:
        for _ in range(10):  # the writer may remove the empty folder at any moment
            with suppress(FileExistsError):
                folder.mkdir()
            with suppress(FileNotFoundError):
                draft = folder / f".{name}"
                draft.write_text(text, encoding="utf-8")
                return draft.rename(folder / f"{name}.json")
    except OSError as error:
        raise StoreUnwritable(f"{folder} cannot be written ({error.strerror}): check its permissions") from None
    raise StoreUnwritable(f"{folder} cannot be made: another program removes it")


def left(store: Path) -> Iterator[tuple[Path, list[Change]]]:
    """What was left for the writer: each file, with its changes; none where it holds none that we write."""
    try:
        names = sorted(name for name in os.listdir(folder_of(store)) if name.endswith(".json"))
    except OSError:
        return
    for name in names[:_MOST]:
        file = folder_of(store) / name
        with suppress(StoreError, FileNotFoundError):
            descriptor = open_beside(file, os.O_RDONLY)
            try:
                text = os.read(descriptor, _LONGEST + 1)
            finally:
                os.close(descriptor)
            yield file, _changes(text)


def taken(store: Path, files: Sequence[Path]) -> None:
    """Remove what has been done."""
    for file in files:
        with suppress(OSError):
            file.unlink()
    with suppress(OSError):
        folder_of(store).rmdir()  # refused while it holds another


def _changes(text: bytes) -> list[Change]:
    try:
        found = [Change(**fields) for fields in json.loads(text)] if len(text) <= _LONGEST else []
    except (ValueError, TypeError, RecursionError):
        return []
    return [one for one in found if _is_ours(one)]


def _is_ours(one: Change) -> bool:
    kinds = [type(one.sweep_id), type(one.number), type(one.text), type(one.at)] == [int, int, str, float]
    known = one.do in (ADD, REMOVE, REPLACE) and one.kind in _KINDS
    numbers = kinds and all(0 <= number < 2**53 for number in (one.sweep_id, one.number, one.at))
    return kinds and known and numbers and len(one.text) <= LONGEST_NOTE and is_text(one.text)
