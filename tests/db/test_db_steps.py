"""Attempts and steps: the fence, non-finite numbers, the summary, and the end of a trial."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import db_samples as samples
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlrtui_db._step_rows import columns_of
from mlrtui_db.errors import SequenceGap, StoreError
from mlrtui_db.flags import (
    FLAG_ACCURACY_NONFINITE,
    FLAG_ALL_SAMPLES,
    FLAG_LOSS_NAN,
    FLAG_LOSS_NEG_INF,
    FLAG_LOSS_POS_INF,
    FLAG_SHARPNESS_INF,
    FLAG_SHARPNESS_NAN,
    FLAG_SHARPNESS_NOT_CONVERGED,
)
from mlrtui_db.invariants import check
from mlrtui_db.models import AppendResult, Curve, TrialRow
from mlrtui_db.reader import Reader
from mlrtui_db.records import MeasureRow, Segment, StepRows
from mlrtui_db.store import Store

NAN, INF = math.nan, math.inf
APPLIED, DROPPED = AppendResult(1, 0), AppendResult(0, 1)


class Bench:
    """A store with one running trial of one net."""

    def __init__(self, path: Path, trials: int = 1) -> None:
        self.store = Store.open(path, host="here", clock=lambda: 1000.0)
        with self.store.transaction():
            self.sweep_id = self.store.add_sweep(samples.sweep())
        self.net_id = samples.net_ids(self.store, self.sweep_id)[0]
        with self.store.transaction():
            self.ids = self.store.add_trials([samples.trial(self.net_id, 0.1 * (1 + i)) for i in range(trials)])
        self.trial_id = self.ids[0]
        assert self.start() == 1

    def start(self) -> int:
        with self.store.transaction():
            return self.store.open_attempts(self.ids, "driver", "cpu", {"torch": "2.13"})[self.trial_id]

    def append(self, rows: StepRows) -> AppendResult:
        with self.store.transaction():
            return self.store.append_steps(rows)

    def finish(self, **changed: object) -> bool:
        with self.store.transaction():
            return self.store.finish_trial(samples.outcome(self.trial_id, **changed))  # type: ignore[arg-type]

    def row(self) -> TrialRow:
        with Reader.open(self.store.path) as reader:
            row = reader.trial(self.trial_id)
        assert row is not None
        return row

    def curve(self) -> Curve:
        with Reader.open(self.store.path) as reader:
            return reader.curve(self.trial_id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "a.db")
    with bench.store:
        yield bench
        assert check(bench.store.path) == []


def test_steps_come_back_and_the_summary_follows(bench: Bench) -> None:
    rows = samples.steps(
        bench.trial_id, [2.0, 5.0, 1.0], accuracy=[0.1, None, 0.7], sharpness=[8.0, 9.0, None], flags=[0, 32, 128]
    )
    assert bench.append(rows) == APPLIED
    assert bench.append(samples.steps(bench.trial_id, [3.0], seq=1, first=3)) == APPLIED
    curve = bench.curve()
    assert curve.attempt == 1
    assert curve.step.tolist() == [0, 1, 2, 3]
    assert curve.loss.tolist() == [2.0, 5.0, 1.0, 3.0]
    np.testing.assert_equal(curve.accuracy.tolist(), [0.1, NAN, 0.7, NAN])
    np.testing.assert_equal(curve.sharpness.tolist(), [8.0, 9.0, NAN, NAN])
    np.testing.assert_equal(curve.sharpness_residual.tolist(), [1e-4, 1e-4, NAN, NAN])
    assert curve.flags.tolist() == [0, FLAG_SHARPNESS_NOT_CONVERGED, FLAG_ALL_SAMPLES, 0]
    row = bench.row()
    assert (row.status, row.n_steps, row.last_step, row.last_loss) == ("running", 4, 3, 3.0)
    assert (row.last_accuracy, row.last_sharpness, row.bad_step, row.bad_kind) == (0.7, 9.0, None, None)


@pytest.mark.parametrize(
    ("loss", "flag", "kind"),
    [(NAN, FLAG_LOSS_NAN, "nan"), (INF, FLAG_LOSS_POS_INF, "+inf"), (-INF, FLAG_LOSS_NEG_INF, "-inf")],
)
def test_first_non_finite_loss_is_the_bad_step(bench: Bench, loss: float, flag: int, kind: str) -> None:
    bench.append(samples.steps(bench.trial_id, [2.0, 1e308, loss, NAN]))
    bench.append(samples.steps(bench.trial_id, [INF], seq=1, first=4))
    curve = bench.curve()
    assert curve.flags.tolist() == [0, 0, flag, FLAG_LOSS_NAN, FLAG_LOSS_POS_INF]
    np.testing.assert_equal(curve.loss.tolist(), [2.0, 1e308, NAN, NAN, NAN])
    row = bench.row()
    assert (row.bad_step, row.bad_kind, row.last_loss, row.last_step) == (2, kind, None, 4)


def test_flags_say_what_was_not_finite(bench: Bench) -> None:
    rows = samples.steps(
        bench.trial_id,
        [1.0] * 5,
        accuracy=[NAN, 0.5, None, None, 0.5],
        sharpness=[NAN, -INF, INF, None, 3.0],
        flags=[0, FLAG_ALL_SAMPLES, 0, FLAG_SHARPNESS_NAN, FLAG_SHARPNESS_NAN],
    )
    bench.append(rows)
    assert bench.curve().flags.tolist() == [
        FLAG_SHARPNESS_NAN | FLAG_ACCURACY_NONFINITE,
        FLAG_SHARPNESS_INF | FLAG_ALL_SAMPLES,
        FLAG_SHARPNESS_INF,
        FLAG_SHARPNESS_NAN,  # the worker knows of a value that it did not send
        0,  # a value that is there cannot be NaN
    ]


reals = st.floats(width=64)
maybe = st.none() | reals


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(reals | st.none(), maybe, maybe, st.integers(0, 255)), min_size=1, max_size=5))
def test_flags_never_contradict_values(rows: list[tuple[float, float | None, float | None, int]]) -> None:
    losses, accuracies, sharpnesses, flags = (list(column) for column in zip(*rows, strict=True))
    batch = samples.steps(1, losses, accuracy=accuracies, sharpness=sharpnesses, flags=flags)
    for given_row, row in zip(rows, zip(*columns_of(batch, batch.segments[0]), strict=True), strict=True):
        _, loss, accuracy, sharpness, _, _, stored, eta = row
        assert eta is None
        assert (loss is None) == bool(stored & 7)
        assert not (stored & 24 and sharpness is not None)
        assert not (stored & 64 and accuracy is not None)
        assert stored & 160 == given_row[3] & 160
        for value, kept in zip(given_row[:3], (loss, accuracy, sharpness), strict=True):
            assert kept == (value if value is not None and math.isfinite(value) else None)


def test_numpy_scalars_are_stored_as_numbers(bench: Bench) -> None:
    rows = StepRows(
        segments=(Segment(bench.trial_id, 1, 0, 0, 2),),
        step=np.arange(2),
        loss=np.array([0.1, NAN], dtype=np.float32),
        accuracy=np.array([0.5, 0.25], dtype=np.float32),
        sharpness=[np.float64(3.0), None],
        sharpness_residual=[np.float32(1e-3), None],
        products=[np.int64(7), None],
        flags=np.zeros(2, dtype=np.uint8),
    )
    assert bench.append(rows) == APPLIED
    assert bench.curve().loss.tolist()[0] == float(np.float32(0.1))
    assert bench.finish(
        loss_final=np.float32(NAN), peak_step=np.int64(1), best_accuracy=np.float32(0.5), reached_epoch=np.int32(2)
    )
    assert bench.row().peak_step == 1


def test_several_trials_and_records_in_one_batch(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a.db", trials=3)
    first, second, third = bench.ids
    segments = (
        Segment(second, 1, 1, 0, 2),  # out of order within the batch
        Segment(first, 1, 0, 2, 4),
        Segment(second, 1, 0, 4, 6),
        Segment(third, 9, 0, 6, 8),
        Segment(999, 1, 0, 6, 8),
    )
    nothing = [None] * 8
    rows = StepRows(segments, [2, 3, 0, 1, 0, 1, 0, 1], [9.0] * 8, nothing, nothing, nothing, nothing, [0] * 8)
    with bench.store:
        assert bench.append(rows) == AppendResult(applied=3, dropped=2)
        with Reader.open(bench.store.path) as reader:
            assert [reader.curve(trial_id).step.tolist() for trial_id in bench.ids] == [[0, 1], [0, 1, 2, 3], []]
        assert check(bench.store.path) == []


def test_rows_are_the_same_however_many_come_together(tmp_path: Path) -> None:
    """Fewer than a statement takes, as many, more; columns that are empty, full and mixed; one number not finite."""
    lengths = (1, 50, 117)
    bench = Bench(tmp_path / "a.db", trials=len(lengths))
    expected: list[tuple[object, ...]] = []
    batches = []
    for seq in range(2):
        segments, at = [], 0
        for trial_id, length in zip(bench.ids, lengths, strict=True):
            segments.append(Segment(trial_id, 1, seq, at, at + length))
            at += length
        step = [seq * length + place for length in lengths for place in range(length)]
        loss = [1.0 / (1 + place) for place in range(at)]
        accuracy = [None if place % 20 else 0.5 for place in range(at)]
        nothing = [None] * at
        rows = StepRows(tuple(segments), step, loss, accuracy, nothing, nothing, nothing, [0] * at)
        if seq:
            rows = replace(rows, loss=[*loss[:60], INF, *loss[61:]], sharpness=loss, products=[3] * at)
        batches.append(rows)
        for segment in segments:
            expected += [(segment.trial_id, *row) for row in zip(*columns_of(rows, segment), strict=True)]
    with bench.store:
        with bench.store.transaction():
            assert bench.store.append_steps(*batches) == AppendResult(applied=6, dropped=0)
        query = "SELECT trial_id, step, loss, accuracy, sharpness, sharpness_residual, products, flags, eta FROM step"
        assert bench.store._connection.execute(f"{query} ORDER BY trial_id, step").fetchall() == sorted(
            expected, key=lambda row: row[:2]
        )
        assert check(bench.store.path) == []


def test_duplicates_are_dropped_and_gaps_are_told(bench: Bench) -> None:
    rows = samples.steps(bench.trial_id, [2.0, 1.0])
    assert bench.append(rows) == APPLIED
    before = bench.store.rev
    assert bench.append(rows) == DROPPED
    assert bench.store.rev == before
    with pytest.raises(SequenceGap, match=f"trial {bench.trial_id}, attempt 1: record 2 came while 1 was expected"):
        bench.append(samples.steps(bench.trial_id, [0.5], seq=2, first=2))
    with pytest.raises(SequenceGap):
        bench.finish(seq=2)
    assert bench.row().n_steps == 2


def test_a_segment_without_rows_counts(bench: Bench) -> None:
    assert bench.append(samples.steps(bench.trial_id, [])) == APPLIED
    assert bench.append(samples.steps(bench.trial_id, [1.0], seq=1)) == APPLIED
    assert bench.row().n_steps == 1


def test_a_new_attempt_starts_over_and_the_old_one_is_fenced_off(bench: Bench) -> None:
    bench.append(samples.steps(bench.trial_id, [2.0, NAN], sharpness=[3.0, 4.0], accuracy=[0.5, 0.6]))
    with bench.store.transaction():
        assert bench.store.release_attempts([bench.trial_id, 999], "lost", "worker died") == 1
    assert (bench.row().status, bench.row().n_steps) == ("queued", 2)
    assert bench.append(samples.steps(bench.trial_id, [1.0], seq=1, first=2)) == DROPPED
    assert bench.start() == 2
    row = bench.row()
    assert (row.attempt, row.status, row.n_steps, row.last_step, row.last_loss) == (2, "running", 0, None, None)
    assert (row.last_sharpness, row.last_accuracy, row.bad_step, row.bad_kind) == (None, None, None, None)
    assert len(bench.curve().step) == 0
    assert bench.curve().attempt == 2
    assert bench.append(samples.steps(bench.trial_id, [1.0], seq=1, first=2)) == DROPPED
    assert not bench.finish(attempt=1, seq=1)
    assert bench.append(samples.steps(bench.trial_id, [7.0], attempt=2)) == APPLIED
    assert bench.curve().loss.tolist() == [7.0]


def test_a_finished_trial_takes_nothing_more(bench: Bench) -> None:
    bench.append(samples.steps(bench.trial_id, [2.0]))
    assert bench.finish(verdict="diverged", phase="catastrophic", bad_step=0, bad_kind="threshold", loss_final=INF)
    row = bench.row()
    assert (row.status, row.verdict, row.phase, row.bad_kind) == ("done", "diverged", "catastrophic", "threshold")
    assert not bench.finish()
    assert not bench.finish(seq=2)
    assert bench.append(samples.steps(bench.trial_id, [2.0], seq=2, first=1)) == DROPPED
    with bench.store.transaction():
        assert bench.store.release_attempts(bench.ids, "lost") == 0
        assert bench.store.fail_trials(bench.ids, "no") == 0
    with pytest.raises(StoreError, match="is done and cannot be started again"):
        bench.start()
    assert bench.row() == row


def test_the_end_does_not_hide_an_earlier_bad_step(bench: Bench) -> None:
    bench.append(samples.steps(bench.trial_id, [2.0, INF]))
    assert bench.finish(verdict="diverged")
    assert (bench.row().bad_step, bench.row().bad_kind) == (1, "+inf")


def test_failed_trials_may_be_started_again_running_ones_not(bench: Bench) -> None:
    with pytest.raises(StoreError, match="is running and cannot be started again"):
        bench.start()
    assert bench.finish(seq=0, verdict="failed", phase=None, error="out of memory")
    state = bench.store.sweep_state(bench.sweep_id).trials[0]
    assert (state.status, state.verdict, state.error) == ("failed", "failed", "out of memory")
    assert bench.start() == 2
    with bench.store.transaction():
        assert bench.store.fail_trials(bench.ids, "worker died 3 times") == 1
    assert bench.start() == 3
    with bench.store.transaction():
        bench.store.release_attempts(bench.ids, "cancelled")
        assert bench.store.fail_trials(bench.ids, "given up") == 1
    state = bench.store.sweep_state(bench.sweep_id).trials[0]
    assert (state.status, state.verdict, state.error, state.attempt) == ("failed", "failed", "given up", 3)
    with pytest.raises(StoreError, match="no trial number 999"), bench.store.transaction():
        bench.store.open_attempts([999], "driver", "cpu", {})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"step": [0]}, "differ in length"),
        ({"step": [1, 1]}, "step 1 came after step 1"),
        ({"step": [1, 0]}, "step 0 came after step 1"),
        ({"step": [-1, 0]}, "step -1 came after step -1"),
        ({"segments": (Segment(1, 1, 0, 0, 3),)}, "lies outside its batch"),
        ({"segments": (Segment(1, 1, 0, -1, 1),)}, "lies outside its batch"),
    ],
)
def test_a_batch_that_makes_no_sense_is_refused_whole(bench: Bench, changed: dict[str, object], said: str) -> None:
    rows = samples.steps(bench.trial_id, [2.0, 1.0])
    values = {name: getattr(rows, name) for name in StepRows.__dataclass_fields__} | changed
    with pytest.raises(StoreError, match=said):
        bench.append(StepRows(**values))  # type: ignore[arg-type]
    assert bench.row().n_steps == 0
    assert bench.append(rows) == APPLIED


def spectra(store: Store) -> list[tuple[object, ...]]:
    query = "SELECT step, operator, rank, value, residual FROM spectra ORDER BY step, operator, rank"
    return store._connection.execute(query).fetchall()


def layers(store: Store) -> list[tuple[object, ...]]:
    query = "SELECT step, layer, activation_rms, effective_rms, propagating_rms FROM layers ORDER BY step, layer"
    return store._connection.execute(query).fetchall()


def test_what_is_kept_beside_steps_goes_their_way(tmp_path: Path) -> None:
    """Same fence, same attempt: stale and repeated segments bring none, and a new attempt starts without any."""
    bench = Bench(tmp_path / "a.db")
    first = samples.steps(bench.trial_id, [2.0, 1.0], sharpness=[8.0, 4.0])
    first = replace(
        first,
        measures=(
            samples.eigenvalue(0, "ntk", 1, 5.0, 1e-4),
            *samples.layer_sizes(0, 1, 0.5, 0.0, 0.0),
            samples.eigenvalue(1, "ntk", 1, INF, NAN),
            *samples.layer_sizes(1, 1, INF, 0.1, NAN),
        ),
    )
    assert bench.append(first) == APPLIED
    assert bench.append(first) == DROPPED
    stale = samples.steps(bench.trial_id, [1.0], attempt=7, seq=1, first=2)
    stale = replace(stale, measures=first.measures[:4])
    assert bench.append(stale) == DROPPED
    assert spectra(bench.store) == [(0, "ntk", 1, 5.0, 1e-4), (1, "ntk", 1, None, None)]
    assert layers(bench.store) == [(0, 1, 0.5, 0.0, 0.0), (1, 1, None, 0.1, None)]
    assert check(tmp_path / "a.db") == []
    with bench.store.transaction():
        bench.store.release_attempts(bench.ids, "lost")
    bench.start()
    assert spectra(bench.store) == layers(bench.store) == []


def test_measures_of_no_row_are_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a.db")
    rows = samples.steps(bench.trial_id, [2.0, 1.0], sharpness=[8.0, 4.0])
    one = MeasureRow(0, "grad_norm", 5.0, NAN)
    for wrong in ((one._replace(row=2),), (one._replace(row=1), one), (one._replace(row=-1),)):
        with pytest.raises(StoreError, match="the measures of a batch of 2 steps are out of order, or of no row"):
            bench.append(replace(rows, measures=wrong))


def test_what_stands_beside_no_step_is_a_violation(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a.db")
    rows = samples.steps(bench.trial_id, [2.0], sharpness=[8.0])
    bench.append(replace(rows, measures=(samples.eigenvalue(0, "ntk", 1, 5.0, 1e-4),)))
    with bench.store.transaction():
        bench.store._connection.execute("UPDATE measure SET step = 4")
    assert check(tmp_path / "a.db") == ["a measure's value belongs to no stored step: trial 1 step 4"]


def test_names_that_a_transaction_did_not_commit_are_given_again(tmp_path: Path) -> None:
    """A number of a name is never remembered across transactions: what added it may be rolled back."""
    bench = Bench(tmp_path / "a.db")
    rows = samples.steps(bench.trial_id, [2.0], sharpness=[8.0])
    first = replace(rows, measures=(MeasureRow(0, "a", 1.0, NAN), MeasureRow(0, "a", 2.0, NAN, part="x")))

    def fail_after_append() -> None:
        with bench.store.transaction():
            bench.store.append_steps(first)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_append()
    second = (MeasureRow(0, "b", 3.0, NAN, part="x"), *first.measures)
    assert bench.append(replace(rows, measures=second)) == APPLIED
    query = "SELECT measure, part, value FROM measures ORDER BY value"
    found = bench.store._connection.execute(query).fetchall()
    assert found == [("a", None, 1.0), ("a", "x", 2.0), ("b", "x", 3.0)]


def test_rows_are_stored_whatever_columns_their_batch_leaves_empty(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "a.db")
    column = st.sampled_from(["none", "some", "all"])
    pieces = st.lists(st.tuples(st.integers(1, 70), column, column, column, st.booleans()), min_size=1, max_size=4)
    made = iter(range(1, 1000))

    def filled(how: str, count: int) -> list[float | None]:
        return [None if how == "none" or (how == "some" and at % 3) else 0.5 + at for at in range(count)]

    @settings(max_examples=12, deadline=None)
    @given(st.lists(pieces, min_size=1, max_size=3), st.booleans())
    def check_one(trials: list[list[tuple[int, str, str, str, bool]]], scheduled: bool) -> None:
        with bench.store.transaction():
            records = [samples.trial(bench.net_id, 10.0 + next(made)) for _ in trials]
            ids = bench.store.add_trials(records)
            bench.store.open_attempts(ids, "driver", "cpu", {})
        batches, expected = [], []
        for trial_id, parts in zip(ids, trials, strict=True):
            first = 0
            for seq, (count, accuracy, sharpness, eta, bad) in enumerate(parts):
                loss = [2.0 + at for at in range(count)]
                loss[-1] = NAN if bad else loss[-1]
                rows = samples.steps(
                    trial_id, loss, seq=seq, first=first,
                    accuracy=filled(accuracy, count), sharpness=filled(sharpness, count),
                )  # fmt: skip
                if scheduled:
                    rows = replace(rows, eta=filled(eta, count))
                batches.append(rows)
                kept = columns_of(rows, rows.segments[0])
                expected += [(trial_id, *row) for row in zip(*kept, strict=True)]  # as rows of the table, one by one
                first += count
        with bench.store.transaction():
            bench.store.append_steps(*batches)
        with closing(sqlite3.connect(bench.store.path)) as connection:
            stored = connection.execute("SELECT * FROM step WHERE trial_id >= ? ORDER BY 1, 2", (ids[0],)).fetchall()
            summaries = connection.execute(
                "SELECT trial_id, n_steps, last_step, last_loss, last_accuracy, last_sharpness, last_sharpness_step,"
                " min_loss, max_loss, max_loss_step, max_sharpness, bad_step FROM trial WHERE trial_id >= ?",
                (ids[0],),
            ).fetchall()
        assert stored == expected
        assert summaries == [summary(trial_id, [row for row in expected if row[0] == trial_id]) for trial_id in ids]

    with bench.store:
        check_one()
    assert check(bench.store.path) == []


def summary(trial_id: int, rows: list[tuple[object, ...]]) -> tuple[object, ...]:
    """What a trial's row says of its steps, from all of them at once."""
    steps, losses, accuracies, sharpnesses = ([row[at] for row in rows] for at in (1, 2, 3, 4))

    def known(values: list[object]) -> list[tuple[float, object]]:
        return [(float(value), step) for value, step in zip(values, steps, strict=True) if value is not None]  # type: ignore[arg-type]

    found, measured, accuracy = known(losses), known(sharpnesses), known(accuracies)
    top = max((value for value, _ in found), default=None)
    return (
        *(trial_id, len(rows), steps[-1], losses[-1], accuracy[-1][0] if accuracy else None),
        *(measured[-1] if measured else (None, None)),
        *(min((value for value, _ in found), default=None), top),
        next((step for value, step in found if value == top), None),
        max((value for value, _ in measured), default=None),
        next((step for loss, step in zip(losses, steps, strict=True) if loss is None), None),
    )
