"""Driving real sweeps, breaking them, and comparing what is left with an undisturbed run."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver import launch
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.engines.base import Engine
from mlrtui_db import invariants, lock
from mlrtui_db.store import Store

ETA_STAR = "SELECT * FROM eta_star ORDER BY cell, seed"
CURVES = "SELECT cell, seed, eta, step, loss, accuracy, sharpness, products FROM curves ORDER BY cell, seed, eta, step"
EXPONENTS = "SELECT * FROM exponents ORDER BY fit, term"


def drive(
    store: Path,
    sweep: Path,
    engine: Engine,
    *,
    stop_after: int | None = None,
    clock: Callable[[], float] = time.time,
) -> SweepEnd:
    """Run a sweep in this process; stop when the driver has looked ``stop_after`` times whether it should."""
    spec = load_sweep(sweep)
    looks = 0

    def should_stop() -> bool:
        nonlocal looks
        looks += 1
        return stop_after is not None and looks > stop_after

    with Store.open(store, clock=clock) as opened:
        driver = Driver(opened, engine, driver_id="test", should_stop=should_stop)
        return driver.run_sweep(spec, planning.plan(spec, data.load))


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def one(store: Path, sql: str) -> object:
    return rows(store, sql)[0][0]


def last_event(store: Path) -> object:
    return one(store, "SELECT text FROM event ORDER BY event_id DESC LIMIT 1")


def driver_pid(store: Path) -> int | None:
    holder = lock.holder(store)
    return None if holder is None else holder.pid


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def same_results(store: Path, whole: Path) -> None:
    """Every invariant holds, and answers, curves and fits are those of the undisturbed run, bit for bit."""
    assert invariants.check(store) == []
    for query in (ETA_STAR, CURVES, EXPONENTS):
        found = rows(store, query)
        assert found == rows(whole, query)
    assert rows(store, "SELECT DISTINCT status FROM sweep") == [("done",)]


def done_trials(store: Path) -> dict[object, object]:
    """Attempt and number of steps of every trial that is done."""
    try:
        found = rows(store, "SELECT trial_id, attempt, n_steps FROM trial WHERE status = 'done'")
    except sqlite3.OperationalError:  # the store is just being made
        return {}
    return {trial: (attempt, steps) for trial, attempt, steps in found}


def children(pid: int) -> list[int]:
    """Processes that this one started."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []


def alive(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


MANY_NETS = """
[sweep]
name = "many nets"
seeds = 300
[data]
name = "digits"
samples = 64
[model]
kind = "mlp"
depth = [1, 2]
width = [16, 32]
[training]
loss = "ce"
batch = 32
epochs = 3
[search]
threshold = 0.5
tolerance = 0.001
[sharpness]
every = 0
"""
"""With made-up numbers it takes as long as any test needs."""


def started(store: Path, sweep: Path, *, device: str = "fake") -> launch.DriverProcess:
    """A driver in a process of its own, once it has committed something."""
    driver = launch.launch(store, [load_sweep(sweep).canonical()], [device])
    wait_for(lambda: done_trials(store), "a trial")
    return driver
