"""What a driver lets readers see while it runs: real stores, an engine that makes numbers up, a clock of the test's."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from conftest import SMALL_SCAN, SMALL_SEARCH

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.ceilings import most_steps
from mlrtui.driver.loop import Driver
from mlrtui.driver.telling import EVERY, seeds_text
from mlrtui.engines.base import EngineEvent, FromWorker
from mlrtui.engines.fake import FakeEngine
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_db.work import WorkRow
from mlrtui_trainer.spec import StepBatch, WorkerLoad

WriteSweep = Callable[..., Path]


class SlowEngine(FakeEngine):
    """Half a second passes at every poll; ``silent`` after so many messages with steps, for a while."""

    def __init__(self, silent_after: int | None = None) -> None:
        super().__init__()
        self.now = 0.0
        self.silent_after, self.batches, self.silence = silent_after, 0, 60

    def poll(self, timeout: float) -> list[EngineEvent]:
        self.now += 0.5
        if self.silent_after is not None and self.batches >= self.silent_after and self.silence:
            self.silence -= 1
            return []
        events = super().poll(timeout)
        for event in list(events):
            if isinstance(event, FromWorker) and isinstance(event.message, StepBatch):
                self.batches += 1
                events.append(FromWorker(event.slot, WorkerLoad(98.0, 400 << 20)))
        return events


def followed(store: Path, sweep: Path, engine: SlowEngine) -> list[tuple[float, WorkRow | None]]:
    """Run a sweep; whatever a reader saw after each turn, with the time on the driver's clock."""
    seen: list[tuple[float, WorkRow | None]] = []
    spec = load_sweep(sweep)
    with Store.open(store) as opened, Reader.open(store) as reader:

        def look() -> None:
            work = reader.work()
            if not seen or work != seen[-1][1]:
                seen.append((engine.now, work))

        driver = Driver(opened, engine, driver_id="test", clock=lambda: engine.now, each_turn=look)
        driver.run_sweep(spec, planning.plan(spec, data.load))
        seen.append((engine.now, reader.work()))
    return seen


def test_from_the_first_second_to_the_last(tmp_path: Path, sweep_file: WriteSweep) -> None:
    seen = followed(tmp_path / "s.db", sweep_file(SMALL_SEARCH), SlowEngine())
    works = [work for _, work in seen if work is not None]
    assert seen[-1][1] is None  # a sweep that is done says nothing more
    stages = list(dict.fromkeys(work.stage for work in works))
    assert [stage for stage in stages if stage != "ending"] == ["workers", "lambda0", "training"]
    assert (works[0].ready, works[0].slots, works[0].nets, works[0].to_measure) == (0, 1, 8, 8)
    assert all(work.left is not None and work.low <= work.left <= work.high for work in works)  # type: ignore[operator]
    assert works[-1].measured == 8
    times = [at for at, _ in seen[1:]]
    assert all(later - earlier >= EVERY for earlier, later in itertools.pairwise(times[:-1]))


def test_a_worker_says_what_it_trains(tmp_path: Path, sweep_file: WriteSweep) -> None:
    seen = followed(tmp_path / "s.db", sweep_file(SMALL_SCAN), SlowEngine())
    workers = [work.workers[0] for _, work in seen if work is not None]
    trains = [worker for worker in workers if worker.state == "training" and worker.step]
    assert trains
    assert {(worker.cell, worker.seeds, worker.device, worker.max_steps) for worker in trains} == {
        ("1x64", "0", "fake", 60)
    }
    assert {worker.lanes for worker in trains} <= {1, 2, 3}
    rated = [worker for worker in trains if worker.rate is not None]
    assert rated
    assert all(worker.rate and worker.rate > 0 for worker in rated)
    assert {(worker.busy, worker.memory, worker.ceiling) for worker in rated} == {(98.0, 400 << 20, None)}


def test_while_a_worker_is_silent_nothing_is_written(tmp_path: Path, sweep_file: WriteSweep) -> None:
    engine = SlowEngine(silent_after=1)
    seen = followed(tmp_path / "s.db", sweep_file(SMALL_SCAN), engine)
    assert engine.silence == 0
    times = [at for at, _ in seen]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) >= 25


class LateEngine(SlowEngine):
    """No worker says anything for 20 s."""

    def poll(self, timeout: float) -> list[EngineEvent]:
        if self.now < 20.0:
            self.now += 0.5
            return []
        return super().poll(timeout)


def test_a_wait_for_workers_counts_and_is_told_seldom(tmp_path: Path, sweep_file: WriteSweep) -> None:
    seen = followed(tmp_path / "s.db", sweep_file(SMALL_SEARCH), LateEngine())
    waits = [(at, work.left) for at, work in seen if work is not None and work.stage == "workers"]
    assert 3 <= len(waits) <= 8  # each wait twice as long as the one before
    left = [one for _, one in waits if one is not None]
    assert len(left) == len(waits)
    assert left == sorted(left)
    assert left[-1] > left[0] + 10.0


def test_a_resumed_sweep_knows_what_its_nets_took(tmp_path: Path, sweep_file: WriteSweep) -> None:
    sweep = sweep_file(SMALL_SEARCH)
    spec = load_sweep(sweep)
    plan = planning.plan(spec, data.load)
    with Store.open(tmp_path / "s.db") as store:
        looks = iter(range(10_000))
        driver = Driver(store, FakeEngine(), driver_id="one", should_stop=lambda: next(looks) > 60)
        assert driver.run_sweep(spec, plan).status == "stopped"
        done = store.steps_trained(1)
    assert done
    assert all(0 < last <= most for _, _, last, most in done)
    seen = followed(tmp_path / "s.db", sweep, SlowEngine())
    first = next(work for _, work in seen if work is not None)
    fresh = next(work for _, work in followed(tmp_path / "t.db", sweep, SlowEngine()) if work is not None)
    assert first.left is not None
    assert fresh.left is not None
    assert first.left < fresh.left
    assert first.measured == 8


def test_a_ceiling_is_known_of_float32_on_published_gpus(sweep_file: WriteSweep) -> None:
    cell = planning.plan(load_sweep(sweep_file(SMALL_SEARCH)), None).cells[0]
    assert isinstance(cell, planning.CellPlan)
    names = ("NVIDIA L4", "NVIDIA H100 PCIe", "NVIDIA H100 80GB HBM3")  # the slowest first
    known = [most for name in names if (most := most_steps(cell, name)) is not None]
    assert len(known) == 3
    assert 0 < known[0] < known[1] < known[2]
    for name in ("", "NVIDIA L40", "AMD EPYC"):
        assert most_steps(cell, name) is None
    for train in (replace(cell.train, dtype="float64"), replace(cell.train, precision="bf16")):
        assert most_steps(replace(cell, train=train), "NVIDIA L4") is None


def test_seeds_in_short() -> None:
    assert seeds_text([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert seeds_text([]) == ""
