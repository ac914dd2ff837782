"""Writing steps: the fence of each record, non-finite numbers as NULL and flags, and the trial's summary."""

import math
import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import groupby, repeat

from mlrtui_db._attempts import fence
from mlrtui_db._schema import tables_of_trials
from mlrtui_db._sqlite import Transaction, finite
from mlrtui_db.errors import StoreError
from mlrtui_db.flags import (
    FLAG_ACCURACY_NONFINITE,
    FLAG_LOSS_NAN,
    FLAG_LOSS_NEG_INF,
    FLAG_LOSS_POS_INF,
    FLAG_SHARPNESS_INF,
    FLAG_SHARPNESS_NAN,
    LOSS_STATES,
    bits,
)
from mlrtui_db.models import AppendResult
from mlrtui_db.records import MeasureRow, Segment, StepRows

_LOSS_BITS, _SHARPNESS_BITS = bits("loss"), bits("sharpness")
_VALUE_BITS = _LOSS_BITS | _SHARPNESS_BITS | bits("accuracy")

_INSERT = (
    "INSERT INTO step (trial_id, step, loss, accuracy, sharpness, sharpness_residual, products, flags, eta)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_COLUMNS = MeasureRow._fields[2:-1]  # between row and measure before, and the part behind
_INSERT_MEASURE = (
    f"INSERT INTO measure (trial_id, step, series_id, {', '.join(_COLUMNS)}) VALUES (?, ?, ?{', ?' * len(_COLUMNS)})"
)
_INSERT_SHORT = "INSERT INTO measure (trial_id, step, series_id, value, edge, residual) VALUES (?, ?, ?, ?, ?, ?)"
_UNSET = MeasureRow(0, "", 0.0, 0.0)
_BOUNDS, _COSTS = _UNSET[4:7], _UNSET[8:13]  # what a recorder alone gives; a NaN compares equal as the default itself

_Real = float | None
_Row = tuple[int, int, _Real, _Real, _Real, _Real, int | None, int, _Real]
_Series = dict[tuple[str, str], int]  # numbers of measures and their parts


@dataclass
class Summary:
    """The columns of ``trial`` that follow from its steps. Field names are the columns."""

    n_steps: int
    last_step: int | None
    last_loss: _Real
    last_accuracy: _Real
    last_sharpness: _Real
    last_sharpness_step: int | None
    min_loss: _Real
    max_loss: _Real
    max_loss_step: int | None
    max_sharpness: _Real
    bad_step: int | None
    bad_kind: str | None

    def extend(self, rows: Sequence[_Row]) -> None:
        """Take in rows that follow those seen so far."""
        losses = [row[2] for row in rows]
        self.n_steps += len(rows)
        self.last_step, self.last_loss = rows[-1][1], losses[-1]
        numbers = [loss for loss in losses if loss is not None]
        if numbers:
            low, high = min(numbers), max(numbers)
            if self.min_loss is None or low < self.min_loss:
                self.min_loss = low
            if self.max_loss is None or high > self.max_loss:
                self.max_loss, self.max_loss_step = high, rows[losses.index(high)][1]
        if len(numbers) < len(losses) and self.bad_step is None:
            bad = rows[losses.index(None)]
            self.bad_step, self.bad_kind = bad[1], _bad_kind(bad[7])
        measured = [(row[4], row[1]) for row in rows if row[4] is not None]
        if measured:
            self.last_sharpness, self.last_sharpness_step = measured[-1]
            top = max(value for value, _ in measured)
            if self.max_sharpness is None or top > self.max_sharpness:
                self.max_sharpness = top
        self.last_accuracy = next((row[3] for row in reversed(rows) if row[3] is not None), self.last_accuracy)


SUMMARY_COLUMNS = tuple(column.name for column in fields(Summary))
_SELECT = f"SELECT {', '.join(SUMMARY_COLUMNS)} FROM trial WHERE trial_id = ?"
_UPDATE = f"UPDATE trial SET {', '.join(f'{name} = ?' for name in SUMMARY_COLUMNS)}, rev = ? WHERE trial_id = ?"


def append_steps(tx: Transaction, rows: StepRows) -> AppendResult:
    """See `Store.append_steps`."""
    _check_columns(rows)
    applied = 0
    series = _series_of(tx.connection, rows)
    ordered = sorted(rows.segments, key=lambda segment: (segment.trial_id, segment.seq))
    for trial_id, group in groupby(ordered, key=lambda segment: segment.trial_id):
        applied += _append_to_trial(tx, rows, trial_id, list(group), series)
    return AppendResult(applied=applied, dropped=len(rows.segments) - applied)


def _series_of(connection: sqlite3.Connection, rows: StepRows) -> _Series:
    """The numbers of what is measured in a batch. Read each time: what a transaction adds may be rolled back."""
    present = {(one.measure, one.part) for one in rows.measures}
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


def _append_to_trial(
    tx: Transaction, rows: StepRows, trial_id: int, segments: Sequence[Segment], series: _Series
) -> int:
    gate = fence(tx.connection, trial_id)
    if gate is None:
        return 0
    fresh: list[_Row] = []
    measured: list[Segment] = []
    applied = 0
    for segment in segments:
        if gate.admits(trial_id, segment.attempt, segment.seq):
            gate = type(gate)(gate.attempt, gate.next_seq + 1)
            fresh += stored_rows(rows, segment)
            measured.append(segment)
            applied += 1
    if not applied:
        return 0
    tx.connection.execute(
        "UPDATE attempt SET next_seq = ?, heartbeat_at = ? WHERE trial_id = ? AND attempt = ?",
        (gate.next_seq, tx.now, trial_id, gate.attempt),
    )
    if fresh:
        summary = read_summary(tx.connection, trial_id)
        _check_order(trial_id, summary.last_step, fresh)
        tx.connection.executemany(_INSERT, fresh)
        for segment in measured:
            _insert_measures(tx.connection, rows, segment, series)
        summary.extend(fresh)
        values = [getattr(summary, name) for name in SUMMARY_COLUMNS]
        tx.connection.execute(_UPDATE, (*values, tx.rev, trial_id))
    return applied


def read_summary(connection: sqlite3.Connection, trial_id: int) -> Summary:
    """The summary of a trial as it is stored."""
    return Summary(*connection.execute(_SELECT, (trial_id,)).fetchone())


def stored_rows(rows: StepRows, segment: Segment) -> list[_Row]:
    """The rows of one segment as the store keeps them: Python numbers, non-finite ones as NULL and a flag."""
    cut = slice(segment.start, segment.stop)
    losses, accuracies, sharpnesses = rows.loss[cut], rows.accuracy[cut], rows.sharpness[cut]
    return [
        (
            segment.trial_id,
            int(step),
            finite(loss),
            finite(accuracy),
            finite(sharpness),
            finite(residual),
            None if products is None else int(products),
            _flags(int(flags), loss, accuracy, sharpness),
            finite(eta),
        )
        for step, loss, accuracy, sharpness, residual, products, flags, eta in zip(
            rows.step[cut],
            losses,
            accuracies,
            sharpnesses,
            rows.sharpness_residual[cut],
            rows.products[cut],
            rows.flags[cut],
            rows.eta[cut] if rows.eta else repeat(None, len(losses)),
            strict=True,
        )
    ]


def _insert_measures(connection: sqlite3.Connection, rows: StepRows, segment: Segment, series: _Series) -> None:
    """Keep what is measured at the steps of one segment: non-finite numbers as NULL.

    Most rows have value, edge and residual alone: binding no more than these takes half the time.
    """
    kept, step, trial_id = rows.measures, rows.step, segment.trial_id
    first, last = (bisect_left(kept, end, key=lambda one: one.row) for end in (segment.start, segment.stop))
    short: list[tuple[object, ...]] = []
    whole: list[tuple[object, ...]] = []
    for one in kept[first:last]:
        key = (trial_id, int(step[one[0]]), series[one[1], one[-1]])
        if one[4:7] == _BOUNDS and one[8:13] == _COSTS:
            # v - v is 0.0 for a finite number alone; NaN and infinities are NULL in this place
            value, edge, residual = one[2], one[3], one[7]
            short.append(
                (
                    *key,
                    value if value - value == 0.0 else None,
                    edge if edge - edge == 0.0 else None,
                    residual if residual - residual == 0.0 else None,
                )
            )
        else:
            whole.append((*key, *[finite(v) if isinstance(v, float) else v for v in one[2:-1]]))
    for statement, values in ((_INSERT_SHORT, short), (_INSERT_MEASURE, whole)):
        if values:
            connection.executemany(statement, values)


def _flags(flags: int, loss: _Real, accuracy: _Real, sharpness: _Real) -> int:
    """Given flags with the bits that the values imply: a bit never contradicts the value that it is about."""
    result = flags & ~_VALUE_BITS
    if loss is None:
        result |= flags & _LOSS_BITS or FLAG_LOSS_NAN
    elif not math.isfinite(loss):
        result |= FLAG_LOSS_NAN if loss != loss else FLAG_LOSS_POS_INF if loss > 0 else FLAG_LOSS_NEG_INF
    if sharpness is None:
        result |= flags & _SHARPNESS_BITS
    elif not math.isfinite(sharpness):
        result |= FLAG_SHARPNESS_NAN if sharpness != sharpness else FLAG_SHARPNESS_INF
    if accuracy is None:
        result |= flags & FLAG_ACCURACY_NONFINITE
    elif not math.isfinite(accuracy):
        result |= FLAG_ACCURACY_NONFINITE
    return result


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


def _check_order(trial_id: int, last_step: int | None, rows: Sequence[_Row]) -> None:
    before = -1 if last_step is None else last_step
    for row in rows:
        if row[1] <= before:
            raise StoreError(f"trial {trial_id}: step {row[1]} came after step {before}")
        before = row[1]


_KEPT = ("n_steps", "bad_step", "bad_kind")  # what went wrong, and where, is part of the outcome
_CLEARED = ", ".join(f"{name} = NULL" for name in SUMMARY_COLUMNS if name not in _KEPT)
_ENDED = (
    "SELECT trial_id FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id)"
    " WHERE sweep_id = ? AND trial.status IN ('done', 'failed')"
)


def prune_steps(tx: Transaction, sweep_id: int) -> int:
    """See `Store.prune_steps`."""
    deleted = 0
    for table in tables_of_trials(tx.connection):
        if table not in ("attempt", "event"):
            gone = tx.connection.execute(f"DELETE FROM {table} WHERE trial_id IN ({_ENDED})", (sweep_id,)).rowcount
            deleted += gone if table == "step" else 0
    tx.connection.execute(
        f"UPDATE trial SET n_steps = 0, rev = ?, {_CLEARED} WHERE n_steps > 0 AND trial_id IN ({_ENDED})",
        (tx.rev, sweep_id),
    )
    return deleted
