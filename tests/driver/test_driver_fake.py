"""The driver over a real store and an engine that makes numbers up."""

import sqlite3
from collections.abc import Callable, Sequence
from math import log, sqrt
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied
from mlrtui.engines.fake import FakeEngine, fake_eta_star
from mlrtui.errors import EngineFailed
from mlrtui_db import flags, invariants, records
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_trainer import spec
from mlrtui_trainer.spec import Outcome, Probe, Task, TaskFailed

WriteSweep = Callable[..., Path]


def drive(store: Path, sweep: Path, engine: FakeEngine, stop_after: int | None = None) -> SweepEnd:
    """Run a sweep in this process; stop when the driver has looked ``stop_after`` times whether it should."""
    spec = load_sweep(sweep)
    looks = 0

    def should_stop() -> bool:
        nonlocal looks
        looks += 1
        return stop_after is not None and looks > stop_after

    opened = Store.open(store)
    try:
        return Driver(opened, engine, driver_id="test", should_stop=should_stop).run_sweep(
            spec, planning.plan(spec, data.load)
        )
    finally:
        opened.close()


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


def test_search_finds_the_law_behind_the_fake(tmp_path: Path, sweep_file: WriteSweep) -> None:
    store = tmp_path / "s.db"
    end = drive(store, sweep_file(SMALL_SEARCH), FakeEngine())
    assert (end.status, end.failed, end.already) == ("done", 0, False)
    spec = load_sweep(tmp_path / "sweep.toml")
    nets = {(c.net.depth, c.net.width): c.net for c in planning.plan(spec, None).cells}
    columns = "depth, width, seed, eta_star, eta_last, first_failure, eta_star_se, successes, eta_rule, censored"
    found = rows(store, f"SELECT {columns} FROM eta_star")
    assert len(found) == 8
    for depth, width, seed, eta_star, eta_last, first_failure, error, successes, rule, censored in found:
        truth = fake_eta_star(nets[depth, width], seed)
        assert (censored, rule, successes) == (None, 2, 2)
        assert eta_last <= truth < first_failure
        assert first_failure / eta_last <= 1.3 * (1 + 1e-9)
        assert eta_star == pytest.approx((eta_last * first_failure) ** 0.5, rel=1e-9)
        assert error == pytest.approx(eta_star * log(1.3) / sqrt(12), rel=1e-9)
    assert invariants.check(store) == []


def test_the_fit_recovers_the_exponent_of_the_fake(tmp_path: Path, sweep_file: WriteSweep) -> None:
    store = tmp_path / "s.db"
    drive(store, sweep_file(SMALL_SEARCH.replace("tolerance = 0.3", "tolerance = 0.01")), FakeEngine())
    fits = rows(
        store, "SELECT exponent, low, high, r2, cells FROM exponents WHERE y = 'eta_star' AND term = 'depth*width'"
    )
    exponent, low, high, r2, cells = fits[0]
    assert cells == 4
    assert abs(exponent + 0.75) < 0.02
    assert low < -0.75 < high
    assert r2 > 0.99


def test_scan_labels_every_trial(tmp_path: Path, sweep_file: WriteSweep) -> None:
    store = tmp_path / "s.db"
    assert drive(store, sweep_file(SMALL_SCAN), FakeEngine()).status == "done"
    found = rows(store, "SELECT round(eta_lambda0, 6), verdict, phase FROM phases ORDER BY eta")
    assert [row[0] for row in found] == [0.5, 2.6, 9.0]
    assert [row[1] for row in found] == ["finished", "finished", "diverged"]
    assert [row[2] for row in found] == ["lazy", "catapult", "divergent"]


def test_a_finished_sweep_run_again_writes_nothing(tmp_path: Path, sweep_file: WriteSweep) -> None:
    store, sweep = tmp_path / "s.db", sweep_file(SMALL_SEARCH)
    drive(store, sweep, FakeEngine())
    before = store.read_bytes()
    end = drive(store, sweep, FakeEngine())
    assert end.already
    assert store.read_bytes() == before


@pytest.mark.parametrize("stop_after", [3, 20, 60, 100])
def test_stopped_and_resumed_equals_undisturbed(tmp_path: Path, sweep_file: WriteSweep, stop_after: int) -> None:
    sweep = sweep_file(SMALL_SEARCH)
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    store = tmp_path / "cut.db"
    end = drive(store, sweep, FakeEngine(), stop_after=stop_after)
    assert end.status == "stopped"
    assert invariants.check(store) == []
    finished = dict(rows(store, "SELECT trial_id, attempt FROM trial WHERE status = 'done'"))
    assert drive(store, sweep, FakeEngine()).status == "done"
    again = dict(rows(store, "SELECT trial_id, attempt FROM trial"))
    assert {trial: again[trial] for trial in finished} == finished  # none of them was trained again
    columns = "cell, seed, eta_star, first_failure, eta_area, trials, lambda0"
    assert rows(store, f"SELECT {columns} FROM eta_star") == rows(
        tmp_path / "whole.db", f"SELECT {columns} FROM eta_star"
    )
    assert rows(store, "SELECT * FROM exponents") == rows(tmp_path / "whole.db", "SELECT * FROM exponents")


class _Faulty(FakeEngine):
    """Goes wrong a few times before it works: ``faults`` are played, one a round, after a first record."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__()
        self._faults = list(faults)
        self._task: Task | None = None
        self.lanes: list[int] = []

    def submit(self, slot: int, task: Task) -> None:
        self._task = task
        if not isinstance(task, Probe):
            self.lanes.append(len(task.trials))
        super().submit(slot, task)

    def poll(self, timeout: float) -> list[EngineEvent]:
        events = super().poll(timeout)
        if isinstance(self._task, Probe) or not self._faults or self._messages is None:
            return events
        fault, task = self._faults.pop(0), self._task
        self._messages = None
        assert task is not None
        kept = [e for e in events if not (isinstance(e, FromWorker) and isinstance(e.message, Outcome))]
        if fault == "died":
            return [*kept, WorkerDied(0, "killed by SIGKILL", final=False)]
        return [*kept, FromWorker(0, TaskFailed(task.task_id, fault, out_of_memory=fault == "oom"))]


def test_a_dead_worker_costs_only_time(tmp_path: Path, sweep_file: WriteSweep) -> None:
    sweep = sweep_file(SMALL_SCAN)
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    assert drive(tmp_path / "s.db", sweep, _Faulty(["died", "died"])).failed == 0
    curves = "SELECT eta, step, loss, sharpness FROM curves ORDER BY eta, step"
    assert rows(tmp_path / "s.db", curves) == rows(tmp_path / "whole.db", curves)
    assert [row[0] for row in rows(tmp_path / "s.db", "SELECT max(attempt) FROM trial")] == [3]
    assert invariants.check(tmp_path / "s.db") == []


def test_a_trial_that_keeps_killing_workers_fails_by_name(tmp_path: Path, sweep_file: WriteSweep) -> None:
    engine = _Faulty(["died"] * 4)  # of all three lanes, and then of the first alone
    end = drive(tmp_path / "s.db", sweep_file(SMALL_SCAN), engine)
    assert (end.status, end.failed) == ("done", 1)
    assert engine.lanes == [3, 1, 1, 1, 1, 1]
    errors = rows(tmp_path / "s.db", "SELECT verdict, error FROM trial WHERE error IS NOT NULL")
    assert errors == [("failed", "worker killed by SIGKILL, 3 times")]
    assert invariants.check(tmp_path / "s.db") == []


def test_out_of_memory_halves_the_round_and_goes_on(tmp_path: Path, sweep_file: WriteSweep) -> None:
    engine = _Faulty(["oom"])
    assert drive(tmp_path / "s.db", sweep_file(SMALL_SCAN), engine).failed == 0
    assert engine.lanes == [3, 1, 1, 1]
    warnings = rows(tmp_path / "s.db", "SELECT text FROM event WHERE level = 'warning'")
    assert warnings == [("1x64: goes on with 1 at a time instead of 3 after it was out of memory",)]


def test_a_lane_that_does_not_fit_alone_fails_alone(tmp_path: Path, sweep_file: WriteSweep) -> None:
    engine = _Faulty(["oom", "oom"])
    end = drive(tmp_path / "s.db", sweep_file(SMALL_SCAN), engine)
    assert (end.status, end.failed) == ("done", 1)
    assert engine.lanes == [3, 1, 1, 1]
    assert rows(tmp_path / "s.db", "SELECT error FROM trial WHERE status = 'failed'") == [("oom",)]
    assert invariants.check(tmp_path / "s.db") == []


def test_an_error_in_a_training_fails_its_net_and_only_its_net(tmp_path: Path, sweep_file: WriteSweep) -> None:
    end = drive(tmp_path / "s.db", sweep_file(SMALL_SEARCH), _Faulty(["ValueError: no such thing"]))
    assert end.status == "done"
    states = dict(rows(tmp_path / "s.db", "SELECT status, count(*) FROM net GROUP BY status"))
    assert states == {"done": 6, "failed": 2}
    reasons = rows(tmp_path / "s.db", "SELECT DISTINCT reason FROM net WHERE status = 'failed'")
    assert reasons == [("a training failed: ValueError: no such thing",)]
    with Reader.open(tmp_path / "s.db") as reader:
        assert reader.sweeps()[0].trials_failed == 2


class _Mortal(FakeEngine):
    """Two slots: ``dying`` die for good before the work begins, the first one does the work if it may."""

    def __init__(self, dying: Sequence[int]) -> None:
        super().__init__()
        self._events += [WorkerDied(slot, "killed by SIGKILL", final=True) for slot in dying]
        self._alive = 0 not in dying

    @property
    def devices(self) -> Sequence[str]:
        return ["fake", "fake"]

    def idle(self) -> Sequence[int]:
        return super().idle() if self._alive else []


def test_the_driver_gives_up_when_the_last_worker_is_gone_and_not_before(
    tmp_path: Path, sweep_file: WriteSweep
) -> None:
    sweep = sweep_file(SMALL_SCAN)
    assert drive(tmp_path / "one.db", sweep, _Mortal([1])).status == "done"
    with pytest.raises(EngineFailed, match="SIGKILL"):
        drive(tmp_path / "none.db", sweep, _Mortal([0, 1]))


def test_the_two_rooms_mean_the_same_by_the_same_names() -> None:
    """The store and the instrument know nothing of each other; what travels between them must agree all the same."""
    names = [name for name in flags.__all__ if name.startswith("FLAG_")]
    assert len(names) == len(flags.FLAGS)
    assert names == [name for name in spec.__all__ if name.startswith("FLAG_")]
    assert [getattr(flags, name) for name in names] == [getattr(spec, name) for name in names]
    for_the_log = {"refused", "remarks"}  # not stored: they become events
    measured = spec.LambdaAtInit.__dataclass_fields__.keys()
    assert records.NetLambdas.__dataclass_fields__.keys() == measured - for_the_log
    assert set(records.TrialOutcome.__dataclass_fields__) == set(spec.Outcome.__dataclass_fields__)


@pytest.mark.parametrize("method", ["section", "profile"])
def test_searches_with_several_rates_a_round_find_the_law_too(
    tmp_path: Path, sweep_file: WriteSweep, method: str
) -> None:
    store = tmp_path / "s.db"
    sweep = sweep_file(SMALL_SEARCH.replace("tolerance = 0.3", f'tolerance = 0.05\nmethod = "{method}"'))
    assert drive(store, sweep, FakeEngine()).status == "done"
    nets = {(c.net.depth, c.net.width): c.net for c in planning.plan(load_sweep(sweep), None).cells}
    found = rows(store, "SELECT depth, width, seed, eta_last, first_failure, censored, net_id FROM eta_star")
    assert len(found) == 8
    one_by_one = tmp_path / "bisect.db"
    drive(one_by_one, sweep_file(SMALL_SEARCH.replace("tolerance = 0.3", "tolerance = 0.05")), FakeEngine())
    same = "SELECT cell, seed, eta_star, eta_last, first_failure, eta_star_se, window_low, window_high FROM eta_star"
    assert rows(store, same) == rows(one_by_one, same)  # to the bit
    for depth, width, seed, eta_last, first_failure, censored, net_id in found:
        assert censored is None
        assert eta_last <= fake_eta_star(nets[depth, width], seed) < first_failure < 1.06 * eta_last
        ((most,),) = rows(
            store, f"SELECT max(n) FROM (SELECT count(*) n FROM trial WHERE net_id = {net_id} GROUP BY round)"
        )
        assert most >= 8
    assert invariants.check(store) == []


def test_a_scan_by_width_trains_at_its_power(tmp_path: Path, sweep_file: WriteSweep) -> None:
    store = tmp_path / "s.db"
    by_width = "eta_width = { factor = [2.0, 4.0], power = -0.5 }"
    drive(store, sweep_file(SMALL_SCAN.replace("eta_lambda0 = [0.5, 2.6, 9.0]", by_width)), FakeEngine())
    found = rows(store, "SELECT eta * eta * width FROM phases ORDER BY eta")
    assert [row[0] for row in found] == pytest.approx([4.0, 16.0])
