"""`mlrtui run` as a user starts it: real processes, real training, real signals."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import LONG_SEARCH, SMALL_SCAN, SMALL_SEARCH, Mlrtui

from mlrtui_db import invariants, lock

pytestmark = pytest.mark.usefixtures("no_driver_left")
WriteSweep = Callable[..., Path]

ETA_STAR = "SELECT * FROM eta_star ORDER BY cell, seed"
CURVES = "SELECT cell, seed, eta, step, loss, accuracy, sharpness, products FROM curves ORDER BY cell, seed, eta, step"


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def done_trials(store: Path) -> int:
    if not store.exists():
        return 0
    try:
        return int(str(rows(store, "SELECT count(*) FROM trial WHERE status = 'done'")[0][0]))
    except sqlite3.OperationalError:
        return 0


def test_a_search_from_file_to_exponent(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--devices", "cpu:2")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    found = rows(store, "SELECT eta_star, first_failure, lambda0, lambda0_residual, censored FROM eta_star")
    assert len(found) == 8
    for eta_star, first_failure, lambda0, residual, censored in found:
        assert censored is None
        assert 0 < eta_star < first_failure
        assert lambda0 > 0
        assert 0 <= residual < 1e-2
    assert "exponent of depth*width" in done.stdout
    assert invariants.check(store) == []

    before = store.read_bytes()
    again = mlrtui("run", sweep_file(SMALL_SEARCH))
    assert again.returncode == 0
    assert "nothing was trained" in again.stdout
    assert store.read_bytes() == before

    changed = mlrtui("run", sweep_file(SMALL_SEARCH.replace("width = [16, 32]", "width = [16, 64]"), "other.toml"))
    assert changed.returncode == 2
    assert "model.width" in changed.stderr
    assert store.read_bytes() == before


def test_phases_of_a_real_catapult(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    done = mlrtui("run", sweep_file(SMALL_SCAN), "--store", "scan.db", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "scan.db", "SELECT phase FROM phases ORDER BY eta")
    assert found == [("lazy",), ("catapult",), ("divergent",)]
    assert "catapult" in done.stdout
    ((onset, survived, *next_to),) = rows(
        tmp_path / "scan.db", "SELECT c_loss, c_max, c_loss_above, c_max_below, ordered FROM onsets"
    )
    assert (onset, survived) == (pytest.approx(2.6), pytest.approx(2.6))
    assert next_to[:2] == [pytest.approx(0.5), pytest.approx(9.0)]
    assert "the largest that survives below the first that does not" in done.stdout


def test_sigkill_and_the_same_command_again(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, whole_search: Path
) -> None:
    sweep, whole, cut = sweep_file(SMALL_SEARCH), whole_search, tmp_path / "cut.db"
    half = done_trials(whole) // 2
    assert mlrtui("run", sweep, "--store", cut, "--devices", "cpu:2", "--detach").returncode == 0
    wait_for(lambda: done_trials(cut) > half, f"{half} trials")
    holder = lock.holder(cut)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    wait_for(lambda: lock.holder(cut) is None, "the lock to be free")
    assert invariants.check(cut) == []
    finished = dict(rows(cut, "SELECT trial_id, attempt FROM trial WHERE status = 'done'"))
    assert mlrtui("run", sweep, "--store", cut, "--devices", "cpu:2").returncode == 0
    after = dict(rows(cut, "SELECT trial_id, attempt FROM trial"))
    assert {trial: after[trial] for trial in finished} == finished
    assert rows(cut, ETA_STAR) == rows(whole, ETA_STAR)
    assert rows(cut, CURVES) == rows(whole, CURVES)
    assert invariants.check(cut) == []


def test_a_dead_terminal_leaves_the_run_going(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    store = tmp_path / "tty.db"
    ours, theirs = pty.openpty()
    screen = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlrtui.cli",
            "run",
            str(sweep_file(LONG_SEARCH)),
            "--store",
            str(store),
            "--devices",
            "cpu:1",
        ],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    wait_for(lambda: done_trials(store) > 0, "a first trial")
    driver = lock.holder(store)
    assert driver is not None
    os.close(ours)  # the kernel sends SIGHUP to the terminal's session
    screen.wait(timeout=60)
    holder = lock.holder(store)
    assert holder is not None
    assert holder.pid == driver.pid
    seen = mlrtui("watch", "--once", "--store", store)
    assert seen.returncode == 0, seen.stderr
    assert "long search" in seen.stdout
    before = done_trials(store)
    wait_for(lambda: done_trials(store) > before, "the run to go on")
    assert mlrtui("stop", "--store", store).returncode == 0
    assert rows(store, "SELECT status FROM sweep") == [("stopped",)]


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_stop_and_status(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    sweep, store = sweep_file(LONG_SEARCH), tmp_path / "mlrtui.db"
    assert mlrtui("run", sweep, "--detach", "--devices", "cpu:1").returncode == 0
    wait_for(lambda: done_trials(store) > 2, "some trials")
    second = mlrtui("run", sweep)
    assert second.returncode == 3
    holder = lock.holder(store)
    assert holder is not None
    assert str(holder.pid) in second.stderr
    running = json.loads(mlrtui("status", "--json").stdout)
    assert running["driver"]["pid"] == holder.pid
    stopped = mlrtui("stop")
    assert stopped.returncode == 0
    assert str(holder.pid) in stopped.stdout
    assert lock.holder(store) is None
    document = json.loads(mlrtui("status", "--json").stdout)
    assert document["driver"] is None
    assert document["sweeps"][0]["status"] == "stopped"
    assert invariants.check(store) == []
    assert "no driver is running" in mlrtui("stop").stdout


def test_dry_run_starts_nothing(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--dry-run", "--set", "sweep.seeds=3")
    assert done.returncode == 0, done.stderr
    assert "4 cells x 3 seeds = 12 nets" in done.stdout
    assert not (tmp_path / "mlrtui.db").exists()


def test_two_files_into_one_store(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    files = [sweep_file(SMALL_SCAN, "a.toml"), sweep_file(SMALL_SEARCH, "b.toml")]
    done = mlrtui("run", *files, "--devices", "fake")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "mlrtui.db", "SELECT name, status FROM sweep") == [
        ("small scan", "done"),
        ("small search", "done"),
    ]
    twice = mlrtui("run", files[0], files[0])
    assert twice.returncode == 2
    assert "sweep.name" in twice.stderr
