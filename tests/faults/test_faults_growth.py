"""A sweep grown in three steps, with a worker or a driver killed in each, is the one that is asked for at once.

Real processes, real training, another threshold among the steps. With MLRTUI_TEST_FULL=1 both are killed in each.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import FULL, SMALL_SEARCH
from faults_tools import CURVES, EXPONENTS, alive, children, done_trials, rows, wait_for

from mlrtui.config import load_sweep
from mlrtui.driver import launch
from mlrtui_db import invariants, lock

pytestmark = [pytest.mark.usefixtures("no_driver_left"), pytest.mark.timeout(1800)]
WriteSweep = Callable[..., Path]

STEPS = (
    SMALL_SEARCH.replace("seeds = 2", "seeds = 1").replace("width = [16, 32]", "width = [16]"),
    SMALL_SEARCH.replace("seeds = 2", "seeds = 1").replace("threshold = 0.5", "threshold = 0.7"),
    SMALL_SEARCH,
)
ETA_STAR = (
    "SELECT cell, seed, eta_star, eta_star_se, eta_last, first_failure, window_low, window_high, successes, trials,"
    " censored, lambda0, status FROM eta_star WHERE sweep = 'small search' ORDER BY cell, seed"
)
OF_SWEEP = " WHERE sweep = 'small search' ORDER BY"


BOTH = frozenset({"worker", "driver"})
WHOM = [BOTH] * 3 if FULL else [frozenset({who}) for who in ("worker", "driver", "worker")]


def killed(store: Path, spec: str, whom: frozenset[str]) -> tuple[int, int]:
    """Start a driver, kill a worker of it or then the driver, each when something was trained; how many of each.

    A driver that is not killed comes to its end.
    """
    driver = launch.launch(store, [spec], ["cpu"])
    workers = 0

    def progress() -> None:
        target = len(done_trials(store)) + 1
        wait_for(lambda: len(done_trials(store)) >= target or not driver.running(), "a training")

    if "worker" in whom:
        progress()
        with suppress(ProcessLookupError, IndexError):  # it has ended
            os.kill(children(driver.pid)[0], signal.SIGKILL)
            workers = 1
    if "driver" not in whom:
        assert driver.process.wait() == 0
        return workers, 0
    progress()
    orphans = children(driver.pid)
    driver.process.kill()
    ended = driver.process.wait()
    wait_for(lambda: not any(map(alive, orphans)), "the workers to end")
    wait_for(lambda: lock.holder(store) is None, "the lock to be free")
    assert invariants.check(store) == []
    return workers, int(ended == -signal.SIGKILL)


def test_grown_in_three_steps_with_kills_is_the_sweep_asked_at_once(
    sweep_file: WriteSweep, tmp_path: Path, whole_search: Path
) -> None:
    store, killed_workers, killed_drivers = tmp_path / "grown.db", 0, 0
    for step, whom in zip(STEPS, WHOM, strict=True):
        spec, known = load_sweep(sweep_file(step)).canonical(), done_trials(store) if store.exists() else {}
        workers, drivers = killed(store, spec, whom)
        killed_workers, killed_drivers = killed_workers + workers, killed_drivers + drivers
        before = done_trials(store)
        assert known.items() <= before.items()
        if "driver" in whom:
            assert launch.launch(store, [spec], ["cpu"]).process.wait() == 0
        assert before.items() <= done_trials(store).items()  # nothing that was done is trained again
    assert killed_workers > 0
    assert killed_drivers > 0
    assert invariants.check(store) == []
    assert rows(store, ETA_STAR) == rows(whole_search, ETA_STAR)
    for query in (CURVES, EXPONENTS):
        here = query.replace(" ORDER BY", OF_SWEEP)
        assert rows(store, here) == rows(whole_search, here)
