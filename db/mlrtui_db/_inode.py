"""The lock on the store's file itself: one writer whatever name leads to it, and a watch over whether it is moved.

An open-file-description lock (Linux, ``F_OFD_SETLK``) belongs to the open file, not to the process: SQLite's own POSIX
locks, which go when *any* descriptor of the file is closed in their process, leave it alone, and so does it leave them,
since it takes a byte that SQLite never locks (it uses some from 2^30 on). But closing our descriptor would drop the
locks that SQLite has in the same process; so it is closed when no other descriptor of the file is open, and else later.

Where the system has no such locks (macOS: `flock` and POSIX locks exclude each other there), only the lock file
excludes a second writer, and hard links are refused.
"""

import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

from mlrtui_db.errors import StoreLocked, StoreUnwritable

_BYTE = 1 << 62
_AVAILABLE = hasattr(fcntl, "F_OFD_SETLK") and Path("/proc/self/fd").is_dir()
_UNSUPPORTED = (errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)

_parked: list[int] = []
"""Unlocked descriptors that could not be closed yet."""


class StoreFile:
    """The store's file, held by its inode. `release` it after the last connection is closed."""

    def __init__(self, path: Path) -> None:
        """Lock the file at ``path``, which exists and has one name.

        Raises:
            StoreLocked: somebody else holds it, under whatever name.
            StoreUnwritable: it cannot be opened, or has other names.
        """
        _close_parked()
        self.path = path
        self._descriptor: int | None = None
        try:
            self._status = os.stat(path)
            refuse_links(path, self._status)
            if _AVAILABLE:
                self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
                self._status = os.fstat(self._descriptor)
                refuse_links(path, self._status)
                self._lock()
        except OSError as error:
            self.release()
            raise StoreUnwritable(f"{path} cannot be opened ({error.strerror}): check its permissions") from None
        except BaseException:
            self.release()
            raise

    @property
    def status(self) -> os.stat_result:
        """Device and inode."""
        return self._status

    @property
    def excludes(self) -> bool:
        """Whether the kernel keeps other writers of this file away, whatever name they use."""
        return self._descriptor is not None

    def whereabouts(self) -> Path | None:
        """Where the file lies now; None where that is not known, or nowhere."""
        if not self.displaced():
            return self.path
        if self._descriptor is None or not os.fstat(self._descriptor).st_nlink:
            return None
        return Path(os.readlink(f"/proc/self/fd/{self._descriptor}"))

    def displaced(self) -> str:
        """What became of the file, when its path no longer leads to it: "removed", "moved to ..."; else ""."""
        try:
            there = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            there = None
        except OSError:
            return ""  # not to be known now
        here = self._status if self._descriptor is None else os.fstat(self._descriptor)
        if there is not None and os.path.samestat(there, here):
            return ""
        gone = "removed" if there is None else "replaced by another file"
        if self._descriptor is None or not here.st_nlink:
            return gone
        moved = f"moved to {os.readlink(f'/proc/self/fd/{self._descriptor}')}"  # the kernel follows it
        return moved if there is None else f"{moved} and {gone}"

    def release(self) -> None:
        """Let go; a second call does nothing."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK))
        _parked.append(self._descriptor)
        self._descriptor = None
        _close_parked()

    def _lock(self) -> None:
        assert self._descriptor is not None
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
        except OSError as error:
            if error.errno in _UNSUPPORTED:  # some network file systems
                self.release()
                return
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise StoreLocked(f"{self.path} is in use by another driver") from None
            raise


def refuse_links(path: Path, status: os.stat_result) -> None:
    """Raise where a file has more names than one: its log lies beside one of them, and is not seen from the others.

    Raises:
        StoreUnwritable: says what to do.
    """
    if status.st_nlink > 1:
        raise StoreUnwritable(
            f"{path} has {status.st_nlink} names (hard links), and a log beside one of them belongs to all: "
            f"make a file of its own, `mlrtui backup --store {path} NEW.db`, or remove the other names"
        )


def _flock(kind: int) -> bytes:
    """`struct flock` of a 64-bit system: type, whence, start, length, pid."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, _BYTE, 1, 0)


def _close_parked() -> None:
    """Close descriptors whose file is open nowhere else in this process."""
    for descriptor in list(_parked):
        if not _shared(descriptor):
            _parked.remove(descriptor)
            os.close(descriptor)


def _shared(descriptor: int) -> bool:
    ours = os.fstat(descriptor)
    for name in os.listdir("/proc/self/fd"):
        if int(name) == descriptor or int(name) in _parked:
            continue
        with suppress(OSError):
            if os.path.samestat(os.fstat(int(name)), ours):
                return True
    return False
