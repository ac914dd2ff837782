"""Why a write failed: SQLite reports a quota, a limit on the size of files and a dying disk with one code.

Only what will pass by itself, a full disk, may be waited for; so the cause is looked for beside the store, whose own
file is not opened.
"""

import errno
import os
import resource
import tempfile
from contextlib import suppress
from pathlib import Path

from mlrtui_db.errors import StoreFull, StoreIOError, StoreLimited

_PROBE_BYTES = 1 << 16  # more than SQLite writes at once: a page of the largest size


def full(path: Path) -> StoreFull:
    """The error of a full disk."""
    reason, remedy = "the disk is full", "free some space"
    return StoreFull(f"{path} cannot grow, {reason}: {remedy}", reason, remedy)


def io_error(path: Path, error: Exception) -> StoreIOError:
    """The error behind SQLite's SQLITE_IOERR, which it gives for a quota and for some writes on a full disk, too."""
    limit = _reached_limit(path)
    if limit is not None:
        reason, remedy = f"it has reached the limit on the size of files, {limit} bytes", "raise it (`ulimit -f`)"
        return StoreLimited(f"{path} cannot grow, {reason}: {remedy}, then resume", reason, remedy)
    if _is_full(path.parent):
        return full(path)
    remedy = "check the disk"
    return StoreIOError(f"{path} cannot be read or written ({error}): {remedy}, then resume", str(error), remedy)


def _reached_limit(path: Path) -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == resource.RLIM_INFINITY:
        return None
    sizes = [0]
    for suffix in ("", "-wal", "-journal", "-shm"):
        with suppress(OSError):
            sizes.append(path.with_name(path.name + suffix).stat().st_size)
    return limit if max(sizes) + _PROBE_BYTES > limit else None


def _is_full(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
            written = probe.write(bytes(_PROBE_BYTES))
            os.fsync(probe.fileno())
            return written < _PROBE_BYTES
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
