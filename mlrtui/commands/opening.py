"""Opening a store for a command that may change it."""

import sys
from pathlib import Path

from mlrtui.stores import make_current
from mlrtui_db.reader import Reader

__all__ = ["open_current"]


def open_current(store: Path) -> Reader:
    """A reader of a store, which is migrated first if an earlier version made it (and prints so).

    Raises:
        StoreError: the store cannot be used.
    """
    with Reader.open(store) as found:
        found.refuse_if_replica()
    copy = make_current(store)
    if copy is not None:
        print(f"mlrtui: {store} was migrated to the present version; the original is kept as {copy}", file=sys.stderr)
    reader = Reader.open(store)
    try:
        reader.refuse_if_incomplete()
    except BaseException:
        reader.close()
        raise
    return reader
