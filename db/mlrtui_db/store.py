"""The store's only writer: one process, one thread, one connection, guarded by a lock file.

Every write happens inside ``with store.transaction()``: all of it is committed, or none. After the block the records
survive a killed process.
"""

import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from mlrtui_db import _attempts, _derived, _ended, _life, _opening, _steps, _sweeps, sqlite_version
from mlrtui_db._epochs import newest_rev
from mlrtui_db._schema import SCHEMA_VERSION, create_store
from mlrtui_db._shape import check_schema
from mlrtui_db._sqlite import Transaction, connect_writer, translated, wal_bytes
from mlrtui_db._wal import Beside
from mlrtui_db.annotations import change, left, taken
from mlrtui_db.errors import StoreBusy, StoreFull, StoreIOError
from mlrtui_db.lock import Lock, acquire, refuse_if_held
from mlrtui_db.migrations import migrate
from mlrtui_db.models import AppendResult, EndedTrial, NamedSweep, SweepState, WriterEnd
from mlrtui_db.records import (
    BoundaryRecord,
    Derivation,
    FitRecord,
    NetLambdas,
    StepRows,
    SweepRecord,
    TrialOutcome,
    TrialRecord,
)
from mlrtui_db.relabelling import Relabel, StoredTrial, stored_trial
from mlrtui_db.work import WorkRow, forget_work, write_work

__all__ = ["Store", "bring_up_to_date", "check"]

_CLOSING_PATIENCE_MS = 500
_WATCH_SECONDS = 0.5


def check(path: Path | str) -> None:
    """Raise what `Store.open` would raise, without making or changing anything.

    Raises:
        StoreError: one of its kinds.
    """
    sqlite_version.require()
    found = _opening.inspect(path, writing=True)
    refuse_if_held(found.path)
    if found.version is not None:
        _opening.verify(found.path, writing=True)


def bring_up_to_date(path: Path | str, *, relabel: Relabel | None = None) -> Path | None:
    """Bring an earlier version's store to this one's schema; returns where the copy of the store as it was lies.

    ``relabel``: rules by which phases of a store of schema 1 to 3 are named anew; without them they stay.

    Raises:
        StoreError: one of its kinds; the store is as it was.
    """
    sqlite_version.require()
    version = _opening.inspect(path, writing=False).version
    if version is None or version >= SCHEMA_VERSION:
        return None
    with Store.open(path, relabel=relabel) as store:
        return store.copy_of_older


class Store:
    """An open store, with its lock. Use `open`; close it, or leave its ``with`` block.

    ``recovered`` is the number of attempts that a dead driver had left open, and ``predecessor`` says what is known of
    its death, "" when the store was closed properly; ``copy_of_older`` is where the store lies as an earlier version
    left it, None when nothing had to be brought up to date.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: Lock, host: str, clock: Callable[[], float]
    ) -> None:
        self.path = path
        self.host = host
        self.recovered, self.predecessor = 0, ""
        self.copy_of_older: Path | None = None
        self._connection = connection
        self._lock = lock
        self._clock = clock
        self._transaction: Transaction | None = None
        self._closed = False
        self._marked = self._mark_in_file = False
        self._beside: Beside | None = None
        self._watched_at = time.monotonic()
        self._rev = newest_rev(connection)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        host: str | None = None,
        clock: Callable[[], float] = time.time,
        relabel: Relabel | None = None,
        ended: bool = False,
    ) -> "Store":
        """Open the store at ``path`` for writing, or make one where there is no file or an empty one.

        Attempts that a dead driver left open become lost and their trials queued, and an event says how it ended,
        unless the caller has ``ended`` it. A store that was closed properly is not written to. An older store is
        brought up to date first; ``relabel`` is as in `bring_up_to_date`.

        Raises:
            StoreError: one of its kinds; a path that is refused is left as it was.
        """
        sqlite_version.require()
        target = _opening.inspect(path, writing=True).path
        lock = acquire(target)
        try:
            # Looked at again under the lock: another driver may just have made it.
            if _opening.inspect(target, writing=True).version is None:
                create_store(target, clock())
            lock.hold(target)
            _opening.verify(target, writing=True)
            end = _life.end_of_writer(target, lock.previous)
            connection = connect_writer(target)
            try:
                with translated(target):
                    check_schema(target, connection)  # again: a journal beside the file may have had its say
                copy = migrate(connection, target, relabel=relabel)
                with translated(target):
                    store = cls(target, connection, lock, host or socket.gethostname(), clock)
                store.copy_of_older = copy
                store._recover(None if ended else end)
                with suppress(StoreBusy, StoreFull):  # what the store is opened for goes on without them
                    store.take_changes()
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        return store

    def close(self) -> None:
        """Bring the write-ahead log into the file and let go of the lock; a second call does nothing.

        Where there is no room for that, the log stays beside the file, with every commit in it, for the next opening.
        """
        if self._closed:
            return
        self._closed = True
        try:
            with suppress(StoreIOError), translated(self.path):
                # A reader that holds on keeps the log; it is brought in later, so do not wait long.
                self._connection.execute(f"PRAGMA busy_timeout = {_CLOSING_PATIENCE_MS}")
                if self._connection.total_changes:
                    self._connection.execute("PRAGMA analysis_limit = 400")
                    self._connection.execute("PRAGMA optimize")
                if self._marked:
                    _life.unmark(self._connection)
                    self._marked = False
                if self.wal_bytes():
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.close()
            if self._beside is not None:
                self._beside.follow(self._lock.whereabouts())
            self._lock.release(keep=self._marked)  # a mark that stays needs the record that goes with it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def rev(self) -> int:
        """Number of the newest committed transaction; it only grows over the life of a store."""
        return self._rev

    def wal_bytes(self) -> int:
        """Size of the write-ahead log. It grows without bound while a reader holds a transaction open."""
        return wal_bytes(self.path)

    def note(self, text: str) -> None:
        """Say beside the store what its writer waits for; "" when it goes on. Works on a full disk, too."""
        self._lock.note(text)

    def ends(self, at: float | None) -> None:
        """Say beside the store when its writer stops by itself, s (Unix time); None: when all is done."""
        self._lock.ends(at)

    def watch(self) -> None:
        """Look about twice a second whether the store is where it was, show in the lock file that its writer lives, and
        take what was left for it (`annotations.leave`).

        Raises:
            StoreMoved: the store was removed, moved or replaced.
            StoreLocked: another process has taken it.
        """
        now = time.monotonic()
        if now - self._watched_at >= _WATCH_SECONDS:
            self._watched_at = now
            self._lock.watch()
            with suppress(StoreBusy, StoreFull):  # then at a later look
                self.take_changes()

    def take_changes(self) -> None:
        """Store the notes and tags that `annotations.leave` has left beside the store, outside a transaction.

        Raises:
            StoreError: nothing was stored; what was left stays.
        """
        found = list(left(self.path)) if self._transaction is None else []
        if not found:
            return
        with self.transaction():
            for _, changes in found:
                for one in changes:
                    change(self._tx(), one)
        taken(self.path, [file for file, _ in found])

    def record_death(self, reason: str) -> None:
        """Keep of what this writer dies: in the store, or else in the lock file, which then stays. Never fails."""
        try:
            _life.record_death(self._connection, self._lock.me, reason, self._clock())
        except sqlite3.Error:
            self._lock.died(reason)
            self._marked = True  # so that the lock file stays

    def forget_death(self) -> None:
        """A driver is at work again; how the one before it died is in the events."""
        with self.transaction():
            _life.forget_death(self._tx().connection)

    def compact(self) -> None:
        """Give the room of deleted rows back to the disk; needs as much free room as the store takes.

        Raises:
            StoreFull: there is none; the store is as it was.
        """
        with translated(self.path):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block are committed together when it ends, or none of them when it raises.

        Raises:
            StoreFull, StoreBusy: nothing was written; the same block may be run again later, with the same records.
            StoreMoved: the store is no longer where it was opened; nothing was written.
            StoreError: another of its kinds; nothing was written.
        """
        if self._transaction is not None:
            raise RuntimeError("a transaction is already open")
        self._lock.check()
        with translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            before = self._connection.total_changes
            self._transaction = Transaction(self._connection, self._rev + 1, self._clock())
            try:
                yield
                changed = self._connection.total_changes != before
                if changed and not self._marked:
                    _life.mark(self._connection, self._lock.me, self.path, self._rev)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                self._transaction = None
            if changed:
                self._rev += 1
                self._marked = True
                self._beside = self._beside or Beside(self.path)
                if not self._mark_in_file:  # a reader of an old view may keep it out: then after the next commit
                    self._mark_in_file = _life.bring_in(self._connection)

    @contextmanager
    def maintenance(self) -> Iterator[Transaction]:
        """A transaction for the rest of this room, which writes with SQL of its own."""
        with self.transaction():
            yield self._tx()

    def add_sweep(self, sweep: SweepRecord) -> int:
        """Store a planned sweep with its cells and nets, and return its sweep_id; a known sweep_key writes nothing.

        Raises:
            SweepConflict: the name is taken by a sweep with another key.
        """
        return _sweeps.add_sweep(self._tx(), sweep)

    def grow_sweep(
        self, sweep_id: int, sweep: SweepRecord, known: Mapping[int, int], *, searches_again: bool = False
    ) -> None:
        """Add the cells and nets that a stored sweep lacks, make its settings those of ``sweep``, and open it.

        Labels and positions of cells follow; fits go, which were of fewer cells. Nothing that was trained changes.

        Args:
            sweep_id: the stored sweep.
            sweep: what is wanted now: all that is there, and more.
            known: cell_id by position in ``sweep``, of the cells that are there.
            searches_again: open the nets that are done, too: other rates are wanted of them. What they have stays until
                they are closed again.

        Raises:
            StoreError: a cell that the store has is not in ``known``; nothing was written.
        """
        _sweeps.grow_sweep(self._tx(), sweep_id, sweep, known, searches_again=searches_again)

    def rename_sweep(self, sweep_id: int, name: str, spec: str, sweep_key: str) -> None:
        """Give a sweep another name, which its settings have, too; nothing else of it changes.

        Raises:
            SweepConflict: the name is taken; nothing was written.
        """
        _sweeps.rename_sweep(self._tx(), sweep_id, name, spec, sweep_key)

    def sweeps_beginning(self, start: str) -> tuple[NamedSweep, ...]:
        """The sweeps whose names begin so, oldest first; also outside a transaction."""
        with translated(self.path):
            return _sweeps.sweeps_beginning(self._connection, start)

    def ended(self, sweep_id: int, threshold: float) -> tuple[EndedTrial, ...]:
        """The trainings of a sweep that have ended, as evidence at a threshold; also outside a transaction."""
        with translated(self.path):
            return _ended.read_ended(self._connection, sweep_id, threshold)

    def stored_trial(self, trial_id: int) -> StoredTrial:
        """All columns and steps of a trial; also outside a transaction."""
        with translated(self.path):
            return stored_trial(self._connection, trial_id)

    def derive_trial(self, trial: TrialRecord, derivation: Derivation) -> int:
        """Store what a trial comes to that follows from another's steps, as done, and return its trial_id.

        Raises:
            StoreError: the other has not ended, or the trial is being trained, or is; nothing was written.
        """
        return _derived.derive_trial(self._tx(), trial, derivation)

    def sweep_named(self, name: str) -> NamedSweep | None:
        """The sweep of this name, or None; also outside a transaction."""
        with translated(self.path):
            return _sweeps.sweep_named(self._connection, name)

    def free_name(self, name: str) -> str:
        """The name for a sweep, with the time where there is one of this name; also outside a transaction."""
        with translated(self.path):
            return _sweeps.free_name(self._connection, name, self._clock())

    def sweep_state(self, sweep_id: int) -> SweepState:
        """Everything that the search of a sweep rests on; also outside a transaction."""
        with translated(self.path):
            return _sweeps.sweep_state(self._transaction or Transaction(self._connection, self._rev, 0.0), sweep_id)

    def trial_keys(self, trial_ids: Sequence[int]) -> list[str]:
        """The keys of some trials, in their order; also outside a transaction."""
        with translated(self.path):
            return _sweeps.trial_keys(self._connection, trial_ids)

    def end_sweep(self, sweep_id: int, status: str) -> None:
        """Set a sweep to "done" (with its time) or "stopped"; writes nothing when it is that already."""
        _sweeps.end_sweep(self._tx(), sweep_id, status)

    def reopen_sweep(self, sweep_id: int) -> None:
        """Set a sweep to "open" again; writes nothing when it is open."""
        _sweeps.end_sweep(self._tx(), sweep_id, "open")

    def set_repeatable(self, sweep_id: int, repeatable: bool) -> None:
        """Store whether the first training of a sweep, run twice, reported the same numbers."""
        _sweeps.set_repeatable(self._tx(), sweep_id, repeatable)

    def set_lambdas(self, lambdas: NetLambdas) -> None:
        """Store λ at initialisation of one net; non-finite values become NULL."""
        _sweeps.set_lambdas(self._tx(), lambdas)

    def set_base(self, net_id: int, base_eta: float, base_lambda0: float | None) -> None:
        """Store the rate of the base from which a net's trainings fork, and its preconditioned λ at initialisation."""
        _sweeps.set_base(self._tx(), net_id, base_eta, base_lambda0)

    def open_net(self, net_id: int, start_eta: float | None) -> None:
        """Mark a net as being worked on; ``start_eta`` is where its search starts, None for scans."""
        _sweeps.open_net(self._tx(), net_id, start_eta)

    def fail_net(self, net_id: int, reason: str) -> None:
        """Give a net up."""
        _sweeps.fail_net(self._tx(), net_id, reason)

    def close_net(self, net_id: int, boundary: BoundaryRecord | None = None) -> None:
        """Mark a net as done, with what the search learnt of it; refreshes mean and spread of its cell."""
        _sweeps.close_net(self._tx(), net_id, boundary)

    def add_trials(self, trials: Sequence[TrialRecord]) -> list[int]:
        """Queue trials and return their trial_ids in order; those whose (net_id, eta) is known write nothing."""
        return _attempts.add_trials(self._tx(), trials)

    def open_attempts(
        self,
        trial_ids: Iterable[int],
        driver_id: str,
        device: str,
        env: Mapping[str, str],
        bars: Sequence[tuple[int, float]] = (),
        host: str | None = None,
    ) -> dict[int, int]:
        """Start queued or failed trials anew, and return the attempt number of each; their old steps go.

        ``bars``: step and accuracy of the evaluations at which they are given up when they are no better.
        ``host``: the machine that trains them, if not this one.

        Raises:
            StoreError: a trial is running or done.
        """
        return _attempts.open_attempts(self._tx(), trial_ids, driver_id, host or self.host, device, env, bars)

    def accuracies(self, trial_id: int, steps: Sequence[int]) -> dict[int, float]:
        """Accuracy of a trial at those of these steps after which it went on; also outside a transaction."""
        with translated(self.path):
            return _attempts.accuracies(self._connection, trial_id, steps)

    def append_steps(self, *batches: StepRows) -> AppendResult:
        """Store steps. Segments of a stale attempt, or whose seq was seen already, are dropped and counted.

        Batches that came one after the other cost less in one call, since each trial is then updated once.

        Raises:
            SequenceGap: an earlier segment is missing.
            StoreError: columns of unequal length, or steps that do not increase.
        """
        return _steps.append_steps(self._tx(), batches)

    def finish_trial(self, outcome: TrialOutcome) -> bool:
        """Store how an attempt ended; False (and nothing written) when it is stale or known.

        Raises:
            SequenceGap: an earlier segment is missing.
        """
        return _attempts.finish_trial(self._tx(), outcome)

    def release_attempts(self, trial_ids: Iterable[int], outcome: str, detail: str | None = None) -> int:
        """End open attempts as "cancelled" or "lost" and queue their trials; returns how many were open.

        Their steps stay until the next attempt begins. A recorded run, which only its script could start again, has
        failed instead.
        """
        return _attempts.release_attempts(self._tx(), trial_ids, outcome, detail)

    def finish_recording(self, trial_id: int, outcome: str = "done", error: str | None = None) -> bool:
        """End a script's own training, with its net and sweep; False where it has ended already.

        ``outcome`` is "done", "cancelled" (the script ended it) or "lost"; with an ``error`` the trial has failed.
        """
        return _attempts.finish_recording(self._tx(), trial_id, outcome, error)

    def raise_eta(self, trial_id: int, eta: float) -> None:
        """Make this the learning rate of a recorded trial where it is above: that is the peak of its schedule."""
        _attempts.raise_eta(self._tx(), trial_id, eta)

    def show_life(self, trial_id: int) -> None:
        """Note that a trial's attempt is alive though it has no new steps."""
        _attempts.show_life(self._tx(), trial_id)

    def fail_trials(self, trial_ids: Iterable[int], error: str) -> int:
        """Give up trials that are not done, whether they run or wait; returns how many. Their open attempts end."""
        return _attempts.fail_trials(self._tx(), trial_ids, error)

    def requeue_failed(self, sweep_id: int) -> tuple[int, int]:
        """Queue the failed trials and nets of a sweep again, and open it; returns how many trials and nets."""
        return _attempts.requeue_failed(self._tx(), sweep_id)

    def prune_steps(self, sweep_id: int) -> int:
        """Delete the steps of a sweep's trials that have ended; their outcomes stay. Returns how many steps."""
        return _steps.prune_steps(self._tx(), sweep_id)

    def replace_fits(self, sweep_id: int, fits: Sequence[FitRecord]) -> bool:
        """Make these the fits of a sweep; writes only what differs and says whether anything did."""
        return _sweeps.replace_fits(self._tx(), sweep_id, fits)

    def save_fit(self, sweep_id: int, fits: Sequence[FitRecord]) -> None:
        """Keep the terms of fits that a user asked for, beside the sweep's own; an older one of the same name goes.

        Raises:
            StoreError: a name does not begin with `records.SAVED`.
        """
        _sweeps.save_fit(self._tx(), sweep_id, fits)

    def show_work(self, work: WorkRow | None) -> None:
        """Let readers see what the driver does now; None: nothing any more."""
        connection = self._tx().connection
        forget_work(connection) if work is None else write_work(connection, work)

    def steps_trained(self, sweep_id: int) -> list[tuple[int, float, int, int]]:
        """Of each trial of a sweep that has ended (net_id, eta, its last step, the most it may have), by trial_id."""
        with translated(self.path):
            return _attempts.steps_trained(self._connection, sweep_id)

    def add_event(self, level: str, text: str, sweep_id: int | None = None, trial_id: int | None = None) -> None:
        """Add a line to the log; ``level`` is "info", "warning" or "error"."""
        tx = self._tx()
        tx.connection.execute(
            "INSERT INTO event (at, level, sweep_id, trial_id, host, text) VALUES (?, ?, ?, ?, ?, ?)",
            (tx.now, level, sweep_id, trial_id, self.host, text),
        )

    def _tx(self) -> Transaction:
        if self._transaction is None:
            raise RuntimeError("writing needs an open transaction: use `with store.transaction():`")
        return self._transaction

    def _recover(self, end: WriterEnd | None) -> None:
        with translated(self.path):
            lost = _attempts.lost_trials(self._connection)
        if not lost and (end is None or end.recorded):
            return
        with self.transaction():
            self.recovered = self.release_attempts(lost, "lost", "the driver died") if lost else 0
            how = "a driver died" if end is None or end.recorded else end.sentence()
            self.predecessor = f"{how}; {self.recovered} trainings start again"
            self.add_event("error", self.predecessor)
