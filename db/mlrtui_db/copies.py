"""Copies of a store that is left as it is: a backup beside a running driver, and an archive for read-only media."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from mlrtui_db import _opening, sqlite_version
from mlrtui_db._life import unmark_copy
from mlrtui_db._sqlite import connect_new, translated
from mlrtui_db.errors import StoreIOError, StoreLocked, StoreUnwritable
from mlrtui_db.lock import is_held

__all__ = ["archive", "back_up", "clear_away", "draft_of", "nameless_copy", "renew_backup", "whole_or_not"]

_BESIDE = ("-wal", "-shm", "-journal", ".lock")


def back_up(store: Path | str, copy: Path) -> int:
    """Copy a store as it is at this moment, also while a driver writes to it; returns the copy's size in bytes.

    Raises:
        StoreError: the store cannot be read, or the copy not be made; no half copy is left.
    """
    sqlite_version.require()
    source, connection = _opening.open_to_read(store, as_it_is=True)
    with closing(connection), whole_or_not(copy) as draft, closing(connect_new(draft)) as target:
        with translated(source):
            connection.backup(target)
        unmark_copy(target)
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return copy.stat().st_size


def renew_backup(store: Path, copy: Path) -> int:
    """Put a store as it is at this moment in place of an older copy of it; returns the copy's size in bytes.

    The copy is built beside the store and then moved as plain bytes, since it may lie on a network file system, where
    SQLite's locks and shared memory are not to be had. Until it is whole there, the older one stays.

    Raises:
        StoreError: the store cannot be read, or the copy not be made.
    """
    built = store.with_name(f".{store.name}.backup")
    built.unlink(missing_ok=True)  # of one that was killed
    try:
        back_up(store, built)
        with whole_or_not(copy, replace=True) as draft, built.open("rb") as source, draft.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
    finally:
        built.unlink(missing_ok=True)
    return copy.stat().st_size


@contextmanager
def nameless_copy(store: Path | str) -> Iterator[tuple[IO[bytes], int]]:
    """A copy of a store as `back_up` makes it, as an open file without a name, and its size in bytes.

    It is gone with this process, however that ends. It lies on the store's disk, or where temporary files lie if that
    folder cannot be written.

    Raises:
        StoreError: the store cannot be read, or the copy not be made.
    """
    sqlite_version.require()
    source, connection = _opening.open_to_read(store, as_it_is=True)
    with closing(connection), translated(source):
        folder = source.parent if os.access(source.parent, os.W_OK) else None
        try:
            descriptor, name = tempfile.mkstemp(dir=folder, prefix=".mlrtui-")
        except OSError as error:
            raise StoreUnwritable(f"{source} cannot be copied ({error.strerror}): free some space there") from None
        with os.fdopen(descriptor, "rb") as file:
            try:
                target = connect_new(Path(name))
                # opens it, and leaves nothing beside it; OFF is refused in the defensive mode of Python 3.12 and later
                target.execute("PRAGMA journal_mode = MEMORY").fetchall()
            finally:
                os.unlink(name)
            with closing(target):
                connection.backup(target)
            yield file, os.fstat(descriptor).st_size


def archive(store: Path | str, copy: Path) -> int:
    """Copy a store, packed, into one file that never needs a log beside it; returns its size in bytes.

    Raises:
        StoreLocked: a driver is at work on the store.
        StoreError: the store cannot be read, or the copy not be made; no half copy is left.
    """
    sqlite_version.require()
    if is_held(store):
        raise StoreLocked(
            f"{store} is being written: `mlrtui stop` ends its driver, `mlrtui backup` copies it as it is"
        )
    source, connection = _opening.open_to_read(store, as_it_is=True)
    with closing(connection), whole_or_not(copy) as draft:
        with translated(source):
            connection.execute("PRAGMA query_only = OFF")  # it would refuse the copy, too; mode=ro still protects us
            connection.execute("VACUUM INTO ?", (str(draft),))
        with closing(connect_new(draft)) as target:
            unmark_copy(target)
            target.execute("PRAGMA journal_mode = DELETE")
    return copy.stat().st_size


def draft_of(path: Path) -> Path:
    """Where `whole_or_not` builds a file."""
    return path.with_name(f".{path.name}.part")


def clear_away(draft: Path) -> None:
    """Remove a file that was not finished, with what SQLite and a writer's lock left beside it."""
    for suffix in ("", *_BESIDE):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


@contextmanager
def whole_or_not(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Where to build a file that appears under its name when the block ends well, and leaves nothing when it fails.

    Raises:
        StoreUnwritable: something is there already and ``replace`` is not said, or the folder cannot be written.
        StoreFull: there is no space for it.
        StoreIOError: another write error.
    """
    if not replace and (path.exists() or path.is_symlink()):
        raise StoreUnwritable(f"{path} is there already: choose another name, or remove it first")
    if not path.absolute().parent.is_dir():
        raise StoreUnwritable(f"the folder {path.absolute().parent} does not exist: make it first")
    draft = draft_of(path)
    try:
        clear_away(draft)
        draft.touch()  # with the user's umask; SQLite would never let a group write
        with translated(draft):
            yield draft
        os.replace(draft, path)
    except StoreIOError as error:
        raise type(error)(f"{path} cannot be made ({error.reason}): {error.remedy}, or name another place") from None
    except OSError as error:
        raise StoreUnwritable(f"{path} cannot be made ({error.strerror}): check the folder and its free room") from None
    finally:
        clear_away(draft)
