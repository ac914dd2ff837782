"""Writing steps: the fence of each record, and the trial's summary. A transaction's rows go in by few statements."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import chain, groupby, pairwise
from operator import itemgetter, lt
from typing import Any, NamedTuple

from mlrtui_db._attempts import Fence
from mlrtui_db._schema import step_tables
from mlrtui_db._sqlite import Transaction, insertion
from mlrtui_db._step_rows import Batch, Columns, Real, measured, numbers
from mlrtui_db.errors import StoreError
from mlrtui_db.flags import LOSS_STATES
from mlrtui_db.models import AppendResult
from mlrtui_db.records import MeasureRow, Segment, StepRows

_MANY = 50  # rows of one statement: SQLite then takes three quarters of the time

_OF_MEASURE = ("trial_id", "step", "series_id", *MeasureRow._fields[2:-1])  # between row and measure, and the part
_OF_SHORT = ("trial_id", "step", "series_id", "value", "edge", "residual")
_INSERT_MEASURE, _INSERT_SHORT = insertion("measure", _OF_MEASURE), insertion("measure", _OF_SHORT)


@dataclass
class Summary:
    """The columns of ``trial`` that follow from its steps. Field names are the columns."""

    n_steps: int
    last_step: int | None
    last_loss: Real
    last_accuracy: Real
    last_sharpness: Real
    last_sharpness_step: int | None
    min_loss: Real
    max_loss: Real
    max_loss_step: int | None
    max_sharpness: Real
    bad_step: int | None
    bad_kind: str | None

    def extend(self, columns: Columns) -> None:
        """Take in rows that follow those seen so far."""
        steps, losses = columns.step, columns.loss
        self.n_steps += len(steps)
        self.last_step, self.last_loss = steps[-1], losses[-1]
        finite = numbers(losses)
        if finite:
            low, high = min(finite), max(finite)
            if self.min_loss is None or low < self.min_loss:
                self.min_loss = low
            if self.max_loss is None or high > self.max_loss:
                self.max_loss, self.max_loss_step = high, steps[losses.index(high)]
        if len(finite) < len(losses) and self.bad_step is None:
            bad = losses.index(None)
            self.bad_step, self.bad_kind = steps[bad], _bad_kind(columns.flags[bad])
        if sharpnesses := numbers(columns.sharpness):
            self.last_sharpness, self.last_sharpness_step = sharpnesses[-1], steps[_last(columns.sharpness)]
            top = max(sharpnesses)
            if self.max_sharpness is None or top > self.max_sharpness:
                self.max_sharpness = top
        if accuracies := numbers(columns.accuracy):
            self.last_accuracy = accuracies[-1]


SUMMARY_COLUMNS = tuple(column.name for column in fields(Summary))
_SELECT = (
    f"SELECT trial_id, a.attempt, a.next_seq, {', '.join(SUMMARY_COLUMNS)}"
    " FROM trial JOIN attempt a USING (trial_id, attempt)"
    " WHERE trial_id IN (SELECT value FROM json_each(?)) AND ended_at IS NULL"
)
_UPDATE = f"UPDATE trial SET {', '.join(f'{name} = ?' for name in SUMMARY_COLUMNS)}, rev = ? WHERE trial_id = ?"


class _Part(NamedTuple):
    """A segment and the place of its batch among those of the call."""

    segment: Segment
    batch: int


def append_steps(tx: Transaction, batches: Sequence[StepRows]) -> AppendResult:
    """See `Store.append_steps`."""
    for rows in batches:
        _check_columns(rows)
    parts = [_Part(segment, place) for place, rows in enumerate(batches) for segment in rows.segments]
    parts.sort(key=lambda part: (part.segment.trial_id, part.segment.seq))
    appending = _Appending(tx, batches)
    appending.read({part.segment.trial_id for part in parts})
    for trial_id, group in groupby(parts, key=lambda part: part.segment.trial_id):
        appending.add(trial_id, list(group))
    appending.write()
    return AppendResult(applied=appending.applied, dropped=len(parts) - appending.applied)


def _series_of(connection: sqlite3.Connection, batches: Sequence[StepRows]) -> Mapping[tuple[str, str], int]:
    """The numbers of what is measured. Read each time: what a transaction adds may be rolled back."""
    present = {(one.measure, one.part) for rows in batches for one in rows.measures}
    if not present:
        return {}
    for again in (False, True):
        found = connection.execute("SELECT measure, part, series_id FROM series").fetchall()
        series = {(measure, part): series_id for measure, part, series_id in found}
        if again or present <= series.keys():
            break
        fresh = sorted(present - series.keys())
        connection.executemany("INSERT INTO series (measure, part) VALUES (?, ?)", fresh)
    return series


class _Rows(NamedTuple):
    """Steps of one trial, and which of their columns are written."""

    trial_id: int
    names: tuple[str, ...]
    columns: Columns


class _Appending:
    """What one call adds, trial by trial; written in the end, all trials together."""

    def __init__(self, tx: Transaction, batches: Sequence[StepRows]) -> None:
        self.applied = 0
        self._tx = tx
        self._given = batches
        self._batches: dict[int, Batch] = {}  # those of which something is stored
        self._series = _series_of(tx.connection, batches)
        self._stored: dict[int, list[Any]] = {}
        self._attempts: list[tuple[object, ...]] = []
        self._trials: list[tuple[object, ...]] = []
        self._steps: list[_Rows] = []
        self._short: list[tuple[object, ...]] = []  # of table measure, with value, edge and residual alone
        self._whole: list[tuple[object, ...]] = []

    def read(self, trial_ids: Iterable[int]) -> None:
        """What is stored of these trials, those with an open attempt; one statement costs less than one each."""
        found = self._tx.connection.execute(_SELECT, (json.dumps(list(map(int, trial_ids))),))
        self._stored = {trial_id: values for trial_id, *values in found}

    def add(self, trial_id: int, parts: Sequence[_Part]) -> None:
        """The segments of one trial, by their numbers."""
        row = self._stored.get(trial_id)
        if row is None:  # no attempt is open: nothing may be written
            return
        attempt, next_seq, *stored = row
        summary, first = Summary(*stored), next_seq
        for segment, place in parts:
            if not Fence(attempt, next_seq).admits(trial_id, segment.attempt, segment.seq):
                continue
            next_seq += 1
            if segment.start == segment.stop:
                continue
            batch = self._batches.get(place) or self._batches.setdefault(place, Batch(self._given[place]))
            columns = batch.cut(segment)
            _check_order(trial_id, summary.last_step, columns.step)
            summary.extend(columns)
            self._steps.append(_Rows(trial_id, batch.names, columns))
            if batch.rows.measures:
                short, whole = measured(batch.rows, segment, self._series)
                self._short += short
                self._whole += whole
        if next_seq == first:
            return
        self.applied += next_seq - first
        self._attempts.append((next_seq, self._tx.now, trial_id, attempt))
        values = _VALUES(summary.__dict__)
        if values != tuple(stored):
            self._trials.append((*values, self._tx.rev, trial_id))

    def write(self) -> None:
        """Write all of it."""
        connection = self._tx.connection
        connection.executemany(
            "UPDATE attempt SET next_seq = ?, heartbeat_at = ? WHERE trial_id = ? AND attempt = ?", self._attempts
        )
        _insert(connection, self._steps)
        connection.executemany(_INSERT_SHORT, self._short)
        connection.executemany(_INSERT_MEASURE, self._whole)
        connection.executemany(_UPDATE, self._trials)


_VALUES = itemgetter(*SUMMARY_COLUMNS)


def _insert(connection: sqlite3.Connection, steps: Iterable[_Rows]) -> None:
    """Insert steps, as many in a statement as it takes. What holds nothing but its default is not bound."""
    kinds: dict[tuple[str, ...], list[tuple[int, list[Sequence[object]]]]] = {}
    for trial_id, names, columns in steps:
        kinds.setdefault(names, []).append((trial_id, [getattr(columns, name) for name in names]))
    for names, kind in kinds.items():
        connection.executemany(_inserting(names, _MANY, of_one=True), _full(kind))
        pooled = _rest(kind, len(names))
        wide = len(pooled[0]) - len(pooled[0]) % _MANY
        cuts = (slice(at, at + _MANY) for at in range(0, wide, _MANY))
        connection.executemany(_inserting(names, _MANY), ([v for pool in pooled for v in pool[cut]] for cut in cuts))
        connection.executemany(_inserting(names, 1), zip(*(pool[wide:] for pool in pooled), strict=True))


def _full(kind: Iterable[tuple[int, Sequence[Sequence[object]]]]) -> Iterator[list[object]]:
    """What the statements of one trial bind: its number, once, then column by column."""
    for trial_id, columns in kind:
        for at in range(0, len(columns[0]) - _MANY + 1, _MANY):
            yield [trial_id, *chain.from_iterable([column[at : at + _MANY] for column in columns])]


def _rest(kind: Iterable[tuple[int, Sequence[Sequence[object]]]], columns: int) -> list[list[object]]:
    """Column by column, the number of the trial first, what such statements leave of all trials."""
    pooled: list[list[object]] = [[] for _ in range(1 + columns)]
    for trial_id, of_trial in kind:
        length = len(of_trial[0])
        if left := length % _MANY:
            pooled[0] += [trial_id] * left
            for pool, column in zip(pooled[1:], of_trial, strict=True):
                pool += column[length - left :]
    return pooled


@cache
def _inserting(names: tuple[str, ...], rows: int, *, of_one: bool = False) -> str:
    """The statement that inserts so many rows, whose numbers come column by column; ``of_one`` trial, bound once."""
    trial = ["?1" if of_one else f"?{1 + row}" for row in range(rows)]
    first = 2 if of_one else 1 + rows
    one = (
        f"({', '.join([trial[row], *(f'?{first + row + rows * at}' for at in range(len(names)))])})"
        for row in range(rows)
    )
    return f"INSERT INTO step ({', '.join(('trial_id', *names))}) VALUES {', '.join(one)}"


def _last(values: Sequence[Real]) -> int:
    """Place of the last number of a column that has one."""
    if values[-1] is not None:
        return len(values) - 1
    return next(at for at in range(len(values) - 1, -1, -1) if values[at] is not None)


def _bad_kind(flags: int) -> str:
    return next(kind for bit, kind in LOSS_STATES.items() if flags & bit)


def _check_columns(rows: StepRows) -> None:
    columns = (column.name for column in fields(StepRows) if column.name not in ("segments", "eta", "measures"))
    lengths = {name: len(getattr(rows, name)) for name in columns}
    if rows.eta:
        lengths["eta"] = len(rows.eta)
    if len(set(lengths.values())) != 1:
        raise StoreError(f"the columns of a batch of steps differ in length: {lengths}")
    length = lengths["step"]
    for segment in rows.segments:
        if not 0 <= segment.start <= segment.stop <= length:
            raise StoreError(f"{segment} lies outside its batch of {length} steps")
    places = [one.row for one in rows.measures]
    if places != sorted(places) or (places and not 0 <= places[0] <= places[-1] < length):
        raise StoreError(f"the measures of a batch of {length} steps are out of order, or of no row")


def _check_order(trial_id: int, last_step: int | None, steps: Sequence[int]) -> None:
    before = -1 if last_step is None else last_step
    if before < steps[0] and all(map(lt, steps, steps[1:])):
        return
    before, step = next(pair for pair in pairwise((before, *steps)) if pair[1] <= pair[0])
    raise StoreError(f"trial {trial_id}: step {step} came after step {before}")


_KEPT = ("n_steps", "bad_step", "bad_kind")  # what went wrong, and where, is part of the outcome
_CLEARED = ", ".join(f"{name} = NULL" for name in SUMMARY_COLUMNS if name not in _KEPT)
_ENDED = (
    "SELECT trial_id FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id)"
    " WHERE sweep_id = ? AND trial.status IN ('done', 'failed')"
)


def prune_steps(tx: Transaction, sweep_id: int) -> int:
    """See `Store.prune_steps`."""
    deleted = 0
    for table in step_tables(tx.connection):
        gone = tx.connection.execute(f"DELETE FROM {table} WHERE trial_id IN ({_ENDED})", (sweep_id,)).rowcount
        deleted += gone if table == "step" else 0
    tx.connection.execute(
        f"UPDATE trial SET n_steps = 0, rev = ?, {_CLEARED} WHERE n_steps > 0 AND trial_id IN ({_ENDED})",
        (tx.rev, sweep_id),
    )
    return deleted
