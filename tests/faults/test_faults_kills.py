"""SIGKILL of drivers and workers at random moments, and two drivers at once. Real processes, real training.

`MLRTUI_KILLS` sets the number of moments (10), `MLRTUI_KILLS_SEED` where the dice start.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import LONG_SEARCH, SMALL_SEARCH, Mlrtui
from faults_tools import alive, children, done_trials, drive, one, same_results, wait_for

from mlrtui.config import load_sweep
from mlrtui.driver import launch, stopping
from mlrtui.engines.fake import FakeEngine
from mlrtui.errors import STOPPED
from mlrtui_db import invariants, lock
from mlrtui_db.errors import StoreError

pytestmark = [pytest.mark.usefixtures("no_driver_left"), pytest.mark.timeout(3600)]
WriteSweep = Callable[..., Path]

MOMENTS = int(os.environ.get("MLRTUI_KILLS", "10"))
SEED = int(os.environ.get("MLRTUI_KILLS_SEED", "20261122"))
SECONDS = max(20.0, 12.0 * MOMENTS if MOMENTS > 10 else 0.0)  # after which no further moment begins, for each test
MOST_WORKERS = 2  # of one driver; a trial that loses three workers alone is given up, as it should
FAKE_SEARCH = LONG_SEARCH.replace("samples = 1024", "samples = 256").replace("tolerance = 0.01", "tolerance = 0.001")


class Killer:
    """Runs one sweep over and over, each time into a store of its own, and kills what works on it."""

    def __init__(self, folder: Path, sweep: Path, whole: Path, device: str, rng: random.Random) -> None:
        self.folder, self.whole, self.device, self.rng = folder, whole, device, rng
        self.spec = load_sweep(sweep).canonical()
        self.store = folder / "cut-0.db"
        self.stores = self.drivers_killed = self.workers_killed = 0

    def moments(self, count: int, seconds: float) -> None:
        """Kill ``count`` times, or as often as the time allows; then let the last store come to its end."""
        begun = time.monotonic()
        while self.killed < count and (time.monotonic() - begun < seconds or not self.killed):
            self.life(count)
        self.end()

    @property
    def killed(self) -> int:
        return self.drivers_killed + self.workers_killed

    def life(self, count: int) -> None:
        """One driver, from its start to its death, or to the sweep's end."""
        workers_of_driver = self.rng.randint(1, 2) if self.device == "cpu" else 1
        driver = launch.launch(self.store, [self.spec], [self.device] * workers_of_driver)
        if self.rng.random() < 0.25:
            time.sleep(self.rng.uniform(0.0, 1.0))  # a moment of the start, when nothing can be waited for
        else:
            workers = self.rng.randint(0, MOST_WORKERS) if self.device != "fake" else 0
            for _ in range(min(workers, count - self.killed - 1)):
                self.progress(driver)
                self.kill_worker(driver.pid)
            self.progress(driver)
        before = done_trials(self.store)
        orphans = children(driver.pid)
        driver.process.kill()  # does nothing where it has ended by itself
        ended = driver.process.wait()
        wait_for(lambda: not any(map(alive, orphans)), "the workers to end")
        wait_for(lambda: lock.holder(self.store) is None, "the lock to be free")
        if ended == -signal.SIGKILL:
            self.drivers_killed += 1
        assert invariants.check(self.store) == []
        after = done_trials(self.store)
        assert before.items() <= after.items()  # what was committed is there
        if one(self.store, "SELECT count(*) FROM sweep WHERE status = 'done'"):
            self.next_store()

    def progress(self, driver: launch.DriverProcess) -> None:
        """Wait until some more trials are done, or the driver has ended, and then a moment."""
        target = len(done_trials(self.store)) + self.rng.randint(1, 4)
        wait_for(lambda: len(done_trials(self.store)) >= target or not driver.running(), "trials")
        time.sleep(self.rng.uniform(0.0, 0.15))

    def kill_worker(self, driver: int) -> None:
        workers = children(driver)
        with suppress(ProcessLookupError, IndexError):  # the driver has ended
            os.kill(self.rng.choice(workers), signal.SIGKILL)
            self.workers_killed += 1

    def end(self) -> None:
        """Resume without any disturbance."""
        finished = done_trials(self.store)
        driver = launch.launch(self.store, [self.spec], [self.device])
        assert driver.process.wait() == 0
        assert finished.items() <= done_trials(self.store).items()  # nothing was trained twice
        self.next_store()

    def next_store(self) -> None:
        same_results(self.store, self.whole)
        self.stores += 1
        self.store = self.folder / f"cut-{self.stores}.db"


def test_real_training_survives_sigkill_of_drivers_and_workers(
    sweep_file: WriteSweep, tmp_path: Path, whole_search: Path
) -> None:
    killer = Killer(tmp_path, sweep_file(SMALL_SEARCH), whole_search, "cpu", random.Random(SEED))
    killer.moments(MOMENTS * 2 // 5, SECONDS)
    print(f"{killer.drivers_killed} drivers, {killer.workers_killed} workers killed, {killer.stores} stores compared")


def test_the_store_survives_sigkill_of_its_driver(sweep_file: WriteSweep, tmp_path: Path) -> None:
    sweep, whole = sweep_file(FAKE_SEARCH), tmp_path / "whole.db"
    drive(whole, sweep, FakeEngine())
    killer = Killer(tmp_path, sweep, whole, "fake", random.Random(SEED + 1))
    killer.moments(MOMENTS - MOMENTS * 2 // 5, SECONDS)
    print(f"{killer.drivers_killed} drivers killed, {killer.stores} stores compared")


def test_of_two_drivers_one_is_refused_and_the_other_goes_on(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    sweep, store = sweep_file(LONG_SEARCH), tmp_path / "mlrtui.db"
    spec = load_sweep(sweep).canonical()
    first = launch.launch(store, [spec], ["cpu"])
    refusal = f"is in use by process {first.pid} on "
    with pytest.raises(StoreError, match=refusal):
        launch.launch(store, [spec], ["cpu"])
    wait_for(lambda: one(store, "SELECT count(*) FROM trial WHERE status = 'done'"), "a trial")
    for command in (["run", sweep], ["resume"], ["rerun", "--failed"], ["prune", "long search", "--yes"]):
        refused = mlrtui(*command)
        assert refused.returncode == 3, command
        assert refusal in refused.stderr
    assert first.running()
    stopping.stop(store)
    assert first.process.wait() == STOPPED
    assert invariants.check(store) == []
    assert one(store, "SELECT max(attempt) FROM trial") == 1
