"""The local engine with real worker processes."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH
from real_engine import RealEngine
from stored_rows import rows

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.driver.sweep_run import MAX_LOST
from mlrtui.engines import local
from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.deadlines import BEAT_SECONDS, Deadlines, Silence
from mlrtui.engines.local import LocalEngine
from mlrtui_db.store import Store
from mlrtui_trainer.spec import LambdaAtInit, Outcome, Probe, Round, Task, TaskDone, TrialSpec


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    engine = LocalEngine(["cpu"])
    yield engine
    engine.close()


def until(engine: LocalEngine, kind: type) -> list[EngineEvent]:
    """Poll until an event, or a message in one, is of this kind; returns all events so far."""
    seen: list[EngineEvent] = []
    for _ in range(600):
        seen += engine.poll(0.2)
        if any(isinstance(e, kind) or (isinstance(e, FromWorker) and isinstance(e.message, kind)) for e in seen):
            return seen
    raise AssertionError(f"no {kind.__name__} in two minutes: {seen}")


def messages(events: list[EngineEvent], kind: type) -> list[object]:
    return [e.message for e in events if isinstance(e, FromWorker) and isinstance(e.message, kind)]


def test_probe_then_round_and_a_killed_worker(engine: LocalEngine, sweep_file) -> None:  # type: ignore[no-untyped-def]
    plan = planning.plan(load_sweep(sweep_file(SMALL_SCAN)), data.load)
    cell = plan.cells[0]
    engine.add_datasets(plan.datasets)
    assert engine.idle() == []
    ready = next(e for e in until(engine, WorkerReady) if isinstance(e, WorkerReady))
    assert "torch" in ready.env
    assert engine.idle() == [0]

    engine.submit(0, Probe(1, cell.data_id, cell.net, cell.train, cell.sharpness, ((7, 0),)))
    (measured,) = messages(until(engine, TaskDone), LambdaAtInit)
    assert isinstance(measured, LambdaAtInit)
    assert measured.net_id == 7
    assert measured.main > 0

    rate = 0.5 / measured.preconditioned
    task = Round(
        2, cell.data_id, cell.net, cell.train, cell.sharpness, (TrialSpec(1, 1, 0, rate, measured.preconditioned),)
    )
    engine.submit(0, task)
    os.kill(engine._workers[0].process.pid, signal.SIGKILL)
    died = next(e for e in until(engine, WorkerDied) if isinstance(e, WorkerDied))
    assert "SIGKILL" in died.detail
    assert not died.final

    until(engine, WorkerReady)
    engine.submit(0, task)
    (outcome,) = messages(until(engine, TaskDone), Outcome)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.phase) == ("finished", "lazy")


class TwoRounds(LocalEngine):
    """Two workers of one device, as a GPU would be: the figures are made up, the trainings are real."""

    def __init__(self) -> None:
        super().__init__(["cpu", "cpu"])
        self.running: set[int] = set()
        self.sizes: list[int] = []
        self.most = 0

    @property
    def devices(self) -> Sequence[str]:
        return ["cuda:0", "cuda:0"]

    def idle(self) -> Sequence[int]:
        free = super().idle()
        self.running -= set(free)
        return free if self.sizes or len(free) == 2 else []  # both are there at the first round

    def submit(self, slot: int, task: Task) -> None:
        super().submit(slot, task)
        self.running.add(slot)
        self.most = max(self.most, len(self.running))
        self.sizes.append(len(task.trials) if isinstance(task, Round) else 0)

    def poll(self, timeout: float) -> list[EngineEvent]:
        figures = {"memory": str(8 << 30), "gflops": "1", "launch_ns": "1"}
        return [
            replace(e, env={**e.env, **figures}) if isinstance(e, WorkerReady) else e for e in super().poll(timeout)
        ]


def test_two_rounds_in_flight_on_one_device_give_the_same_bits(sweep_file, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spec = load_sweep(sweep_file(SMALL_SEARCH.replace("width = [16, 32]", "width = 16")))
    tables = []
    engine = TwoRounds()
    try:
        for name, which in (("one", RealEngine()), ("two", engine)):
            with Store.open(tmp_path / f"{name}.db") as store:
                driver = Driver(store, which, driver_id="test")
                assert driver.run_sweep(spec, planning.plan(spec, data.load)).status == "done"
            net = "SELECT seed, status, lambda0, start_eta, eta_star, first_failure, eta_area FROM net ORDER BY net_id"
            step = "SELECT trial.eta, step, loss FROM step JOIN trial USING (trial_id) ORDER BY net_id, trial.eta, step"
            tables.append([rows(tmp_path / f"{name}.db", sql) for sql in (net, step)])
    finally:
        engine.close()
    assert engine.most == 2
    assert tables[0] == tables[1]
    assert all(row[4] is not None for row in tables[0][0])


def test_workers_end_with_their_driver(engine: LocalEngine) -> None:
    until(engine, WorkerReady)
    process = engine._workers[0].process
    engine._workers[0].connection.close()
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("busy", [True, False])
def test_a_worker_that_stops_answering_is_killed_and_replaced(sweep_file, busy: bool) -> None:  # type: ignore[no-untyped-def]
    engine = LocalEngine(["cpu"], Deadlines(beat=3 * BEAT_SECONDS))
    try:
        until(engine, WorkerReady)
        first = engine._workers[0].process
        if busy:
            engine.submit(*big_probe(engine, sweep_file))
        os.kill(first.pid, signal.SIGSTOP)
        died = next(e for e in until(engine, WorkerDied) if isinstance(e, WorkerDied))
        assert died.detail == "gave no sign of life for 6 s and was killed"
        assert not died.final
        assert first.returncode == -signal.SIGKILL
        until(engine, WorkerReady)
        assert engine.idle() == [0]
    finally:
        engine.close()


def test_a_worker_that_lives_but_records_nothing_is_killed(sweep_file) -> None:  # type: ignore[no-untyped-def]
    engine = LocalEngine(["cpu"], Deadlines(record=0.2))
    try:
        until(engine, WorkerReady)
        engine.submit(*big_probe(engine, sweep_file))
        died = next(e for e in until(engine, WorkerDied) if isinstance(e, WorkerDied))
        assert died.detail == "recorded nothing for 0.2 s and was killed"
    finally:
        engine.close()


def deaths(engine: LocalEngine, task: Probe | None = None) -> int:
    """How many workers die until the engine starts no other; each gets the task when it is ready."""
    count = 0
    for _ in range(600):
        for event in engine.poll(0.2):
            if isinstance(event, WorkerDied):
                count += 1
                if event.final:
                    return count
        for slot in engine.idle():
            assert task is not None
            engine.submit(slot, task)
    raise AssertionError(f"{count} workers died, none was the last")


def test_a_worker_that_cannot_run_here_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    engine = LocalEngine(["cpu"])
    try:
        assert deaths(engine) == local.MAX_STARTS
        assert engine.idle() == []
    finally:
        engine.close()


def test_a_worker_that_dies_of_every_task_is_given_up_late(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sweep_file,  # type: ignore[no-untyped-def]
) -> None:
    """Not before a round of thousands could have been halved down to one lane."""
    assert 2 ** (local.MAX_DEATHS - MAX_LOST) > 4096
    monkeypatch.setattr(local, "MAX_DEATHS", local.MAX_STARTS + 2)
    mortal = tmp_path / "python"
    mortal.write_text(
        f"#!{sys.executable}\nimport sys\nfrom multiprocessing.connection import Connection\n"
        "line = Connection(int(sys.argv[-2]))\nline.send({})\nline.recv()\nsys.exit(3)\n"
    )
    mortal.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(mortal))
    engine = LocalEngine(["cpu"])
    try:
        assert deaths(engine, big_probe(engine, sweep_file)[1]) == local.MAX_DEATHS + 1
    finally:
        engine.close()


def big_probe(engine: LocalEngine, sweep_file) -> tuple[int, Probe]:  # type: ignore[no-untyped-def]
    """A slot and a task that takes a while."""
    text = SMALL_SCAN.replace("width = 64", "width = 2048").replace("depth = 1", "depth = 6")
    plan = planning.plan(load_sweep(sweep_file(text)), data.load)
    cell = plan.cells[0]
    engine.add_datasets(plan.datasets)
    return 0, Probe(1, cell.data_id, cell.net, cell.train, cell.sharpness, tuple((n, n) for n in range(64)))


def test_silence_counts_only_while_somebody_listens() -> None:
    now = 0.0
    silence = Silence(clock=lambda: now)
    for moment in (0.5, 1.0, 500.0, 400.0, 400.5):  # away for minutes; then a clock that steps back
        now = moment
        silence.look()
    assert silence.beat == pytest.approx(0.5 + 0.5 + 1.0 + 0.0 + 0.5)
    silence.heard(record=False)
    now = 401.0
    silence.look()
    assert (silence.beat, silence.record) == (pytest.approx(0.5), pytest.approx(3.0))
