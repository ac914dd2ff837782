"""Which writers a store has had, so that a copy knows whether the store is still the one that it was copied from.

Row ``epochs`` of table ``meta``: a random word for each of the last writers, with the newest ``rev`` that it found. A
store that was replaced does not know the word of the writer that a copy was made under; one that was restored from an
older copy and written again has a next writer that found a smaller ``rev`` than the copy has.
"""

import json
import sqlite3
from collections.abc import Sequence

__all__ = ["Epoch", "add_epoch", "diverged", "read_epochs"]

Epoch = tuple[str, int]

_KEY = "epochs"
_MOST = 100
_LARGEST = 2**53


def add_epoch(connection: sqlite3.Connection, token: str, rev: int) -> None:
    """Note a writer that found ``rev`` as the newest, inside its first transaction that changes anything."""
    known = [*read_epochs(connection), (token, rev)][-_MOST:]
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (_KEY, json.dumps(known)),
    )


def read_epochs(connection: sqlite3.Connection) -> list[Epoch]:
    """The last writers, the newest last; none in a store that only earlier versions wrote, or whose row is not ours."""
    row = connection.execute(
        "SELECT value FROM meta WHERE key = ? AND typeof(value) = 'text' AND length(value) <= 16384", (_KEY,)
    ).fetchone()
    try:
        found = json.loads(row[0]) if row else []
        epochs = [(token, rev) for token, rev in found]
    except (ValueError, TypeError, RecursionError):
        return []
    known = all(type(token) is str and type(rev) is int and 0 <= rev <= _LARGEST for token, rev in epochs)
    return epochs if known else []


def diverged(epochs: Sequence[Epoch], rev: int, copied_under: str, copied_rev: int) -> str:
    """Why a store does not continue what was copied of it; "" when it does.

    Args:
        epochs: of the store now.
        rev: its newest.
        copied_under: the word of the last writer when it was copied; "" when there was none.
        copied_rev: the newest rev then.
    """
    tokens = [token for token, _ in epochs]
    if not copied_under:
        return "only an earlier mlrtui had written it, or none at all"
    if copied_under not in tokens:
        return "it is another store than the one that was copied" if epochs else "an earlier mlrtui wrote it"
    after = tokens.index(copied_under) + 1
    reached = rev if after == len(epochs) else epochs[after][1]
    return "it was restored from an older copy" if reached < copied_rev else ""
