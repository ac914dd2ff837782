"""A read-only view of a store, beside its writer or long after. Never holds a transaction longer than one call.

A transaction that stays open would keep the writer's log from being brought in, and the log would grow without bound.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from mlrtui_db import _ended, _life, _live, _opening, _shape, rows, sqlite_version
from mlrtui_db._cells import KnownCells
from mlrtui_db._checked import Unreadable, json_list, json_object, plain_rows
from mlrtui_db._curves import read_curve, read_measure_curve, read_measures
from mlrtui_db._older import complete, is_of_another_version
from mlrtui_db._schema import view_names
from mlrtui_db._sqlite import translated
from mlrtui_db.lock import look
from mlrtui_db.models import (
    CellState,
    Curve,
    EndedTrial,
    EventRow,
    FitRow,
    LiveSnapshot,
    LogRow,
    MachineRow,
    MeasureCurve,
    Pairs,
    Replica,
    SweepRow,
    TrialDetails,
    TrialRow,
    WriterEnd,
)
from mlrtui_db.work import WorkRow, read_work

__all__ = ["Reader"]

Row = tuple[Any, ...]


class Reader:
    """An open read-only store. Use `open`; close it, or leave its ``with`` block. One thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self.stood_in = is_of_another_version(connection)
        self._cells = KnownCells()

    @classmethod
    def open(cls, path: Path | str) -> "Reader":
        """Open the store at ``path`` for reading; its writer is not disturbed.

        What a store of an earlier version lacks is stood in for; the file stays as it is.

        Read-only media are read too, unless a log that holds commits lies beside the store. In a writable folder SQLite
        may leave ``-shm`` and ``-wal`` files behind.

        Raises:
            StoreError: one of its kinds.
        """
        sqlite_version.require()
        return cls(*_opening.open_to_read(path))

    def close(self) -> None:
        """Give the connection back; a second call does nothing."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def data_version(self) -> int:
        """A number that moves when another connection has committed; sometimes also when nothing was written."""
        with translated(self.path):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if self.stood_in and not is_of_another_version(self._connection):  # somebody has brought it up to date
                complete(self._connection)
                self.stood_in = False
                self._cells.forget()
        return int(version)

    def sweeps(self) -> tuple[SweepRow, ...]:
        """All sweeps, newest first."""
        with self._picture() as connection:
            return _live.read_sweeps(connection)

    def fits(self, sweep_id: int) -> tuple[FitRow, ...]:
        """The fitted terms of a sweep."""
        with self._picture() as connection:
            return _live.read_fits(connection, sweep_id)

    def has_driver(self) -> bool:
        """Whether somebody holds the writer's lock of this store."""
        return look(self.path)[0]

    def last_end(self) -> WriterEnd | None:
        """How the last writer ended, when nobody writes now and it did not end properly; else None."""
        with self._picture() as connection:
            return None if look(self.path)[0] else _life.end_seen(connection, self.path)

    def replica_of(self) -> Replica | None:
        """The store that this one is a copy of, which `mlrtui pull` keeps up to date; None: it is one of its own."""
        with self._picture() as connection:
            return _life.read_replica(connection)

    def work(self) -> WorkRow | None:
        """What the driver that is at work says of itself, or of a copy what its source's said; None: nobody is."""
        with self._picture() as connection:
            found = read_work(connection)
            if found is None or look(self.path)[0] or _life.read_replica(connection) is not None:
                return found
            return None

    def refuse_if_replica(self) -> None:
        """Raise where nobody but `mlrtui pull` may write.

        Raises:
            StoreReplica: says of what it is a copy, and what to do.
        """
        with self._picture() as connection:
            _life.refuse_replica(connection, self.path)

    def refuse_if_incomplete(self) -> None:
        """Raise where commits may be missing, since the store was moved without its log.

        Raises:
            StoreIncomplete: says where the log is, or what to do without it.
        """
        with self._picture() as connection:
            _life.refuse_if_incomplete(self.path, connection)

    def live(self, sweep_id: int | None = None, cell_id: int | None = None, events: int = 200) -> LiveSnapshot | None:
        """Everything that the Live screen shows, at one moment.

        Args:
            sweep_id: the newest sweep when None.
            cell_id: whose nets and trials; the cell that changed last when None or not of this sweep.
            events: how many of the newest events.

        Returns:
            None when there is no such sweep.
        """
        with self._picture() as connection:
            if sweep_id is None:
                sweep_id = connection.execute("SELECT max(sweep_id) FROM sweep").fetchone()[0]
            if sweep_id is None:
                return None
            cells = self._cells.read(connection, sweep_id)
            sweep = next(iter(_live.read_sweeps(connection, sweep_id, cells)), None)
            if sweep is None:
                return None
            held, holder = look(self.path)
            end = None if held else _life.end_seen(connection, self.path)
            replica = _life.read_replica(connection)
            newest_trial, newest_cell = _live.read_newest(connection, sweep.sweep_id)
            if cell_id not in {cell.cell_id for cell in cells}:
                cell_id = newest_cell if newest_cell is not None else cells[0].cell_id if cells else None
            return LiveSnapshot(
                sweep=sweep,
                cells=cells,
                cell_id=cell_id,
                nets=() if cell_id is None else _live.read_nets(connection, cell_id),
                trials=() if cell_id is None else _live.read_trials(connection, cell_id),
                newest_trial_id=newest_trial,
                events=_live.read_events(connection, sweep.sweep_id, events),
                fits=_live.read_fits(connection, sweep.sweep_id),
                writer_alive=held,
                writer_note="" if holder is None else holder.note,
                writer_until=None if holder is None else holder.until,
                writer_end="" if end is None else end.sentence(),
                copied_at=None if replica is None else replica.at,
            )

    def curve(self, trial_id: int, after_step: int = -1, limit: int = -1, residuals: bool = True) -> Curve:
        """The stored steps of a trial after a step, the first `limit` of them or all; attempt 0 and no steps when
        there is no such trial. Without ``residuals``, `Curve.sharpness_residual` is empty, which is read faster.

        When ``attempt`` is not the one of the steps that the caller has, those are gone and all must be read anew.
        """
        with self._picture() as connection:
            return read_curve(connection, trial_id, after_step, limit, residuals)

    def measures(self, trial_id: int) -> tuple[str, ...]:
        """Names of the measures that a trial has values of, sorted; of a recorded run "learning rate" at the end."""
        with self._picture() as connection:
            return read_measures(connection, trial_id)

    def measure_curve(self, trial_id: int, measure: str, after_step: int = -1) -> MeasureCurve:
        """The values of a measure of a trial after a step; none where there are none.

        When ``attempt`` is not the one of the values that the caller has, those are gone and all must be read anew.
        """
        with self._picture() as connection:
            return read_measure_curve(connection, trial_id, measure, after_step)

    def trial(self, trial_id: int) -> TrialRow | None:
        """One trial, or None."""
        with self._picture() as connection:
            return _live.read_trial(connection, trial_id)

    def trial_details(self, trial_id: int) -> TrialDetails | None:
        """Everything stored about a trial but its steps, or None."""
        with self._picture() as connection:
            return read_details(connection, trial_id)

    def tail_events(self, after_event_id: int = 0, limit: int = 200) -> tuple[EventRow, ...]:
        """Events of all sweeps after a number, oldest first."""
        with self._picture() as connection:
            return _live.read_events_after(connection, after_event_id, limit)

    def log(self, after_event_id: int = 0, limit: int = 20_000) -> tuple[LogRow, ...]:
        """The newest events of all sweeps after a number, oldest first, each with the cell of its trial."""
        with self._picture() as connection:
            return _live.read_log(connection, after_event_id, limit)

    def seconds(self, sweep_id: int) -> dict[int, float]:
        """Seconds of workers that the trainings of each cell of a sweep took so far, by its number."""
        with self._picture() as connection:
            return _live.read_seconds(connection, sweep_id)

    def sizes(self, sweep_id: int) -> dict[str, int]:
        """Trained parameters of each cell of a sweep, by its label."""
        with self._picture() as connection:
            return _live.read_sizes(connection, sweep_id)

    def machines(self, sweep_id: int) -> tuple[MachineRow, ...]:
        """Where the trainings of a sweep ran, the machine with the most of them first."""
        with self._picture() as connection:
            return _live.read_machines(connection, sweep_id)

    def cell_states(self, sweep_id: int) -> tuple[CellState, ...]:
        """The cells of a sweep by position, with their settings and seeds."""
        with self._picture() as connection:
            return _live.read_cell_states(connection, sweep_id)

    def ended(self, sweep_id: int, threshold: float) -> tuple[EndedTrial, ...]:
        """The trainings of a sweep that have ended, as evidence at a threshold that it may not have."""
        with self._picture() as connection:
            return _ended.read_ended(connection, sweep_id, threshold)

    def foreign_objects(self) -> tuple[str, ...]:
        """Tables, views and indexes that other tools have put into the store, such as "table 'notes'"; left alone."""
        with self._picture() as connection:
            return _shape.foreign_objects(connection)

    def views(self) -> tuple[str, ...]:
        """Names of the views for people."""
        return view_names()

    def query(self, view: str, where_sweep: str | None = None) -> tuple[tuple[str, ...], Iterator[Row]]:
        """Columns and rows of a view, of one sweep (by name) or of all, in the order of the grid.

        Raises:
            StoreError: see `batches`.
        """
        asked = rows.Selection(view, sweep=where_sweep)
        names = tuple(column.name for column in asked.columns)
        return names, (row for batch in self.batches(asked) for row in batch.whole_rows())

    def batches(self, asked: rows.Selection) -> Iterator[rows.Batch]:
        """Rows of a view in the order of the grid, some thousands at a time and at flat memory.

        Steps come in windows, each of one moment and of one attempt of its trials. Every other view is of one moment.

        Raises:
            BadQuery: there is no such view or column, or the condition cannot be read.
            StoreError: the store cannot be read; or, while steps are taken, those of a trial that were given out are no
                longer in the store: it was started again, or pruned.
        """
        self.check(asked)
        return self._read(asked)

    def check(self, asked: rows.Selection) -> None:
        """Refuse a selection that cannot be read, before anything is.

        Raises:
            BadQuery: there is no such view or column, or the condition cannot be read.
        """
        with self._picture() as connection:
            rows.check(connection, asked)

    def count(self, asked: rows.Selection) -> int:
        """How many rows a selection has now.

        Raises:
            BadQuery: as of `batches`.
        """
        with self._picture() as connection:
            rows.check(connection, asked)
            return rows.count(connection, asked)

    def parts(self, asked: rows.Selection) -> Iterator[tuple[str, tuple[object, ...]]]:
        """What follows ``SELECT columns FROM`` for the rows of `batches`, with its values; by step a trial each."""
        return rows.parts(self._picture, asked)

    def _read(self, asked: rows.Selection) -> Iterator[rows.Batch]:
        found = rows.read(self._picture, asked, self.path)
        while True:
            with translated(self.path):  # a batch is looked through after its transaction, too
                batch = next(found, None)
            if batch is None:
                return
            yield batch

    @contextmanager
    def _picture(self) -> Iterator[sqlite3.Connection]:
        with translated(self.path):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")


# Table, and how its one row is found from the trial.
_ROWS = (
    (
        "sweep",
        "SELECT s.* FROM trial t JOIN net USING (net_id) JOIN cell USING (cell_id) JOIN sweep s USING (sweep_id)",
    ),
    ("cell", "SELECT c.* FROM trial t JOIN net USING (net_id) JOIN cell c USING (cell_id)"),
    ("net", "SELECT n.* FROM trial t JOIN net n USING (net_id)"),
    ("trial", "SELECT t.* FROM trial t"),
    ("attempt", "SELECT a.* FROM trial t JOIN attempt a USING (trial_id, attempt)"),
)


def read_details(connection: sqlite3.Connection, trial_id: int) -> TrialDetails | None:
    """The rows that belong to a trial, or None when there is no such trial."""
    found = {table: _row(connection, f"{query} WHERE t.trial_id = ?", trial_id) for table, query in _ROWS}
    if not found["trial"]:
        return None
    settings = dict(found["cell"]).get("settings")
    for bar in json_list(dict(found["attempt"]).get("bars", "[]"), f"trial {trial_id}: bars of its attempt"):
        if not isinstance(bar, list) or [type(value) in (int, float) for value in bar] != [True, True]:
            raise Unreadable(f"trial {trial_id}: bars of its attempt are not pairs of numbers")
    columns = {name for name, _ in found["cell"]}
    more = json_object(settings, f"trial {trial_id}: the settings of its cell")
    extra = tuple((name, _plain(value)) for name, value in more.items() if name not in columns)
    cell = tuple(pair for pair in found["cell"] if pair[0] != "settings") + extra
    return TrialDetails(trial_id, found["sweep"], cell, found["net"], found["trial"], found["attempt"])


def _row(connection: sqlite3.Connection, query: str, trial_id: int) -> Pairs:
    cursor = connection.execute(query, (trial_id,))
    row = next(plain_rows(cursor, "what belongs to a trial"), None)
    return (
        () if row is None else tuple((column[0], value) for column, value in zip(cursor.description, row, strict=True))
    )


def _plain(value: object) -> str | float | int | None:
    return value if isinstance(value, str | float | int) or value is None else json.dumps(value)
