"""Devices of different memory, devices that fail, and slots that produce faster than the store takes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from stored_rows import rows
from timed_workers import TimedWorkers

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver import loop
from mlrtui.driver.inbox import Inbox
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.driver.sharing import lanes_within
from mlrtui.driver.slots import Slots
from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.local import LocalEngine
from mlrtui.planning import CellPlan
from mlrtui_db import invariants
from mlrtui_db.store import Store
from mlrtui_trainer.spec import Probe, Round, StepBatch, Task, TaskFailed

SWEEP = """
sweep = { name = "devices", seeds = 4 }
data = { name = "digits", samples = 64 }
model = { depth = 1, width = [16, 32, 64, 128, 256] }
training = { loss = "ce", batch = 32, epochs = 2 }
sharpness = { every = 0 }
scan = { eta = [0.01, 0.02, 0.03, 0.05] }
"""
ANSWERS = "SELECT net_id, eta, status, verdict, n_steps FROM trial ORDER BY 1, 2"


class Devices(TimedWorkers):
    """Slots that take at most so many lanes; ``memory`` is what each says that it has."""

    def __init__(self, lanes: Sequence[int], memory: Sequence[int] = ()) -> None:
        super().__init__([f"cuda:{slot}" for slot in range(len(lanes))], together=True)
        self.lanes = lanes
        self._events.clear()
        for slot in range(len(lanes)):
            self._events.append(WorkerReady(slot, {"memory": str(memory[slot])} if memory else {}))

    def submit(self, slot: int, task: Task) -> None:
        size = len(task.nets) if isinstance(task, Probe) else len(task.trials)  # type: ignore[union-attr]
        if size <= self.lanes[slot]:
            super().submit(slot, task)
            return
        self._busy.add(slot)
        self.tasks.append((self.seconds, slot, task))
        self._events.append(FromWorker(slot, TaskFailed(task.task_id, "out of memory", True)))

    def poll(self, timeout: float) -> list[EngineEvent]:
        events = super().poll(timeout)
        self._busy -= {e.slot for e in events if isinstance(e, FromWorker) and isinstance(e.message, TaskFailed)}
        return events

    def rounds(self, slot: int) -> list[int]:
        """Lanes of the rounds that were given to a slot."""
        return [len(task.trials) for _, at, task in self.tasks if at == slot and isinstance(task, Round)]


def drive(folder: Path, engine: Any, name: str = "a.db", text: str = SWEEP) -> SweepEnd:
    sweep = folder / "sweep.toml"
    sweep.write_text(text, encoding="utf-8")
    spec = load_sweep(sweep)
    with Store.open(folder / name) as store:
        end = Driver(store, engine, driver_id="test").run_sweep(spec, planning.plan(spec, data.load))
    assert invariants.check(folder / name) == []
    return end


def events(store: Path) -> list[str]:
    return [text for (text,) in rows(store, "SELECT text FROM event ORDER BY event_id")]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """Those of one slot that takes everything."""
    folder = tmp_path_factory.mktemp("one")
    assert drive(folder, Devices([4096])).failed == 0
    return rows(folder / "a.db", ANSWERS)


def test_a_round_too_large_is_halved_on_devices_with_no_more_memory(
    tmp_path: Path, answers: list[tuple[Any, ...]]
) -> None:
    engine = Devices([4096, 3], [80 << 30, 8 << 30])
    assert drive(tmp_path, engine) == SweepEnd("devices", "done", 0)
    assert max(engine.rounds(0)) > 3  # more than the small device takes, though that one has failed
    assert [size for size in engine.rounds(1) if size <= 3]
    assert rows(tmp_path / "a.db", ANSWERS) == answers


def test_what_no_training_fits_into_is_left_to_others(tmp_path: Path, answers: list[tuple[Any, ...]]) -> None:
    """And a device for which that is so three times in a row is left out."""
    engine = Devices([4096, 0])
    assert drive(tmp_path, engine) == SweepEnd("devices", "done", 0)
    told = events(tmp_path / "a.db")
    assert any("out of memory on cuda:1 with one at a time; others take it" in text for text in told)
    left = "worker 1 (cuda:1) is left out: out of memory with one at a time, 3 times in a row"
    assert f"{left}; the sweep goes on with 1 of 2 workers" in told
    assert rows(tmp_path / "a.db", ANSWERS) == answers


def test_what_fits_nowhere_fails_on_the_device_that_is_left(tmp_path: Path) -> None:
    end = drive(tmp_path, Devices([0, 0, 0]))
    assert (end.status, end.failed) == ("done", 20)
    assert len([text for text in events(tmp_path / "a.db") if "is left out" in text]) == 2


class Mortal(Devices):
    """Its second slot dies for good with its first round."""

    def submit(self, slot: int, task: Task) -> None:
        if slot == 1 and isinstance(task, Round):
            self.tasks.append((self.seconds, slot, task))
            self._busy.add(slot)
            self._events.append(WorkerDied(slot, "was killed", True))
        else:
            super().submit(slot, task)


def test_the_sweep_goes_on_without_a_worker_that_died_for_good(tmp_path: Path, answers: list[tuple[Any, ...]]) -> None:
    assert drive(tmp_path, Mortal([4096, 4096])) == SweepEnd("devices", "done", 0)
    left = "worker 1 (cuda:1) is left out: it was killed, again and again; the sweep goes on with 1 of 2 workers"
    assert left in events(tmp_path / "a.db")
    assert rows(tmp_path / "a.db", ANSWERS) == answers


def test_a_real_worker_that_cannot_run_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two processes ends at every start; the other trains everything."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *cuda:9) exit 3;; esac\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    engine = LocalEngine(["cpu", "cuda:9"])
    try:
        end = drive(tmp_path, engine, text=SWEEP.replace("[16, 32, 64, 128, 256]", "16"))
    finally:
        engine.close()
    assert end == SweepEnd("devices", "done", 0)
    assert any(text.startswith("worker 1 (cuda:9) is left out: it ") for text in events(tmp_path / "a.db"))
    assert rows(tmp_path / "a.db", "SELECT DISTINCT device, outcome FROM attempt") == [("cpu", "done")]


def test_devices_of_one_name_on_two_machines_share_no_memory() -> None:
    """And where a name is known only once its worker is there, it counts from then on."""
    slots = Slots(["cuda"] * 4)
    for slot, (host, device) in enumerate([("a", "cuda:0"), ("a", "cuda:1"), ("b", "cuda:0"), ("b", "cuda:0")]):
        slots.ready(slot, device, {"host": host, "memory": "80"})
    assert slots.devices == ["cuda:0", "cuda:1", "cuda:0", "cuda:0"]
    assert [slots.memory(slot) for slot in range(4)] == [80, 80, 40, 40]
    assert [slots.alike(slot) for slot in range(4)] == [{0}, {1}, {2, 3}, {2, 3}]
    slots.ready(3, "cuda:1", {"host": "b", "memory": "80"})  # a worker that was started again, elsewhere
    assert [slots.memory(slot) for slot in range(4)] == [80] * 4


def test_rounds_are_as_large_as_the_memory(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("[16, 32, 64, 128, 256]", "4096"), encoding="utf-8")
    (cell,) = planning.plan(load_sweep(tmp_path / "sweep.toml"), None).cells
    assert isinstance(cell, CellPlan)
    small, large = (lanes_within(cell, gigabytes << 30) for gigabytes in (1, 8))
    assert 1 <= small < large < 16 * small
    assert lanes_within(cell, 1) == 1
    assert lanes_within(cell, 0) == 4096


class Flood(Devices):
    """Counts the rows that one poll brought; the next ones are there at once."""

    most = 0

    def poll(self, timeout: float) -> list[EngineEvent]:
        found = super().poll(timeout)
        batches = [e.message for e in found if isinstance(e, FromWorker) and isinstance(e.message, StepBatch)]
        self.most = max(self.most, sum(len(batch.step) for batch in batches))
        return found


def test_slots_faster_than_the_store_fill_no_memory_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[tuple[Any, ...]]
) -> None:
    monkeypatch.setattr(loop, "MOST_ROWS", 50)
    held: list[int] = []
    real = Store.append_steps

    def append(store: Store, *batches: Any) -> Any:
        held.append(sum(len(batch.step) for batch in batches))
        return real(store, *batches)

    monkeypatch.setattr(Store, "append_steps", append)
    monkeypatch.setattr(loop, "COMMIT_SECONDS", 1e9)  # time makes no commit due
    last = property(lambda inbox: not engine._coming and not engine._events, lambda inbox, urgent: None)
    monkeypatch.setattr(Inbox, "is_urgent", last, raising=False)
    engine = Flood([4096] * 8)
    assert drive(tmp_path, engine).status == "done"
    assert max(held) < 50 + engine.most
    assert len([count for count in held if count >= 50]) >= 3
    assert rows(tmp_path / "a.db", ANSWERS) == answers
