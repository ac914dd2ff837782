"""Work per net does not grow with the number of cells, and fits never hold the store."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import FULL
from timed_workers import TimedWorkers

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver import loop
from mlrtui.driver.loop import Driver
from mlrtui.driver.ready import Ready
from mlrtui.driver.sweep_run import SweepRun
from mlrtui.engines.base import EngineEvent
from mlrtui.engines.fake import FakeEngine
from mlrtui_db.store import Store

SWEEP = """
sweep = {{ name = "many", seeds = 2 }}
data = {{ name = "digits", samples = 64 }}
model = {{ depth = 1, width = {widths} }}
training = {{ loss = "ce", batch = 32, epochs = 1 }}
search = {{ threshold = 0.5, tolerance = 0.5 }}
"""

MANY = 60 if FULL else 40


class Workers(FakeEngine):
    """The fake with two CPU workers of one slot's speed, so that shares and costly cells play a part."""

    @property
    def devices(self) -> Sequence[str]:
        return ["cpu", "cpu"]


def run(folder: Path, cells: int, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> tuple[int, SweepRun]:
    """Looks at cells that a whole sweep took, and the sweep."""
    runs: list[SweepRun] = []

    class Kept(SweepRun):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            runs.append(self)

    monkeypatch.setattr(loop, "SweepRun", Kept)
    sweep = folder / f"{cells}.toml"
    sweep.write_text(SWEEP.format(widths=list(range(2, 2 + cells))), encoding="utf-8")
    spec = load_sweep(sweep)
    with Store.open(folder / f"{cells}.db") as store:
        assert Driver(store, engine, driver_id="test").run_sweep(spec, planning.plan(spec, data.load)).status == "done"
    return runs[0]._in_order.looks + runs[0]._costly_first.looks, runs[0]


@pytest.mark.parametrize("engine", [FakeEngine, Workers])
def test_cells_are_looked_at_as_often_as_they_change(
    engine: type[FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, _ = run(tmp_path, 10, engine(), monkeypatch)
    many, sweep = run(tmp_path, MANY, engine(), monkeypatch)
    assert many / MANY < 1.3 * few / 10
    assert sweep.closed
    assert sweep._left == pytest.approx(0.0, abs=1e-9)


def statements(folder: Path, cells: int, engine: FakeEngine) -> int:
    """SQL statements of a whole sweep, its fits left aside: those are made as seldom as they take long."""
    sweep = folder / f"counted-{cells}.toml"
    sweep.write_text(SWEEP.format(widths=list(range(2, 2 + cells))), encoding="utf-8")
    spec = load_sweep(sweep)
    count = 0

    def step(sql: str) -> None:
        nonlocal count
        count += 1

    with Store.open(folder / f"counted-{cells}.db") as store:
        store._connection.set_trace_callback(step)
        Driver(store, engine, driver_id="test").run_sweep(spec, planning.plan(spec, data.load))
    return count


def test_a_net_takes_as_many_statements_in_a_large_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "current_fits", lambda store, run: ([], []))
    few, many = statements(tmp_path, 10, FakeEngine()), statements(tmp_path, MANY, FakeEngine())
    assert many / MANY < 1.1 * few / 10


class AtOnce(TimedWorkers):
    """All slots end their tasks in one poll."""

    def poll(self, timeout: float) -> list[EngineEvent]:
        found = super().poll(timeout)
        while self._coming:
            found += super().poll(timeout)
        return found


def test_idle_slots_get_their_rounds_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, int]] = []  # revision and trials of each round
    real = Store.open_attempts

    def attempts(store: Store, trial_ids: Sequence[int], *args: Any) -> Any:
        opened.append((store.rev, len(trial_ids)))
        return real(store, trial_ids, *args)

    monkeypatch.setattr(Store, "open_attempts", attempts)
    sweep = tmp_path / "s.toml"
    sweep.write_text(SWEEP.format(widths=list(range(2, 34))), encoding="utf-8")
    spec = load_sweep(sweep)
    engine = AtOnce([f"cuda:{slot}" for slot in range(16)], together=True)
    with Store.open(tmp_path / "s.db") as store:
        driver = Driver(store, engine, driver_id="test", clock=lambda: engine.seconds)
        assert driver.run_sweep(spec, planning.plan(spec, data.load)).status == "done"
    together = [sum(rev == one for rev, _ in opened) for one in {rev for rev, _ in opened}]
    assert max(together) >= 8


def test_fits_are_made_outside_the_transaction_and_far_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0
    taken: list[float] = []
    real = loop.current_fits

    def fits(store: Path, run: SweepRun) -> Any:
        nonlocal seconds
        assert opened._transaction is None
        taken.append(seconds)
        seconds += 3.0  # what these fits take
        return real(store, run)

    def clock() -> float:
        nonlocal seconds
        seconds += 0.05
        return seconds

    monkeypatch.setattr(loop, "current_fits", fits)
    sweep = tmp_path / "s.toml"
    sweep.write_text(SWEEP.format(widths=list(range(2, 32))), encoding="utf-8")
    spec = load_sweep(sweep)
    with Store.open(tmp_path / "s.db") as opened:
        Driver(opened, FakeEngine(), driver_id="test", clock=clock).run_sweep(spec, planning.plan(spec, data.load))
    *spaced, last = taken  # the last ones are made when the sweep ends
    assert len(spaced) >= 2
    assert all(later - earlier >= 3.0 * loop.FITS_APART for earlier, later in pairwise(spaced))
    assert last >= spaced[-1] + 3.0


def test_places_come_in_order_and_only_while_they_want_something() -> None:
    wants = {0: [], 1: ["a"], 2: [], 3: [], 4: ["b", "c"]}
    ready = Ready(5, wants.__getitem__)
    assert ready.first(9) == [(1, ["a"]), (4, ["b", "c"])]
    assert ready.looks == 5
    assert ready.first(9) == [(1, ["a"]), (4, ["b", "c"])]
    assert ready.looks == 5  # neither those that wanted nothing are looked at again, nor those whose wants are known
    wants[2] = ["now free"]
    wants[1] = ["other"]
    ready.add(2)
    ready.add(2)
    ready.add(1)
    assert ready.first(1) == [(1, ["other"])]
    assert ready.first(9) == [(1, ["other"]), (2, ["now free"]), (4, ["b", "c"])]
    assert ready.looks == 5 + 2
