"""Transactions that outlast a full disk, and a watch over the size of the log."""

import time
from collections.abc import Callable
from typing import TypeVar

from mlrtui_db.errors import StoreBusy, StoreFull
from mlrtui_db.store import Store

__all__ = ["WAL_WARNING_BYTES", "Committer"]

WAL_WARNING_BYTES = 64 << 20
_LONGEST_PAUSE = 10.0  # s
_NAP = 0.1  # s; a stop is noticed this soon

T = TypeVar("T")


class Committer:
    """Commits to one store. While the disk is full, training waits, and readers are told beside the store."""

    def __init__(self, store: Store, should_stop: Callable[[], bool], say: Callable[[str], None]) -> None:
        self._store = store
        self._should_stop = should_stop
        self._say = say
        self._large = False

    def commit(self, write: Callable[[], T]) -> T:
        """Run ``write`` in a transaction; where the disk is full or the store busy, wait and do it again.

        Raises:
            StoreFull, StoreBusy: a stop was asked for meanwhile; nothing was written.
            StoreIOError: of another kind: a failing disk, or a limit on the size of files; waiting does not mend it.
            StoreError: other trouble that waiting does not mend.
        """
        pause, waited = 0.5, False
        while True:
            try:
                with self._store.transaction():
                    result = write()
            except (StoreFull, StoreBusy) as error:
                if not waited:
                    self._say(f"{error}; training waits and tries again")
                waited = True
                self._store.note(_note(error))
                self._rest(pause, error)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if waited:
                    self._say("the store takes records again; training goes on")
                    self._store.note("")
                return result

    def log_is_large(self) -> bool:
        """Whether the write-ahead log has passed its bound since the last call."""
        before, self._large = self._large, self._store.wal_bytes() > WAL_WARNING_BYTES
        return self._large and not before

    def _rest(self, seconds: float, error: Exception) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._should_stop():
                raise error
            self._store.watch()
            time.sleep(_NAP)


def _note(error: Exception) -> str:
    what = "the disk is full" if isinstance(error, StoreFull) else "another program keeps the store locked"
    return f"training waits: {what}"
