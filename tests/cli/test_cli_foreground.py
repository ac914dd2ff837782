"""`--foreground`, `--until` and `--backup-to` as a batch job uses them: real processes, real signals, real files."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import FULL, LONG_SEARCH, SMALL_SEARCH, Mlrtui
from test_cli_life import members
from test_cli_run import CURVES, ETA_STAR, done_trials, rows
from test_cli_run import wait_for as wait_for_seconds

from mlrtui_db import invariants, lock

pytestmark = [pytest.mark.usefixtures("no_driver_left"), pytest.mark.timeout(600)]
wait_for = partial(wait_for_seconds, seconds=400)
WriteSweep = Callable[..., Path]

MANY = LONG_SEARCH.replace("seeds = 2", "seeds = 200")
"""So many trainings that the fake engine, too, is interrupted."""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command in the background, in a process group of its own; killed at the end of the test."""
    started = []

    def begin(*words: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-P", "-m", "mlrtui.cli", *map(str, words)]
        process = subprocess.Popen(
            command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def driver_of(store: Path) -> int:
    wait_for(lambda: lock.is_held(store), "a driver")
    holder = lock.holder(store)
    assert holder is not None
    return holder.pid


def status_of(store: Path) -> object:
    return rows(store, "SELECT status FROM sweep")[0][0]


@pytest.mark.parametrize(
    ("number", "code"),  # SIGTERM and SIGUSR1 reach the whole job below
    [(signal.SIGHUP, 75), (signal.SIGINT, 130), *([(signal.SIGTERM, 75), (signal.SIGUSR1, 75)] if FULL else [])],
)
def test_a_signal_stops_cleanly_and_the_same_command_goes_on(
    start: Start, mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    store = tmp_path / "mlrtui.db"
    run = start("run", sweep_file(MANY), "--foreground", "--devices", "fake")
    wait_for(lambda: done_trials(store) > 2, "some trials")
    pid, before = driver_of(store), done_trials(store)
    assert os.getsid(pid) == os.getsid(run.pid)
    run.send_signal(number)
    out, _ = run.communicate(timeout=300)
    assert run.returncode == code, out
    assert "stopped 'long search'; the same command resumes it" in out
    assert (lock.holder(store), status_of(store), members(run.pid)) == (None, "stopped", [])
    assert done_trials(store) >= before
    assert rows(store, "SELECT count(*) FROM attempt WHERE outcome = 'lost'") == [(0,)]
    assert invariants.check(store) == []


def test_a_signal_to_the_whole_job_is_one_request(start: Start, sweep_file: WriteSweep, tmp_path: Path) -> None:
    """As a job manager sends it: to the command, its driver and the workers."""
    store = tmp_path / "mlrtui.db"
    text = SMALL_SEARCH.replace("seeds = 2", "seeds = 20").replace("tolerance = 0.3", "tolerance = 0.01")
    run = start("run", sweep_file(text), "--foreground", "--devices", "cpu:2")
    wait_for(lambda: done_trials(store) > 0, "some trials")
    for number in (signal.SIGUSR1, signal.SIGTERM):
        os.killpg(run.pid, number)
    out, _ = run.communicate(timeout=300)
    assert run.returncode == 75, out
    assert (lock.holder(store), status_of(store), members(run.pid)) == (None, "stopped", [])
    assert "stopped 'small search'; the same command resumes it" in out
    assert "killed" not in out
    assert invariants.check(store) == []


def test_a_second_signal_ends_at_once(start: Start, sweep_file: WriteSweep, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    run = start("run", sweep_file(MANY), "--foreground", "--devices", "fake")
    wait_for(lambda: done_trials(store) > 2, "some trials")
    pid, before = driver_of(store), done_trials(store)
    os.kill(pid, signal.SIGSTOP)  # it will never stop by being asked

    def again() -> bool:
        run.send_signal(signal.SIGTERM)
        return run.poll() is not None

    wait_for(again, "the end")
    out, _ = run.communicate(timeout=300)
    assert run.returncode == 75, out
    assert "the driver was killed; what was committed is kept" in out
    assert (lock.holder(store), status_of(store), members(run.pid)) == (None, "stopped", [])
    assert done_trials(store) >= before
    assert invariants.check(store) == []


def test_the_driver_ends_with_the_command_that_is_killed(start: Start, sweep_file: WriteSweep, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    run = start("run", sweep_file(MANY), "--foreground", "--devices", "fake")
    wait_for(lambda: done_trials(store) > 0, "a trial")
    run.kill()
    wait_for(lambda: not lock.is_held(store), "the driver to end")  # the kernel kills it, and gives its lock back
    wait_for(lambda: members(run.pid) == [], "its group to end")
    assert invariants.check(store) == []


def test_stop_from_elsewhere_is_told_apart_from_done(
    start: Start, mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    store = tmp_path / "mlrtui.db"
    for how in ("--foreground", "--no-tui"):
        run = start(
            "resume" if store.exists() else "run",
            *([] if store.exists() else [sweep_file(MANY)]),
            how,
            "--devices",
            "fake",
        )
        driver_of(store)
        wait_for(store.exists, "the store")  # it is made under the lock
        wait_for(lambda: rows(store, "SELECT 1 FROM sweep WHERE status = 'open'"), "the sweep to be open")
        assert mlrtui("stop").returncode == 0
        out, _ = run.communicate(timeout=300)
        assert run.returncode == 75, out


def test_done_is_0_in_the_foreground_too(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, whole_search: Path
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    done = mlrtui("run", sweep_file(SMALL_SEARCH), "--foreground", "--devices", "cpu:1", "--backup-to", "copy.db")
    assert done.returncode == 0, done.stderr
    assert "exponent of depth*width" in done.stdout
    assert {number: signal.getsignal(number) for number in before} == before
    for store in (tmp_path / "mlrtui.db", tmp_path / "copy.db"):  # the last backup has everything
        for query in (ETA_STAR, CURVES):
            assert rows(store, query) == rows(whole_search, query)
        assert status_of(store) == "done"
        assert invariants.check(store) == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("how", ["--foreground", "--detach"])
def test_until_stops_as_asked_and_says_so(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, how: str) -> None:
    store, sweep = tmp_path / "mlrtui.db", sweep_file(MANY)
    far = mlrtui("run", sweep, "--detach", "--devices", "fake", "--until", "+6h")
    assert far.returncode == 0, far.stderr
    driver_of(store)
    until = time.strftime(
        "%m-%d %H:%M", time.localtime(json.loads(mlrtui("status", "--json").stdout)["driver"]["until"])
    )
    assert f"is running until {until}" in mlrtui("status").stdout
    wait_for(lambda: rows(store, "SELECT 1 FROM sweep"), "the sweep")
    assert f"until {until}" in mlrtui("watch", "--once", "--size", "120x36").stdout.splitlines()[0]
    assert rows(store, "SELECT text FROM event WHERE text LIKE 'stops at%'") == [(f"stops at {until} (--until)",)]
    assert mlrtui("stop").returncode == 0

    done = mlrtui("resume", how, "--devices", "fake", "--until", "3s")
    assert done.returncode == (75 if how == "--foreground" else 0), done.stderr
    wait_for(lambda: not lock.is_held(store), "the driver to stop by itself")
    assert status_of(store) == "stopped"
    (text,) = rows(store, "SELECT text FROM event WHERE text LIKE 'stopped%' ORDER BY event_id DESC LIMIT 1")[0]
    assert str(text).startswith("stopped 'long search' (--until ")
    assert invariants.check(store) == []


def test_a_job_goes_on_elsewhere_from_its_backup(
    start: Start, mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    """A node's disk is lost: the next node begins with the newest backup, and refuses to begin with less."""
    sweep, first, copy = sweep_file(MANY), tmp_path / "first.db", tmp_path / "copy.db"
    common = ("--foreground", "--devices", "fake", "--backup-to", copy, "--backup-every", "1s")
    run = start("run", sweep, "--store", first, *common)
    wait_for(lambda: done_trials(copy) > 2, "a backup with trials")
    run.kill()
    wait_for(lambda: members(run.pid) == [], "the first job to be gone")
    kept = dict(rows(copy, "SELECT trial_id, attempt FROM trial WHERE status = 'done'"))
    assert invariants.check(copy) == []
    first.unlink()

    refused = mlrtui("run", sweep, "--store", "second.db", *common)
    assert refused.returncode == 2
    assert "holds another 'long search' than second.db: copy it to second.db to go on from it" in refused.stderr
    assert not (tmp_path / "second.db").exists()

    second = tmp_path / "second.db"
    second.write_bytes(copy.read_bytes())
    run = start("run", sweep, "--store", second, *common)
    wait_for(lambda: done_trials(second) > len(kept), "the run to go on")
    run.send_signal(signal.SIGUSR1)
    out, _ = run.communicate(timeout=300)
    assert run.returncode == 75, out
    after = dict(rows(copy, "SELECT trial_id, attempt FROM trial"))
    assert {trial: after[trial] for trial in kept} == kept
    assert done_trials(copy) == done_trials(second) > len(kept)  # the last backup was made at the stop
    assert invariants.check(copy) == []

    third = tmp_path / "third.db"
    third.write_bytes(copy.read_bytes())
    run = start("run", sweep, "--store", third, *common)
    wait_for(lambda: done_trials(copy) > done_trials(second), "the backup to get ahead of the second store")
    run.kill()
    wait_for(lambda: members(run.pid) == [], "the third job to be gone")
    behind = mlrtui("run", sweep, "--store", second, *common)
    assert behind.returncode == 2
    assert "more trials of 'long search' than" in behind.stderr


def test_a_backup_that_fails_is_an_event_and_not_the_end(
    start: Start, mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    shared, store = tmp_path / "shared", tmp_path / "mlrtui.db"
    shared.mkdir()
    copy = shared / "copy.db"
    run = start(
        *("run", sweep_file(SMALL_SEARCH), "--foreground", "--devices", "cpu:1"),
        *("--backup-to", copy, "--backup-every", "1s"),
    )
    wait_for(copy.exists, "a first backup")
    shared.rename(tmp_path / "gone")  # as a file system that is not mounted any more
    out, _ = run.communicate(timeout=300)
    assert run.returncode == 1, out  # all is done, but the last backup was not made
    assert status_of(store) == "done"
    assert rows(store, "SELECT count(*) FROM event WHERE text LIKE 'no backup: the folder % does not exist%'")[0][0]
    assert f"no backup: the folder {shared} does not exist" in out


def test_a_backup_never_takes_the_place_of_something_else(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, made: Callable[..., Path]
) -> None:
    store = made(SMALL_SEARCH)
    other = tmp_path / "other.db"
    other.write_bytes(store.read_bytes())
    (tmp_path / "text.txt").write_text("my notes")
    sweep = sweep_file(LONG_SEARCH)
    for path, code, text in (
        ("text.txt", 3, "text.txt"),
        ("other.db", 2, "holds another 'small search' than new.db"),
        ("new.db", 2, "is the store itself"),
    ):
        refused = mlrtui("run", sweep, "--store", "new.db", "--foreground", "--devices", "fake", "--backup-to", path)
        assert refused.returncode == code, refused.stderr
        assert text in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert (tmp_path / "text.txt").read_text() == "my notes"
    assert other.read_bytes() == store.read_bytes()


def test_a_command_of_the_user_hears_of_the_end(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    command = 'echo "$MLRTUI_EVENT: $MLRTUI_TEXT" >> told'
    file = sweep_file(SMALL_SEARCH)
    assert mlrtui("run", file, "--foreground", "--devices", "fake", "--notify", command).returncode == 0
    wait_for((tmp_path / "told").exists, "the news")
    wait_for(lambda: (tmp_path / "told").read_text() == "done: 'small search' is done\n", "the news")
    done = mlrtui("run", file, "--foreground", "--devices", "fake", "--notify", " ")
    assert done.returncode == 2
    assert "--notify ' ': not a command" in done.stderr
