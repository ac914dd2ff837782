"""The writer against a model of it: any order of starts, records, repeats, gaps, ends, losses and restarts."""

import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import db_samples as samples
from conftest import FULL
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlrtui_db._cells import KnownCells, read_cells
from mlrtui_db.errors import SequenceGap, StoreError
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

TRIALS = st.integers(0, 1)
LOSSES = st.lists(st.sampled_from([0.5, 1.0, 2.5, float("nan"), float("inf"), float("-inf")]), max_size=4)


@dataclass
class Trial:
    """What the model knows of a trial."""

    trial_id: int
    status: str = "queued"
    attempt: int = 0
    open: bool = False
    next_seq: int = 0
    losses: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Record:
    """A batch of steps that a worker has sent: it may arrive again, late, or never."""

    trial: int
    attempt: int
    seq: int
    first: int
    losses: tuple[float, ...]


class Writer(RuleBasedStateMachine):
    """Every rule does the same to the store and to the model, and compares the answers."""

    records = Bundle("records")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "s.db"
        self.store = Store.open(self.path)
        with self.store.transaction():
            sweep_id = self.store.add_sweep(samples.sweep())
        net_id = samples.net_ids(self.store, sweep_id)[0]
        with self.store.transaction():
            ids = self.store.add_trials([samples.trial(net_id, 0.1 * (1 + at)) for at in range(2)])
        self.trials = [Trial(trial_id) for trial_id in ids]
        self.follower, self.known = sqlite3.connect(self.path), KnownCells()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.follower.close()
            self.store.close()
            broken = check(self.path)
            shutil.rmtree(self.folder)
            assert broken == []

    @rule(at=TRIALS)
    def start(self, at: int) -> None:
        trial = self.trials[at]
        try:
            with self.store.transaction():
                opened = self.store.open_attempts([trial.trial_id], "driver", "cpu", {})
        except StoreError:
            assert trial.status in ("running", "done")
            return
        assert trial.status in ("queued", "failed")
        trial.status, trial.attempt, trial.open, trial.next_seq, trial.losses = (
            "running",
            trial.attempt + 1,
            True,
            0,
            [],
        )
        assert opened == {trial.trial_id: trial.attempt}

    @precondition(lambda self: any(trial.attempt for trial in self.trials))
    @rule(target=records, at=TRIALS, losses=LOSSES, skip=st.sampled_from([0, 0, 0, 1, 2]))
    def send(self, at: int, losses: list[float], skip: int) -> Record:
        trial = self.trials[at]
        record = Record(at, trial.attempt, trial.next_seq + skip, len(trial.losses), tuple(losses))
        self.deliver(record)
        return record

    @rule(record=records)
    def deliver(self, record: Record) -> None:
        """Now, again, or after newer ones."""
        trial = self.trials[record.trial]
        rows = samples.steps(trial.trial_id, record.losses, attempt=record.attempt, seq=record.seq, first=record.first)
        admitted = trial.open and record.attempt == trial.attempt and record.seq >= trial.next_seq
        try:
            with self.store.transaction():
                applied = self.store.append_steps(rows).applied
        except SequenceGap:
            assert admitted
            assert record.seq > trial.next_seq
            return
        except StoreError:  # a record that was skipped over once fits in number, but its steps were recorded since
            assert admitted
            assert record.first < len(trial.losses)
            assert record.losses
            return
        assert applied == int(admitted)
        if admitted:
            assert record.seq == trial.next_seq
            assert record.first == len(trial.losses) or not record.losses
            trial.next_seq += 1
            trial.losses += record.losses

    @rule(at=TRIALS, stale=st.booleans(), skip=st.sampled_from([0, 0, 1, -1]))
    def finish(self, at: int, stale: bool, skip: int) -> None:
        trial = self.trials[at]
        attempt, seq = trial.attempt - stale, trial.next_seq + skip
        admitted = trial.open and attempt == trial.attempt and seq >= trial.next_seq
        try:
            with self.store.transaction():
                done = self.store.finish_trial(samples.outcome(trial.trial_id, attempt=attempt, seq=seq))
        except SequenceGap:
            assert admitted
            assert seq > trial.next_seq
            return
        assert done == admitted
        if done:
            trial.status, trial.open = "done", False

    @rule(at=TRIALS, how=st.sampled_from(["lost", "cancelled", "failed", "driver died", "pruned"]))
    def end(self, at: int, how: str) -> None:
        """One rule for all that is rare, so that starts and records stay frequent."""
        trial = self.trials[at]
        if how == "failed":
            self.give_up(trial)
            self.run_again_what_failed()
        elif how == "driver died":
            self.driver_dies()
        elif how == "pruned":
            self.prune()
        else:
            with self.store.transaction():
                assert self.store.release_attempts([trial.trial_id], how, "why") == int(trial.open)
            if trial.open:
                trial.status, trial.open = "queued", False

    def give_up(self, trial: Trial) -> None:
        with self.store.transaction():
            given_up = self.store.fail_trials([trial.trial_id], "why")
        assert given_up == int(trial.status in ("queued", "running"))
        if given_up:
            trial.status, trial.open = "failed", False

    def run_again_what_failed(self) -> None:
        failed = [trial for trial in self.trials if trial.status == "failed"]
        with self.store.transaction():
            assert self.store.requeue_failed(1) == (len(failed), int(bool(failed)))
        for trial in failed:
            trial.status = "queued"

    def prune(self) -> None:
        ended = [trial for trial in self.trials if trial.status in ("done", "failed")]
        with self.store.transaction():
            assert self.store.prune_steps(1) == sum(len(trial.losses) for trial in ended)
        for trial in ended:
            trial.losses = []

    def driver_dies(self) -> None:
        """Another driver opens the store and finds what was left open."""
        self.store.close()
        self.store = Store.open(self.path)
        assert self.store.recovered == sum(trial.open for trial in self.trials)
        for trial in self.trials:
            if trial.open:
                trial.status, trial.open = "queued", False

    @rule()
    def a_transaction_that_fails_leaves_nothing(self) -> None:
        try:
            with self.store.transaction():
                self.store.fail_trials([trial.trial_id for trial in self.trials], "never")
                raise InterruptedError
        except InterruptedError:
            pass

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        if not hasattr(self, "trials"):
            return
        with Reader.open(self.path) as reader:
            for trial in self.trials:
                row, curve = reader.trial(trial.trial_id), reader.curve(trial.trial_id)
                assert row is not None
                assert (row.status, row.attempt, row.n_steps) == (trial.status, trial.attempt, len(trial.losses))
                finite = [loss if loss - loss == 0 else None for loss in trial.losses]
                assert [loss if loss == loss else None for loss in curve.loss] == finite
                assert curve.step.tolist() == list(range(len(trial.losses)))
        # who knows what the cells were like before finds what one finds who knows nothing
        assert self.known.read(self.follower, 1) == read_cells(self.follower, 1)


TestWriter = Writer.TestCase
TestWriter.settings = settings(max_examples=60 if FULL else 12, stateful_step_count=25, deadline=None)
