"""Files that lie beside a store (lock, log), opened without trusting what is there.

A store may come from an archive that brought such files along, or lie in a folder that others can write. So no link is
followed, nothing but a regular file of ours with one name is written to, and opening never waits for another process.
"""

import os
import stat
from pathlib import Path

from mlrtui_db.errors import StoreUnwritable

__all__ = ["NotOurs", "open_beside"]

_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY


class NotOurs(StoreUnwritable):
    """What lies there is no plain file of this user."""


def open_beside(path: Path, flags: int, *, anybodys: bool = False) -> int:
    """A descriptor of the file at ``path``; ``flags`` as for `os.open`, with ``O_CREAT`` to make it.

    Args:
        path: the file; its folder is trusted, its last part is not.
        flags: as for `os.open`.
        anybodys: also a file of another user, or one with several names: for reading only.

    Raises:
        FileNotFoundError: there is none, and ``flags`` do not ask for one.
        NotOurs: a link, folder, pipe or device, another user's file, or one that has other names too.
        StoreUnwritable: it cannot be opened.
    """
    try:
        _refuse(path, os.lstat(path), anybodys)  # before opening: opening a device can have effects
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        descriptor = os.open(path, flags | _SAFE, 0o666)
    except FileNotFoundError:
        if flags & os.O_CREAT:
            raise StoreUnwritable(f"{path} cannot be made: its folder is gone") from None
        raise
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        _refuse(path, os.fstat(descriptor), anybodys)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse(path: Path, status: os.stat_result, anybodys: bool) -> None:
    kind = _kind(status.st_mode)
    if kind != "a file":
        raise NotOurs(f"{path} is {kind}, not a file that mlrtui made: remove it")
    if anybodys:
        return
    if status.st_uid != os.geteuid():
        raise NotOurs(
            f"{path} belongs to another user (uid {status.st_uid}): if no driver of theirs is at work, remove it"
        )
    if status.st_nlink > 1:  # writing would change whatever else bears that name
        raise NotOurs(f"{path} has {status.st_nlink} names (hard links): remove it")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _unwritable(path: Path, error: OSError) -> StoreUnwritable:
    return StoreUnwritable(f"{path} cannot be written ({error.strerror}); move the store or free it")
