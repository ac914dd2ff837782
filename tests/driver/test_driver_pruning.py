"""Giving up hopeless trainings: when, by what evidence, and that the answers stay."""

import json
import signal
import sqlite3
import subprocess
import sys
from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import isclose
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.driver.pruning import MOST_EVALUATIONS, Pruning, evaluations, neighbours, threshold
from mlrtui.engines.fake import FakeEngine
from mlrtui_db import invariants
from mlrtui_db.store import Store
from mlrtui_trainer.spec import Dataset, Message, PruningThreshold, Task, TrainSpec
from mlrtui_trainer.worker import run_task

SWEEP = """
[sweep]
name = "giving up"
seeds = 3

[data]
name = "digits"
samples = 512

[model]
depth = [2, 4, 6]
width = [32, 64]
input_lr = 0.1

[training]
loss = "ce"
batch = 64
epochs = 5

[search]
threshold = 0.8
tolerance = 0.1
give_up = {give_up}

[sharpness]
every = 0
"""
LOST = [(0.1 + 0.01 * i, False) for i in range(40)]


class Worker(FakeEngine):
    """Trains for real, in this process."""

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        self._datasets = dict(datasets)

    def answer(self, task: Task) -> Iterator[Message]:
        return iter(run_task(task, self._datasets[task.data_id], "cpu"))


def drive(store: Path, sweep: Path, give_up: float, stop_after: int | None = None) -> None:
    sweep.write_text(SWEEP.format(give_up=give_up), encoding="utf-8")
    plan, looked = planning.plan(load_sweep(sweep), data.load), iter(range(10**9))
    with Store.open(store) as opened:
        stops: Callable[[], bool] = lambda: stop_after is not None and next(looked) > stop_after  # noqa: E731
        Driver(opened, Worker(), driver_id="test", should_stop=stops).run_sweep(plan.spec, plan)


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sweep in full, and with giving up."""
    folder = tmp_path_factory.mktemp("sweeps")
    full, cut = folder / "full.db", folder / "cut.db"
    drive(full, folder / "s.toml", 0.0)
    drive(cut, folder / "s.toml", 0.2)
    return full, cut


@pytest.mark.parametrize(
    ("chance", "count"), [(0.5, 1), (0.34, 1), (0.33, 2), (0.25, 3), (0.2, 4), (0.1, 9), (0.05, 19)]
)
def test_as_many_neighbours_as_the_rule_of_succession_asks_for(chance: float, count: int) -> None:
    assert neighbours(chance) == count
    assert 1 / (count + 2) < chance <= 1 / (count + 1)


def test_a_bar_lies_where_nobody_near_recovered_on_either_side() -> None:
    assert threshold(LOST, 0.1) == LOST[30][0]  # nine of them are left above
    assert threshold(LOST[:18], 0.1) == LOST[8][0]
    assert threshold(LOST[:17], 0.1) is None
    assert threshold([], 0.1) is None
    later = [*LOST, (0.55, True)]
    assert threshold(later, 0.1) == LOST[31 - 1][0]
    early = [(0.1, True), *LOST[1:]]  # the first nine have it near; afterwards it is one of many
    assert threshold(early[:21], 0.1) is None
    assert threshold(early, 0.1) == LOST[30][0]
    assert threshold([(accuracy, True) for accuracy, _ in LOST], 0.1) is None
    assert threshold([(0.1, False)] * 40, 0.1) is None  # nothing is known above
    assert threshold([(0.1, False)] * 40 + [(0.2, False)] * 9, 0.1) == 0.1
    assert threshold([(0.1, False)] * 40 + [(0.1, True)] + [(0.2, False)] * 9, 0.1) is None


@given(
    st.lists(st.tuples(st.integers(0, 40).map(lambda n: n / 40), st.booleans()), max_size=120).map(sorted),
    st.floats(0.01, 0.5),
)
def test_a_bar_is_never_above_an_accuracy_from_which_too_many_recovered(
    seen: list[tuple[float, bool]], chance: float
) -> None:
    found = threshold(seen, chance)
    if found is None:
        return
    below = [success for accuracy, success in seen if accuracy <= found]
    above = [success for accuracy, success in seen if accuracy > found]
    count = neighbours(chance)
    assert sum(below) < chance * len(below)
    assert not any(below[-count:])
    assert not any(above[:count])
    assert min(len(below), len(above)) >= count


@given(st.lists(st.tuples(st.integers(0, 40).map(lambda n: n / 40), st.booleans()), max_size=80), st.randoms())
def test_the_order_in_which_they_were_learnt_is_nothing(seen: list[tuple[float, bool]], random) -> None:  # type: ignore[no-untyped-def]
    learnt: list[tuple[float, bool]] = []
    random.shuffle(seen)
    for one in seen:
        insort(learnt, one)
    assert threshold(learnt, 0.2) == threshold(sorted(seen), 0.2)


def test_looks_are_at_epoch_ends_before_the_last_step_and_not_too_many() -> None:
    assert evaluations(TrainSpec("ce", 64, 80, 16)) == (16, 32, 48, 64)
    assert evaluations(TrainSpec("ce", 64, 85, 16)) == (16, 32, 48, 64, 80)
    assert evaluations(TrainSpec("ce", 64, 16, 16)) == ()
    for steps, every in product((2, 40, 1000), (1, 7)):
        full = evaluations(TrainSpec("ce", 64, steps, 1, record_every=every))
        assert len(full) <= MOST_EVALUATIONS
        assert all(0 < step < steps and step % every == 0 for step in full)


def test_only_the_same_kind_and_depth_that_ran_to_its_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(SWEEP.format(give_up=0.1), encoding="utf-8")
    cell = planning.plan(load_sweep(path), data.load).cells[0]
    curves = {i: {8: accuracy} for i, (accuracy, _) in enumerate(LOST)}

    def learnt(chance: float = 0.1, given_up: int | None = None, verdict: str = "not-reached") -> Pruning:
        one = Pruning(chance, lambda trial_id, steps: curves[trial_id])
        for trial_id in curves:
            one.learn(cell, trial_id, verdict, given_up)
        return one

    assert learnt().thresholds(cell) == (PruningThreshold(8, LOST[30][0]),)
    assert learnt().thresholds(replace(cell, net=replace(cell.net, width=9))) == learnt().thresholds(cell)
    assert learnt().thresholds(replace(cell, net=replace(cell.net, depth=9))) == ()
    assert learnt().thresholds(replace(cell, train=replace(cell.train, loss="mse"))) == ()
    assert learnt(given_up=2).thresholds(cell) == ()
    assert learnt(verdict="failed").thresholds(cell) == ()
    assert learnt(verdict="reached").thresholds(cell) == ()
    assert learnt(chance=0.0).thresholds(cell) == ()


def test_fewer_steps_and_the_same_answers(both: tuple[Path, Path]) -> None:
    _, cut = both
    assert invariants.check(cut) == []
    given_up = rows(cut, "SELECT count(*) FROM trial WHERE given_up_epoch IS NOT NULL")[0][0]
    assert given_up > 20  # type: ignore[operator]
    steps = [rows(store, "SELECT sum(last_step) FROM trial")[0][0] for store in both]
    assert steps[1] < 0.95 * steps[0]  # type: ignore[operator]
    found = [rows(store, "SELECT eta_star, censored FROM net ORDER BY net_id") for store in both]
    assert [row[1] for row in found[0]] == [row[1] for row in found[1]]
    alike = [isclose(a, b, rel_tol=0.1) for (a, _), (b, _) in zip(*found, strict=True) if a and b]  # type: ignore[arg-type]
    assert sum(alike) >= 0.85 * len(alike)


def test_what_was_given_up_says_so_and_by_which_bar(both: tuple[Path, Path]) -> None:
    _, cut = both
    found = rows(
        cut,
        "SELECT given_up_epoch, verdict, steps_per_epoch, last_step, final_accuracy, bars, reached_epoch, t.max_steps"
        " FROM trial t JOIN attempt USING (trial_id, attempt) JOIN net USING (net_id) JOIN cell USING (cell_id)",
    )
    for epoch, verdict, per_epoch, last, accuracy, text, reached, most in found:
        bars = dict(json.loads(text))  # type: ignore[arg-type]
        assert all(0 < step < most for step in bars)
        if epoch is None:
            assert verdict in ("reached", "diverged", "dead") or last == most
        else:
            assert verdict in ("not-reached", "stalled")
            assert last == epoch * per_epoch  # type: ignore[operator]
            assert accuracy <= bars[last]
            assert reached is None
    counts = rows(cut, "SELECT sum(given_up) FROM eta_star"), rows(cut, "SELECT count(given_up_epoch) FROM boundaries")
    assert counts[0] == counts[1] == [(sum(row[0] is not None for row in found),)]


def test_without_it_nothing_is_given_up_and_no_bar_is_made(both: tuple[Path, Path]) -> None:
    full, _ = both
    assert rows(
        full, "SELECT count(given_up_epoch), max(bars), min(bars) FROM trial JOIN attempt USING (trial_id)"
    ) == [(0, "[]", "[]")]


def test_the_early_trainings_are_those_of_the_full_sweep(both: tuple[Path, Path]) -> None:
    """Whoever is given up was trained until then as in full; the others are the same to the last bit."""
    full, cut = both
    same = (
        "SELECT net_id, eta, verdict, given_up_epoch, trial_id, last_loss, last_step FROM trial"
        " WHERE status = 'done' ORDER BY net_id, eta"
    )
    known = {row[:2]: row for row in rows(full, same)}
    for row in rows(cut, same):
        if row[:2] in known and row[3] is None:
            assert row[2] == known[row[:2]][2]
            assert row[5:] == known[row[:2]][5:]


@pytest.mark.parametrize("stop_after", [60, 200])
def test_a_sweep_that_goes_on_later_learns_from_what_is_stored(
    tmp_path: Path, both: tuple[Path, Path], stop_after: int
) -> None:
    store = tmp_path / "s.db"
    drive(store, tmp_path / "s.toml", 0.2, stop_after)
    kept = "SELECT trial_id, verdict, given_up_epoch, last_step FROM trial WHERE status = 'done'"
    before = rows(store, kept)
    assert 0 < len(before) < len(rows(both[1], kept))
    drive(store, tmp_path / "s.toml", 0.2)
    assert set(before) <= set(rows(store, kept))
    answers = "SELECT eta_star, first_failure, censored FROM net ORDER BY net_id"
    assert rows(store, answers) == rows(both[1], answers)
    assert invariants.check(store) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_driver_pruning as here
from mlrtui_db.store import Store
finish, left = Store.finish_trial, [int(sys.argv[4])]
def dying(self, outcome):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return finish(self, outcome)
Store.finish_trial = dying
here.drive(Path(sys.argv[2]), Path(sys.argv[3]), 0.2)
"""


def test_a_driver_that_was_killed_is_followed_by_one_that_goes_on(tmp_path: Path, both: tuple[Path, Path]) -> None:
    store, sweep = tmp_path / "s.db", tmp_path / "s.toml"
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", KILLED, here, str(store), str(sweep), "130"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = "SELECT trial_id, verdict, given_up_epoch, last_step FROM trial WHERE status = 'done'"
    before = rows(store, kept)
    assert any(row[2] is not None for row in before)
    drive(store, sweep, 0.2)
    assert set(before) <= set(rows(store, kept))
    assert invariants.check(store) == []
    ours, theirs = (rows(one, "SELECT net_id, eta_star FROM net WHERE censored IS NULL") for one in (store, both[1]))
    alike = [isclose(a[1], b[1], rel_tol=0.1) for a, b in zip(ours, theirs, strict=True)]  # type: ignore[arg-type]
    assert sum(alike) >= 0.85 * len(alike)
