"""The files that SQLite keeps beside a store, when the store is moved away from them.

SQLite leaves them under the old name. There they would be taken for those of the next store of that name, which they
would damage; so they go, or, where the log still holds commits, follow the store.
"""

import os
from contextlib import suppress
from pathlib import Path

_SUFFIXES = ("-wal", "-shm")


class Beside:
    """The log and its index of an open store, known by their inodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ours = {suffix: status for suffix in _SUFFIXES if (status := _status(path, suffix)) is not None}

    def follow(self, place: Path | None) -> None:
        """After the connection is closed: tidy up, where the store is no longer where it was.

        Args:
            place: where it is now; None: nowhere, or unknown.
        """
        if place == self._path:
            return
        for suffix, ours in self._ours.items():
            found = _status(self._path, suffix)
            if found is None or not os.path.samestat(found, ours):
                continue
            here = Path(f"{self._path}{suffix}")
            with suppress(OSError):
                if suffix == "-wal" and found.st_size:
                    if place is None:
                        continue  # it holds commits, and who knows of what
                    os.link(here, f"{place}{suffix}")  # never over one that is there
                here.unlink()


def _status(path: Path, suffix: str) -> os.stat_result | None:
    try:
        return os.lstat(f"{path}{suffix}")
    except OSError:
        return None
