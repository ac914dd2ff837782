"""Rows of a view in batches: a part of its columns, those where a condition holds, at flat memory.

No transaction stays open between batches. Views with rows per step are read a window at a time, each of one moment and
of one attempt of its trials; what is the same in all rows of a trial is read once a trial. Every other view is of one
moment: what is more than a window of it waits in a temporary file.
"""

import json
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import itemgetter
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from mlrtui_db._checked import Unreadable, short_repr
from mlrtui_db.errors import BadQuery, StoreError
from mlrtui_db.view_columns import BY_STEP, Column, view_columns

__all__ = ["Batch", "Selection", "check", "count", "parts", "read"]

Row = tuple[Any, ...]
Picture = Callable[[], AbstractContextManager[sqlite3.Connection]]

_WINDOW = 20_000  # rows of a transaction of a long export: some 50 ms
_ORDER = ("sweep", "depth", "width", "cell", "seed", "step", "eta", "fit", "term", "annotation_id")
_KINDS = {
    "INTEGER": frozenset({int, type(None)}),
    "REAL": frozenset({float, int, type(None)}),
    "TEXT": frozenset({str, type(None)}),
}


@dataclass(frozen=True)
class Selection:
    """What to read of a view."""

    view: str
    names: tuple[str, ...] = ()  # columns, in this order; none: all
    where: str = ""  # a condition of SQL on the view's columns; "": all rows
    sweep: str | None = None  # by name; None: all
    trial_id: int | None = None  # in a view with a column of this name; None: all

    @property
    def columns(self) -> tuple[Column, ...]:
        """The selected columns.

        Raises:
            BadQuery: there is no such view or column.
        """
        known = {column.name: column for column in view_columns(self.view)}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise BadQuery(f"view {self.view!r} has no column {unknown[0]!r}: it has {', '.join(known)}")
        return tuple(known[name] for name in dict.fromkeys(self.names)) or tuple(known.values())


class Batch(NamedTuple):
    """Some rows that follow each other, with what is the same in all rows of a trial kept once."""

    columns: tuple[Column, ...]  # of the selection
    places: tuple[int, ...]  # of each column: among the values of a run followed by those of a row
    runs: list[tuple[int, Row]]  # how many rows follow each other, and the values that they share
    rows: list[Row]  # the values in which they differ
    differing: list[Row]  # the same by columns

    @classmethod
    def of(cls, columns: tuple[Column, ...], rows: list[Row]) -> "Batch":
        """Whole rows."""
        return cls(columns, tuple(range(len(columns))), [(len(rows), ())], rows, list(zip(*rows, strict=True)))

    def whole_rows(self) -> Iterator[Row]:
        """Each row with all its columns in order."""
        at = 0
        for length, shared in self.runs:
            rows = self.rows[at : at + length]
            at += length
            if not shared and self.places == tuple(range(len(self.places))):
                yield from rows
            elif len(self.places) == 1:
                yield from ((whole[self.places[0]],) for whole in (shared + row for row in rows))
            else:
                yield from map(itemgetter(*self.places), map(shared.__add__, rows))

    def values(self) -> Iterator[tuple[Column, list[tuple[int, Any]] | None, Sequence[Any]]]:
        """Each column: runs (how often, value) where values are shared; else None, and the value of each row."""
        shared = len(self.runs[0][1]) if self.runs else 0
        for column, place in zip(self.columns, self.places, strict=True):
            if place < shared:
                yield column, [(length, values[place]) for length, values in self.runs], ()
            elif self.differing:
                yield column, None, self.differing[place - shared]
            else:
                yield column, None, ()


def check(connection: sqlite3.Connection, asked: Selection) -> None:
    """Refuse a selection that SQLite cannot read, before anything is read.

    Raises:
        BadQuery: an unknown view or column, or a condition that is none.
    """
    columns = asked.columns
    if not asked.where.strip():
        return
    try:
        connection.execute(f"EXPLAIN SELECT {_names(columns)} FROM {asked.view} WHERE {_condition(asked)}")
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        hint = "; text stands in single quotes" if "no such column" in str(error) else ""
        raise BadQuery(f"{short_repr(asked.where)}: not a condition of SQL on {asked.view} ({error}){hint}") from None


def count(connection: sqlite3.Connection, asked: Selection) -> int:
    """How many rows there are now."""
    where, values = _where(asked)
    (found,) = connection.execute(f"SELECT count(*) FROM {asked.view}{where}", values).fetchone()
    return int(found)


def read(picture: Picture, asked: Selection, path: object) -> Iterator[Batch]:
    """The rows in the order of the grid; see the module.

    Args:
        picture: gives a connection inside a transaction, which ends with the block.
        asked: what to read.
        path: of the store, for messages.

    Raises:
        StoreError: steps of a trial that were given out are no longer in the store: it was started again, or pruned.
    """
    return _by_step(picture, asked, path) if asked.view in BY_STEP else _of_one_moment(picture, asked)


def parts(picture: Picture, asked: Selection) -> Iterator[tuple[str, tuple[object, ...]]]:
    """What follows ``SELECT columns FROM`` to read the rows, with its values: all in one part, or a trial each."""
    if asked.view not in BY_STEP:
        where, values = _where(asked)
        yield f"{asked.view}{where}{_order(asked.view)}", values
        return
    for trial_id, _ in _trials(picture, asked):
        yield _of_trial(asked), (trial_id,)


# Views of one moment --------------------------------------------------------------------------------------------------


def _of_one_moment(picture: Picture, asked: Selection) -> Iterator[Batch]:
    columns = asked.columns
    where, values = _where(asked)
    with TemporaryFile() as spool:
        lengths: list[int] = []
        with picture() as connection:
            found = connection.execute(f"SELECT {_names(columns)} FROM {asked.view}{where}{_order(asked.view)}", values)
            first = _checked(Batch.of(columns, found.fetchmany(_WINDOW)), asked.view)
            while rows := found.fetchmany(_WINDOW):
                _checked(Batch.of(columns, rows), asked.view)  # a BLOB of a damaged store is no JSON
                lengths.append(spool.write(json.dumps(rows).encode()))
        yield first
        del first
        spool.seek(0)
        for length in lengths:
            yield Batch.of(columns, list(map(tuple, json.loads(spool.read(length)))))


def _order(view: str) -> str:
    names = {column.name for column in view_columns(view)}
    return f" ORDER BY {', '.join(name for name in _ORDER if name in names)}"


# Views by step --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """How the rows of a trial are read."""

    shared: tuple[Column, ...]  # once a trial
    differing: tuple[Column, ...]  # of each row
    hidden: tuple[Column, ...]  # of each row, too, but not asked for: they order the rows
    key: tuple[int, ...]  # places of what orders the rows among what is read of each
    places: tuple[int, ...]  # see `Batch`

    @classmethod
    def of(cls, asked: Selection) -> "_Layout":
        columns = asked.columns
        shared = tuple(column for column in columns if column.is_of_trial)
        differing = tuple(column for column in columns if not column.is_of_trial)
        order = [column for column in view_columns(asked.view) if column.name in BY_STEP[asked.view]]
        read = (*differing, *(column for column in order if column not in differing))
        names = [column.name for column in read]
        places = tuple((*shared, *differing).index(column) for column in columns)
        key = tuple(names.index(name) for name in BY_STEP[asked.view])
        return cls(shared, differing, read[len(differing) :], key, places)

    def batch(self, asked: Selection, runs: list[tuple[int, Row]], rows: list[Row]) -> Batch:
        """A batch of what was read, without what only orders it."""
        if self.hidden:
            rows = [row[: len(self.differing)] for row in rows]
        found = _checked(Batch.of(self.differing, rows), asked.view)
        return Batch(asked.columns, self.places, runs, rows, found.differing)


def _by_step(picture: Picture, asked: Selection, path: object) -> Iterator[Batch]:
    layout = _Layout.of(asked)
    for chunk in _chunks(_trials(picture, asked)):
        if len(chunk) == 1:
            yield from _windows(picture, asked, layout, chunk[0], path)
            continue
        runs: list[tuple[int, Row]] = []
        rows: list[Row] = []
        with picture() as connection:
            for trial_id in chunk:
                found = _steps(connection, asked, layout, trial_id)
                if found:
                    runs.append((len(found), _shared(connection, asked, layout, trial_id)))
                    rows += found
        if rows:
            yield layout.batch(asked, runs, rows)


def _windows(picture: Picture, asked: Selection, layout: _Layout, trial_id: int, path: object) -> Iterator[Batch]:
    """The rows of one trial, however many, some at a time."""
    begun: int | None = None
    steps_before = 0
    after: Row = ()
    while True:
        with picture() as connection:
            found = connection.execute("SELECT attempt, n_steps FROM trial WHERE trial_id = ?", (trial_id,)).fetchone()
            rows = _steps(connection, asked, layout, trial_id, after, _WINDOW)
            shared = _shared(connection, asked, layout, trial_id) if rows else ()
        attempt, n_steps = found or (None, 0)
        if begun is not None and (attempt != begun or n_steps < steps_before):
            raise StoreError(
                f"{path}: steps of trial {trial_id} were replaced or deleted while they were read: try again"
            )
        begun, steps_before = attempt, n_steps
        if rows:
            yield layout.batch(asked, [(len(rows), shared)], rows)
        if len(rows) < _WINDOW:
            return
        after = tuple(rows[-1][place] for place in layout.key)


def _steps(
    connection: sqlite3.Connection, asked: Selection, layout: _Layout, trial_id: int, after: Row = (), limit: int = -1
) -> list[Row]:
    """Rows of a trial after the one with this key."""
    read = (*layout.differing, *layout.hidden)
    where = _behind(BY_STEP[asked.view]) if after else ""
    found = connection.execute(
        f"SELECT {_names(read)} FROM {_of_trial(asked, where)} LIMIT ?", (trial_id, *after, limit)
    )
    return found.fetchall()


def _shared(connection: sqlite3.Connection, asked: Selection, layout: _Layout, trial_id: int) -> Row:
    """What all rows of a trial share; it has some."""
    if not layout.shared:
        return ()
    found = connection.execute(
        f"SELECT {_names(layout.shared)} FROM {asked.view} WHERE trial_id = ? LIMIT 1", (trial_id,)
    )
    return _checked(Batch.of(layout.shared, found.fetchall()), asked.view).rows[0]


def _of_trial(asked: Selection, more: str = "") -> str:
    condition = f" AND {_condition(asked)}" if asked.where.strip() else ""
    return f"{asked.view} WHERE trial_id = ?{condition}{more} ORDER BY {', '.join(BY_STEP[asked.view])}"


def _trials(picture: Picture, asked: Selection) -> list[tuple[int, int]]:
    """Number and steps of every trial that has some, in the order of the grid."""
    with picture() as connection:
        return connection.execute(
            "SELECT t.trial_id, t.n_steps"
            " FROM sweep s JOIN cell c USING (sweep_id) JOIN net n USING (cell_id) JOIN trial t USING (net_id)"
            " WHERE t.n_steps > 0 AND (s.name = ?1 OR ?1 IS NULL) AND (t.trial_id = ?2 OR ?2 IS NULL)"
            " ORDER BY s.name, c.depth, c.width, c.label, n.seed, t.eta",
            (asked.sweep, asked.trial_id),
        ).fetchall()


def _chunks(trials: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Trials, given with their number of steps, in groups of at most `_WINDOW` steps or of one trial."""
    chunk: list[int] = []
    room = _WINDOW
    for trial_id, n_steps in trials:
        if chunk and n_steps > room:
            yield chunk
            chunk, room = [], _WINDOW
        chunk.append(trial_id)
        room -= n_steps
    if chunk:
        yield chunk


# SQL and checks -------------------------------------------------------------------------------------------------------


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _behind(names: Sequence[str]) -> str:
    """A condition for the rows behind a key of these columns, which is bound; nothing is greater than a NULL."""
    first, *others = names  # the first, which is never NULL, as it is: an index finds it
    key, bound = (
        ", ".join([head, *(f"ifnull({one}, '')" for one in rest)])
        for head, rest in ((first, others), ("?", "?" * len(others)))
    )
    return f" AND ({key}) > ({bound})"


def _condition(asked: Selection) -> str:
    return f"({asked.where}\n)"  # on a line of its own: the condition may end in a comment


def _where(asked: Selection) -> tuple[str, tuple[object, ...]]:
    """The whole WHERE of a selection, and its values."""
    found: list[str] = []
    values: list[object] = []
    for column, value in (("sweep", asked.sweep), ("trial_id", asked.trial_id)):
        if value is not None:
            found.append(f"{column} = ?")
            values.append(value)
    if asked.where.strip():
        found.append(_condition(asked))
    return f" WHERE {' AND '.join(found)}" if found else "", tuple(values)


def _checked(batch: Batch, view: str) -> Batch:
    """The batch as it is, of whole rows: of the types of their columns, and finite unless computed: products overflow.

    Raises:
        Unreadable: a value is otherwise.
    """
    for column, _, values in batch.values():
        kinds = _KINDS[column.type]
        wrong = not kinds.issuperset(map(type, values))
        if not wrong and column.type == "REAL" and not column.is_computed:
            wrong = math.inf in values or -math.inf in values
        if wrong:
            odd = next(v for v in values if type(v) not in kinds or (isinstance(v, float) and not math.isfinite(v)))
            raise Unreadable(f"a row of {view}: {column.name} is {short_repr(odd)}")
    return batch
