"""Opening files of data, which may come from anybody: regular files only, and none that takes more than a limit.

Sizes are compared with the limit before anything is read, as the headers state them.
"""

import io
import math
import os
import stat
from pathlib import Path

from mlrtui.data.sources import LIMIT_NAME, DataTrouble
from mlrtui.errors import BadInput

__all__ = ["LIMIT_GB", "byte_limit", "open_regular", "refuse_too_large"]

LIMIT_GB = 2.0  # CIFAR-10 as float64 takes 1.2 GB


def open_regular(path: str | Path) -> io.FileIO:
    """Open a file to read, unbuffered, if it is a regular one: a pipe would block, a device might never end.

    Raises:
        DataTrouble: it is something else.
        OSError: it cannot be opened.
    """
    _refuse_irregular(os.stat(path))
    # the file may have been replaced since: a pipe opened so does not block, and is then refused
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _refuse_irregular(os.fstat(descriptor))
        return io.FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def byte_limit() -> int:
    """How many bytes data may take. Raises BadInput for a limit in the environment that is none."""
    text = os.environ.get(LIMIT_NAME, "")
    try:
        gigabytes = float(text) if text.strip() else LIMIT_GB
    except ValueError:
        gigabytes = math.nan
    if not 0 < gigabytes < math.inf:
        raise BadInput(f"{LIMIT_NAME} = {text!r}: must be a positive number of gigabytes; write e.g. {LIMIT_NAME}=8")
    return int(gigabytes * 1e9)


def refuse_too_large(what: str, size: int, remedy: str = "", share: float = 1.0) -> None:
    """Raise DataTrouble where ``size`` bytes are more than a share of the limit; the message names the limit."""
    limit = share * byte_limit()
    if size > limit:
        needed = size / share / 1e9
        shown = math.ceil(needed) if needed < 1e6 else "..."
        raise DataTrouble(
            f"{what} would take {_size(size)}, more than the limit of {_size(limit)}; {remedy}set the environment "
            f"variable {LIMIT_NAME}={shown} if you trust it"
        )


def _size(size: float) -> str:
    return f"{size / 1e9:.3g} GB"


def _refuse_irregular(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    kind = kinds.get(stat.S_IFMT(status.st_mode), "no regular file")
    raise DataTrouble(f"cannot be read: it is {kind}; give the path of a regular file")
