"""Workers that run out of memory, die or hang: what they did is halved or starts again, the rest goes on."""

import os
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from conftest import SMALL_SCAN, SMALL_SEARCH
from faults_tools import drive, one, rows, same_results

from mlrtui.engines.base import EngineEvent, FromWorker, WorkerDied, WorkerReady
from mlrtui.engines.deadlines import BEAT_SECONDS, Deadlines
from mlrtui.engines.fake import FakeEngine
from mlrtui.engines.local import LocalEngine
from mlrtui_db import invariants
from mlrtui_trainer import worker
from mlrtui_trainer.spec import Dataset, Message, Round, StepBatch, Task

pytestmark = [pytest.mark.usefixtures("no_driver_left"), pytest.mark.timeout(600)]
WriteSweep = Callable[..., Path]

FIVE_RATES = SMALL_SCAN.replace("[0.5, 2.6, 9.0]", "[0.5, 1.0, 1.5, 2.6, 9.0]")
TWO_WIDTHS = SMALL_SCAN.replace("width = 64", "width = [16, 64]")
HEADROOM = 768 << 20  # bytes that a worker may take beyond what it holds when it is ready: it may compile first
ALLOCATORS: tuple[Exception, ...] = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("std::bad_alloc"),
)


class Here(FakeEngine):
    """The real trainer, in this process."""

    def __init__(self) -> None:
        super().__init__()
        self._datasets: dict[str, Dataset] = {}
        self.sizes: list[int] = []

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        self._datasets.update(datasets)

    def answer(self, task: Task) -> Iterator[Message]:
        if isinstance(task, Round):
            self.sizes.append(len(task.trials))
        return worker.run_task(task, self._datasets[task.data_id], "cpu")


def run_short(monkeypatch: pytest.MonkeyPatch, error: Exception, too_much: Callable[[Round], bool]) -> None:
    """Let the trainer meet an allocator's error in the middle of rounds that take too much."""
    train = worker.train_round

    def meet(task: Round, *rest: object) -> Iterator[Message]:
        for count, message in enumerate(train(task, *rest)):  # type: ignore[arg-type]
            if count == 1 and too_much(task):
                raise error
            yield message

    monkeypatch.setattr(worker, "train_round", meet)


@pytest.mark.parametrize("error", ALLOCATORS, ids=lambda error: f"{type(error).__name__} {str(error)[:9]}")
def test_a_round_that_does_not_fit_is_halved_until_it_does(
    sweep_file: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    sweep, store, engine = sweep_file(FIVE_RATES), tmp_path / "s.db", Here()
    drive(tmp_path / "whole.db", sweep, Here())
    run_short(monkeypatch, error, lambda task: len(task.trials) > 1)
    assert drive(store, sweep, engine).failed == 0
    assert engine.sizes == [5, 2, 1, 1, 1, 1, 1]
    texts = [str(text) for (text,) in rows(store, "SELECT text FROM event WHERE level = 'warning' ORDER BY event_id")]
    assert texts == [
        f"1x64: goes on with {fewer} at a time instead of {size} after it was out of memory"
        for size, fewer in ((5, 2), (2, 1))
    ]
    same_results(store, tmp_path / "whole.db")


def test_a_lane_that_does_not_fit_alone_fails_by_name_and_the_rest_goes_on(
    sweep_file: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s.db"
    run_short(monkeypatch, ALLOCATORS[0], lambda task: task.net.width == 64)
    assert drive(store, sweep_file(TWO_WIDTHS), Here()).failed == 3
    found = rows(store, "SELECT DISTINCT cell, t.status, error FROM phases JOIN trial t USING (trial_id) ORDER BY cell")
    assert found == [("1x16", "done", None), ("1x64", "failed", "out of memory on cpu")]
    assert invariants.check(store) == []


class Observed(LocalEngine):
    """Tells every event to a function before the driver hears of it."""

    def __init__(
        self, tell: Callable[["Observed", EngineEvent], None], devices: int = 1, deadlines: Deadlines | None = None
    ) -> None:
        super().__init__(["cpu"] * devices, deadlines)
        self._tell = tell

    def __enter__(self) -> "Observed":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, timeout: float) -> list[EngineEvent]:
        events = super().poll(timeout)
        for event in events:
            self._tell(self, event)
        return events

    def pid(self, slot: int) -> int:
        return self._workers[slot].process.pid


def limit_memory(engine: Observed, event: EngineEvent) -> None:
    """Of a worker that has just become ready."""
    if isinstance(event, WorkerReady):
        pid = engine.pid(event.slot)
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + HEADROOM
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))


def test_a_net_that_a_worker_has_no_memory_for_fails_and_the_worker_lives_on(
    sweep_file: WriteSweep, tmp_path: Path
) -> None:
    store, died = tmp_path / "s.db", list[EngineEvent]()

    def tell(engine: Observed, event: EngineEvent) -> None:
        limit_memory(engine, event)
        died.extend([event] if isinstance(event, WorkerDied) else [])

    text = SMALL_SCAN.replace("depth = 1", "depth = 2").replace("width = 64", "width = [20000, 16]")
    with Observed(tell) as engine:
        assert drive(store, sweep_file(text), engine).failed == 1
    assert rows(store, "SELECT width, n.status, reason FROM net n JOIN cell USING (cell_id) ORDER BY width") == [
        (16, "done", None),
        (20000, "failed", "out of memory on cpu"),
    ]
    assert died == []
    assert invariants.check(store) == []


def test_of_two_workers_one_is_killed_and_one_hangs(sweep_file: WriteSweep, tmp_path: Path, whole_search: Path) -> None:
    """Each when it has recorded something for the first time; the sweep ends as if nothing had been."""
    store, died = tmp_path / "s.db", list[str]()
    blows = [signal.SIGKILL, signal.SIGSTOP]
    struck: set[int] = set()

    def tell(engine: Observed, event: EngineEvent) -> None:
        if isinstance(event, WorkerDied):
            died.append(event.detail)
        if (
            isinstance(event, FromWorker)
            and isinstance(event.message, StepBatch)
            and event.slot not in struck
            and blows
        ):
            struck.add(event.slot)
            os.kill(engine.pid(event.slot), blows.pop(0))

    with Observed(tell, 2, Deadlines(beat=3 * BEAT_SECONDS)) as engine:
        assert drive(store, sweep_file(SMALL_SEARCH), engine).failed == 0
    assert len(died) == 2
    assert died[0].startswith("killed by SIGKILL")
    assert died[1] == f"gave no sign of life for {3 * BEAT_SECONDS:g} s and was killed"
    assert one(store, "SELECT count(*) FROM event WHERE level = 'warning' AND text LIKE '% worker %'") == 2
    same_results(store, whole_search)
