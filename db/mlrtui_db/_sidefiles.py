"""SQLite's own files beside a store, as they may come from a stranger: an archive can hold them, too.

SQLite follows links, and does what a journal of an interrupted write says: it puts pages back, and deletes the file
that the journal names as its superior. So they are looked at before SQLite does.
"""

import os
import stat
from pathlib import Path

from mlrtui_db.errors import StoreAltered, StoreUnwritable

__all__ = ["refuse_beside"]

_SUFFIXES = ("-wal", "-shm", "-journal")
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")  # the end of a journal that names a superior


def refuse_beside(store: Path, *, writing: bool) -> None:
    """Raise where what lies beside a store is not what SQLite leaves there. Changes nothing.

    Raises:
        StoreAltered: a link, pipe or device, a file with other names, or a journal that names another file.
        StoreUnwritable: a write was interrupted, and only a writer may undo it.
    """
    for suffix in _SUFFIXES:
        file = Path(f"{store}{suffix}")
        try:
            status = os.lstat(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreUnwritable(f"{file} cannot be looked at ({error.strerror}): check the folder") from None
        if not stat.S_ISREG(status.st_mode):
            raise StoreAltered(f"{file} is not a plain file, so {store.name} is not opened: remove it")
        if writing and status.st_nlink > 1:
            raise StoreAltered(f"{file} has another name elsewhere, so {store.name} is not opened: remove the link")
        if suffix == "-journal" and _is_hot(file, status.st_size):
            _refuse_journal(store, file, status.st_size, writing)


def _is_hot(journal: Path, size: int) -> bool:
    return size > 0 and _read(journal, 0) != bytes(1)


def _refuse_journal(store: Path, journal: Path, size: int, writing: bool) -> None:
    if size >= len(_NAMES_ANOTHER) and _read(journal, size - len(_NAMES_ANOTHER), 8) == _NAMES_ANOTHER:
        raise StoreAltered(
            f"{journal} is a journal that names another file, which SQLite would delete, and mlrtui writes none such: "
            "restore a copy"
        )
    if not writing:
        raise StoreUnwritable(
            f"{store} was left in the middle of a write, and {journal.name} undoes it: `mlrtui resume --store {store}` "
            "does, if you trust where both are from"
        )


def _read(file: Path, at: int, count: int = 1) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, count, at)
    finally:
        os.close(descriptor)
