"""The writer's lock: an operating-system lock on ``<store>.lock``, so that a store has one writer.

The lock belongs to the open file, not to its content: it is free at once when its holder dies. The content (JSON) only
names the holder. The holder removes the file before it lets go; whoever locks a removed file notices and starts over.
"""

import fcntl
import json
import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from mlrtui_db.errors import StoreLocked, StoreUnwritable

__all__ = ["Lock", "LockHolder", "acquire", "holder", "is_held", "lock_path", "look", "refuse_if_held"]

_PATIENCE = 0.5  # s; a look by `holder` lasts microseconds, so only a real holder outlasts this
_PAUSE = 0.01  # s
_ROOM = 4096  # bytes of the lock file: a note is written into room that the file has already, also on a full disk
_LONGEST = 400  # characters of a command or a note


@dataclass(frozen=True)
class LockHolder:
    """Who holds a writer's lock."""

    pid: int
    host: str
    started_at: float  # s (Unix time)
    command: str
    namespace: str = ""  # where the number is valid: containers number processes by themselves; "" where unknown
    note: str = ""  # what the holder waits for, "" while all is well

    def is_here(self) -> bool:
        """Whether ``pid`` names a process of this machine and this container."""
        return self.host == socket.gethostname() and self.namespace == _namespace()

    def place(self) -> str:
        """Which process it is, in words; a number means nothing outside its own container."""
        if self.host == socket.gethostname() and self.namespace != _namespace():
            return f"process {self.pid} of another container on {self.host}"
        return f"process {self.pid} on {self.host}"


class Lock:
    """A held writer's lock; `release` it, or leave its ``with`` block. It dies with the process."""

    def __init__(self, path: Path, descriptor: int, me: LockHolder) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._me = me

    def note(self, text: str) -> None:
        """Tell lookers what the holder waits for; "" when it goes on. Needs no room on the disk; never fails."""
        if self._descriptor is not None and text != self._me.note:
            self._me = replace(self._me, note=text[:_LONGEST])
            with suppress(OSError):
                _write_holder(self._descriptor, self._me)

    def release(self) -> None:
        """Remove the lock file and let go; a second call does nothing."""
        if self._descriptor is None:
            return
        if _is_current(self.path, self._descriptor):
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_path(store: Path | str) -> Path:
    """Where the lock of a store lies: beside the file itself, whatever links lead to it."""
    target = Path(store).resolve()
    return target.with_name(target.name + ".lock")


def acquire(store: Path | str) -> Lock:
    """Take the writer's lock of a store.

    Raises:
        StoreLocked: somebody holds it; the message says who and what to do.
        StoreUnwritable: the lock file cannot be made.
    """
    path = lock_path(store)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise StoreUnwritable(f"{path} cannot be written ({error.strerror}); move the store or free it") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = _read_holder(descriptor)
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise StoreLocked(_refusal(Path(store), who)) from None
            time.sleep(_PAUSE)
            continue
        except OSError as error:
            os.close(descriptor)
            raise StoreUnwritable(f"{path} cannot be locked ({error.strerror}); use a local disk") from None
        if _is_current(path, descriptor):
            me = LockHolder(os.getpid(), socket.gethostname(), time.time(), " ".join(sys.argv)[:_LONGEST], _namespace())
            try:
                _write_holder(descriptor, me)
            except OSError as error:
                os.close(descriptor)
                raise StoreUnwritable(f"{path} cannot be written ({error.strerror}): free some room") from None
            return Lock(path, descriptor, me)
        os.close(descriptor)


def is_held(store: Path | str) -> bool:
    """Whether somebody holds the writer's lock of a store. Never keeps the lock from a writer."""
    return look(store)[0]


def look(store: Path | str) -> tuple[bool, LockHolder | None]:
    """Whether the writer's lock of a store is held, and by whom where its file says so at this moment."""
    return _look(lock_path(store))


def holder(store: Path | str) -> LockHolder | None:
    """Who holds the writer's lock of a store; None: nobody. Never keeps the lock from a writer.

    Raises:
        StoreLocked: the lock is held, but its file does not say by whom.
    """
    path = lock_path(store)
    deadline = time.monotonic() + _PATIENCE
    while True:
        held, who = _look(path)
        if not held or who is not None:
            return who
        if time.monotonic() > deadline:
            raise StoreLocked(f"{path} is held by a process that does not say its number: look for it and end it")
        time.sleep(_PAUSE)  # locked a moment ago, name not yet written


def refuse_if_held(store: Path | str) -> None:
    """Raise `StoreLocked` when somebody holds the writer's lock."""
    held, who = _look(lock_path(store))
    if held:
        raise StoreLocked(_refusal(Path(store), who))


def _look(path: Path) -> tuple[bool, LockHolder | None]:
    """Whether the lock is held, and by whom if that is known."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False, None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True, _read_holder(descriptor)
    except OSError:
        return False, None
    finally:
        os.close(descriptor)
    return False, None


def _is_current(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _write_holder(descriptor: int, me: LockHolder) -> None:
    os.pwrite(descriptor, json.dumps(asdict(me)).encode().ljust(_ROOM - 1) + b"\n", 0)


def _read_holder(descriptor: int) -> LockHolder | None:
    try:
        said = json.loads(os.pread(descriptor, 65536, 0))
        known = LockHolder(int(said["pid"]), str(said["host"]), float(said["started_at"]), str(said["command"]))
        return replace(known, namespace=str(said.get("namespace", "")), note=str(said.get("note", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _refusal(store: Path, who: LockHolder | None) -> str:
    remedy = "`mlrtui watch` looks on, `mlrtui stop` ends it"
    if who is not None and not who.is_here():
        remedy = "`mlrtui watch` looks on, `mlrtui stop` ends it there"
    if who is None:
        return f"{store} is in use by another driver: {remedy}"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(who.started_at))
    return f"{store} is in use by {who.place()} since {since}: {remedy}"
