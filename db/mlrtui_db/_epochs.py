"""Which writers a store has had, so that a copy knows whether the store is still the one that it was copied from.

Row ``epochs`` of table ``meta``: a random word for each of the last writers, with the newest ``rev`` that it found. A
store that was replaced does not know the word of the writer that a copy was made under; one that was restored from an
older copy and written again has a next writer that found a smaller ``rev`` than the copy has.
"""

import json
import sqlite3
from collections.abc import Sequence

from mlrtui_db._checked import count
from mlrtui_db._meta import read_meta, write_meta

__all__ = ["Epoch", "add_epoch", "diverged", "newest_rev", "read_epochs"]

Epoch = tuple[str, int]

_KEY = "epochs"
_MOST = 100
_LARGEST = 2**53


def newest_rev(connection: sqlite3.Connection) -> int:
    """The largest ``rev`` of any row.

    Raises:
        Unreadable: it is no number that a store counts with.
    """
    (rev,) = connection.execute(
        "SELECT max((SELECT coalesce(max(rev), 0) FROM trial), (SELECT coalesce(max(rev), 0) FROM net),"
        " (SELECT coalesce(max(rev), 0) FROM cell))"
    ).fetchone()
    return count(rev, "the newest rev")


def add_epoch(connection: sqlite3.Connection, token: str, rev: int) -> None:
    """Note a writer that found ``rev`` as the newest, inside its first transaction that changes anything."""
    known = [*read_epochs(connection), (token, rev)][-_MOST:]
    write_meta(connection, _KEY, json.dumps(known))


def read_epochs(connection: sqlite3.Connection) -> list[Epoch]:
    """The last writers, the newest last; none in a store that only earlier versions wrote, or whose row is not ours."""
    try:
        epochs = [(token, rev) for token, rev in json.loads(read_meta(connection, _KEY) or "[]")]
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
