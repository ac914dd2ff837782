"""What can go wrong with a store.

StoreError                  every message is one sentence: what is wrong and what to do
├── StoreMissing            no file there
├── StoreLocked             another driver writes to it
├── StoreForeign            not a mlrtui store (a folder, a text file, another application's database, ...)
├── StoreNewer              written by a newer mlrtui
├── StoreOlder              written by an earlier mlrtui, to be brought up to date before it can be merged
├── StoreDamaged            truncated or corrupt
├── StoreAltered            its schema, or what lies beside it, is not mlrtui's
├── StoreUnwritable         read-only file, folder or media
├── StoreReplica            a copy that is brought up to date from elsewhere, opened for writing
├── StoreMoved              the file was removed, moved or replaced while it was open
├── StoreIncomplete         its log is not beside it
├── StoreIOError            reading or writing failed: nothing was written
│   ├── StoreFull           the disk is full: the same may be tried again
│   └── StoreLimited        the file has reached a limit on the size of files
├── StoreBusy               another program holds SQLite's own lock: nothing was written, may be tried again
├── SequenceGap             a worker's record came before an earlier one of the same attempt
├── MergeConflict           stores that are to be merged contradict each other
├── BadQuery                a view, column or condition that is asked for does not exist or cannot be read
└── SweepConflict           the store holds a sweep of this name with other settings
"""

__all__ = [
    "BadQuery",
    "MergeConflict",
    "SequenceGap",
    "StoreAltered",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreForeign",
    "StoreFull",
    "StoreIOError",
    "StoreIncomplete",
    "StoreLimited",
    "StoreLocked",
    "StoreMissing",
    "StoreMoved",
    "StoreNewer",
    "StoreOlder",
    "StoreReplica",
    "StoreUnwritable",
    "SweepConflict",
]


class StoreError(Exception):
    """The store cannot be used; ``str(error)`` is one sentence for the user."""


class StoreMissing(StoreError):
    """There is no file at this path."""


class StoreLocked(StoreError):
    """Another driver holds the writer's lock."""


class StoreForeign(StoreError):
    """The path is not a mlrtui store."""


class StoreNewer(StoreError):
    """The store was written by a newer version of mlrtui."""


class StoreOlder(StoreError):
    """The store was written by an earlier version of mlrtui and is to be brought up to date first."""


class StoreDamaged(StoreError):
    """SQLite finds the file truncated or corrupt."""


class StoreAltered(StoreError):
    """The schema holds what mlrtui did not make and what could act, or files beside the store are not SQLite's."""


class StoreUnwritable(StoreError):
    """The file, its folder or its media is read-only."""


class StoreReplica(StoreError):
    """The store is a copy of another, from which it is brought up to date."""


class StoreMoved(StoreError):
    """The path of an open store no longer leads to its file."""


class StoreIncomplete(StoreError):
    """The store was not closed by its last writer, and the log with its last commits is not beside it."""


class StoreIOError(StoreError):
    """The system could not read or write; the transaction left no trace. ``reason`` and ``remedy`` are parts of it."""

    def __init__(self, message: str, reason: str = "it could not be written", remedy: str = "check the disk") -> None:
        super().__init__(message)
        self.reason = reason
        self.remedy = remedy


class StoreFull(StoreIOError):
    """No space on the disk, or none within a quota; the transaction left no trace and may be repeated."""


class StoreLimited(StoreIOError):
    """The file has reached the limit that the system sets on the size of files (`ulimit -f`)."""


class StoreBusy(StoreError):
    """Another program holds SQLite's lock; the transaction left no trace and may be repeated."""


class SequenceGap(StoreError):
    """A record of an attempt came while an earlier one is missing."""


class MergeConflict(StoreError):
    """Stores that are to be merged contradict each other."""


class BadQuery(StoreError):
    """What is asked of the store cannot be read: an unknown view or column, or a condition that is none of SQL."""


class SweepConflict(StoreError):
    """A sweep of this name is in the store with other settings."""

    def __init__(self, message: str, stored_spec: str) -> None:
        super().__init__(message)
        self.stored_spec = stored_spec
