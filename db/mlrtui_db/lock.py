"""The writer's lock: an operating-system lock on ``<store>.lock``, and one on the store's file: so it has one writer.

Both belong to open files, not to their content: they are free at once when their holder dies. The content of the lock
file (JSON) only names the holder. The holder removes it before it lets go; whoever locks a removed file notices and
starts over. When somebody else removes it, the holder makes it anew (`Lock.watch`), and until then the lock on the
store's own file keeps others away.
"""

import fcntl
import os
import secrets
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from mlrtui_db import processes
from mlrtui_db._inode import StoreFile
from mlrtui_db._record import LONGEST, LockHolder, read, written
from mlrtui_db.beside import NotOurs, open_beside
from mlrtui_db.errors import StoreLocked, StoreMoved, StoreUnwritable

__all__ = ["Lock", "LockHolder", "acquire", "holder", "is_held", "left_behind", "lock_path", "look", "refuse_if_held"]

_PATIENCE = 0.5  # s; a look by `holder` lasts microseconds, so only a real holder outlasts this
_PAUSE = 0.01  # s


class Lock:
    """A held writer's lock; `release` it, or leave its ``with`` block. It dies with the process.

    ``previous`` is what the lock file said before: of a holder that died.
    """

    def __init__(self, path: Path, descriptor: int, me: LockHolder, previous: LockHolder | None = None) -> None:
        self.path = path
        self.me = me
        self.previous = previous
        self._descriptor: int | None = descriptor
        self._file: StoreFile | None = None

    def hold(self, store: Path) -> None:
        """Lock the store's file too, now that it exists.

        Raises:
            StoreLocked: somebody holds it whose lock file is gone, or who uses another name of the file.
            StoreUnwritable: it has several names.
        """
        try:
            self._file = StoreFile(store)
        except StoreLocked:
            raise StoreLocked(refusal(store, by_inode(store))) from None

    def whereabouts(self) -> Path | None:
        """Where the held store's file lies now; None where that is not known, or nowhere."""
        return None if self._file is None else self._file.whereabouts()

    def note(self, text: str) -> None:
        """Tell readers what the holder waits for; "" when it goes on. Needs no space on the disk; never fails."""
        self._tell(replace(self.me, note=text[:LONGEST]))

    def ends(self, at: float | None) -> None:
        """Tell readers when the holder stops by itself, s (Unix time); None: when all is done. Never fails."""
        self._tell(replace(self.me, until=at))

    def died(self, reason: str) -> None:
        """Leave word of what the holder dies, for when the store cannot take it. Never fails."""
        self._tell(replace(self.me, died=reason[:LONGEST]))

    def check(self) -> None:
        """Look whether the store and the lock file are where they were, before each commit: some microseconds.

        Raises:
            StoreMoved: the store's path no longer leads to its file.
            StoreLocked: another process took the place of a removed lock file, where only that file excludes it.
        """
        if self._descriptor is None:
            return
        if self._file is not None and (displaced := self._file.displaced()):
            raise StoreMoved(_moved(self._file.path, displaced))
        if not _is_current(self.path, self._descriptor):
            self._remake()

    def watch(self) -> None:
        """`check`, mend what the lock file says, and mark it with the time: about once a second.

        Raises:
            StoreMoved, StoreLocked: as `check`.
        """
        self.check()
        if self._descriptor is None:
            return
        if read(self._descriptor) != self.me:
            self._write()
        with suppress(OSError):
            os.utime(self._descriptor)

    def release(self, *, keep: bool = False) -> None:
        """Remove the lock file, unless it is to be kept as a trace, and let go; a second call does nothing."""
        if self._descriptor is None:
            return
        if not keep and _is_current(self.path, self._descriptor):
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None
        if self._file is not None:
            self._file.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _tell(self, told: LockHolder) -> None:
        if self._descriptor is not None and told != self.me:
            self.me = told
            self._write()

    def _write(self) -> None:
        assert self._descriptor is not None
        with suppress(OSError):
            written(self._descriptor, self.me)

    def _remake(self) -> None:
        """A lock file in place of the one that was removed or replaced."""
        try:
            descriptor = open_beside(self.path, os.O_RDWR | os.O_CREAT)
        except (StoreUnwritable, OSError):
            return  # a full disk, or something that is not ours in its place: tried again
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            if self._file is None or not self._file.excludes:
                raise StoreLocked(
                    f"{self.path} was removed or replaced, and another process has taken the store: training here ends"
                ) from None
            return  # it is about to find the store itself locked, and to leave
        if not _is_current(self.path, descriptor):
            os.close(descriptor)
            return
        assert self._descriptor is not None
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._write()


def lock_path(store: Path | str) -> Path:
    """Where the lock of a store lies: beside the file itself, whatever links lead to it."""
    target = Path(store).resolve()
    return target.with_name(target.name + ".lock")


def acquire(store: Path | str) -> Lock:
    """Take the writer's lock file of a store, which need not exist yet; `Lock.hold` then locks the store.

    Raises:
        StoreLocked: somebody holds it; the message says who and what to do.
        StoreUnwritable: the lock file cannot be made, or what lies in its place is not ours.
    """
    path = lock_path(store)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            descriptor = open_beside(path, os.O_RDWR | os.O_CREAT)
        except NotOurs:
            refuse_if_held(store)  # another user's driver
            raise
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = read(descriptor)
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise StoreLocked(refusal(Path(store), who)) from None
            time.sleep(_PAUSE)
            continue
        except OSError as error:
            os.close(descriptor)
            raise StoreUnwritable(f"{path} cannot be locked ({error.strerror}); use a local disk") from None
        if _is_current(path, descriptor):
            previous, me = read(descriptor), _me()
            try:
                written(descriptor, me)
            except OSError as error:
                os.close(descriptor)
                raise StoreUnwritable(f"{path} cannot be written ({error.strerror}): free some space") from None
            return Lock(path, descriptor, me, previous)
        os.close(descriptor)


def is_held(store: Path | str) -> bool:
    """Whether somebody holds the writer's lock of a store. Never keeps the lock from a writer."""
    return look(store)[0]


def look(store: Path | str) -> tuple[bool, LockHolder | None]:
    """Whether the writer's lock of a store is held, and by whom where its file says so at this moment."""
    held, who, _ = _look(lock_path(store))
    return held, who if held else None


def left_behind(store: Path | str) -> tuple[LockHolder | None, float]:
    """The record in a lock file that nobody holds, and when its holder last showed life (Unix time); None: no such."""
    held, who, at = _look(lock_path(store))
    return (None if held else who), at


def holder(store: Path | str) -> LockHolder | None:
    """Who holds the writer's lock of a store; None: nobody. Never keeps the lock from a writer.

    Raises:
        StoreLocked: the lock is held, but its file does not say by whom.
    """
    path = lock_path(store)
    deadline = time.monotonic() + _PATIENCE
    while True:
        held, who, _ = _look(path)
        if not held or who is not None:
            return who if held else None
        if time.monotonic() > deadline:
            raise StoreLocked(f"{path} is held by a process that does not say its number: look for it and end it")
        time.sleep(_PAUSE)  # locked a moment ago, name not yet written


def by_inode(store: Path | str) -> LockHolder | None:
    """The process of this user that holds the store's own file, by whatever name; None: none that can be seen."""
    try:
        status = os.stat(store)
    except OSError:
        return None
    pid = next(processes.holders(status), None)
    if pid is None:
        return None
    return LockHolder(pid, socket.gethostname(), time.time(), processes.command_line(pid), processes.namespace(pid))


def refuse_if_held(store: Path | str) -> None:
    """Raise `StoreLocked` when somebody holds the writer's lock."""
    held, who = look(store)
    if held:
        raise StoreLocked(refusal(Path(store), who))


def refusal(store: Path, who: LockHolder | None) -> str:
    """Why a store cannot be written now."""
    remedy = "`mlrtui watch` shows it, `mlrtui stop` ends it"
    if who is not None and processes.RECORDER in who.command:
        remedy = "`mlrtui watch` shows it; it ends with its script"
    elif who is not None and not who.is_here():
        remedy = "`mlrtui watch` shows it, `mlrtui stop` ends it there"
    if who is None:
        return f"{store} is in use by another driver: {remedy}"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(who.started_at))
    return f"{store} is in use by {who.place()} since {since}: {remedy}"


def _me() -> LockHolder:
    pid = os.getpid()
    return LockHolder(
        pid=pid,
        host=socket.gethostname(),
        started_at=time.time(),
        command=processes.command_line(pid),
        namespace=processes.namespace(),
        process_start=processes.started(pid),
        token=secrets.token_hex(8),
        python=sys.executable or "",
    )


def _look(path: Path) -> tuple[bool, LockHolder | None, float]:
    """Whether the lock is held, what its file says, and when it was last written."""
    try:
        descriptor = open_beside(path, os.O_RDONLY, anybodys=True)
    except (OSError, StoreUnwritable):
        return False, None, 0.0
    try:
        at = os.fstat(descriptor).st_mtime
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True, read(descriptor), at
        except OSError:
            return False, None, at
        return False, read(descriptor), at
    finally:
        os.close(descriptor)


def _is_current(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _moved(path: Path, what: str) -> str:
    whole = "nothing can be stored any more"
    if "moved to " in what:
        whole = "all that was committed is in the moved file, which `mlrtui resume --store` takes up"
    return f"{path} was {what} while its driver was at work; training stopped; {whole}"
