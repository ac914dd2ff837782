"""One driver per store, whatever names lead to it, and one that sees its store being taken away."""

import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui
from faults_tools import MANY_NETS, done_trials, drive, one, rows, started, wait_for

from mlrtui.config import load_sweep
from mlrtui.driver import launch, stopping
from mlrtui.engines.fake import FakeEngine
from mlrtui.errors import STOPPED
from mlrtui_db import invariants, lock
from mlrtui_db.errors import StoreError, StoreLocked, StoreMoved, StoreUnwritable
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

WriteSweep = Callable[..., Path]
Start = Callable[..., launch.DriverProcess]

needs_inode_lock = pytest.mark.skipif(
    not hasattr(fcntl, "F_OFD_SETLK"), reason="this system has no locks of open file descriptions"
)


@pytest.fixture
def start(sweep_file: WriteSweep) -> Iterator[Start]:
    """Starts drivers; none is left."""
    drivers: list[launch.DriverProcess] = []

    def begin(store: Path, text: str = MANY_NETS) -> launch.DriverProcess:
        drivers.append(started(store, sweep_file(text)))
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.process.kill()
        driver.end()


def spec(sweep_file: WriteSweep) -> str:
    return load_sweep(sweep_file(MANY_NETS)).canonical()


@needs_inode_lock
@pytest.mark.parametrize("lose", ["removed", "replaced", "renamed"])
def test_a_lost_lock_file_lets_nobody_in_and_comes_back(
    mlrtui: Mlrtui, start: Start, sweep_file: WriteSweep, tmp_path: Path, lose: str
) -> None:
    store = tmp_path / "mlrtui.db"
    driver = start(store)
    path = lock.lock_path(store)
    if lose == "renamed":
        path.rename(tmp_path / "elsewhere")
    else:
        path.unlink()
    if lose == "replaced":
        path.write_text("{}")
    with pytest.raises(StoreLocked, match=f"in use by process {driver.pid} on"):
        Store.open(store)  # at once, before the file is back
    wait_for(lambda: (who := lock.look(store)[1]) is not None and who.pid == driver.pid, "the lock file to be back")
    assert f"process {driver.pid} on" in mlrtui("status").stdout
    with pytest.raises(StoreError, match="is in use by"):
        launch.launch(store, [spec(sweep_file)], ["fake"])
    stopped = mlrtui("stop")
    assert f"(pid {driver.pid})" in stopped.stdout
    assert driver.end() == launch.DriverEnd(STOPPED, "")
    assert invariants.check(store) == []


@needs_inode_lock
def test_stop_reaches_a_driver_whose_lock_file_is_gone(mlrtui: Mlrtui, start: Start, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    driver = start(store)
    lock.lock_path(store).unlink()
    assert f"(pid {driver.pid})" in mlrtui("stop", "--now").stdout
    assert driver.process.wait() == -signal.SIGKILL
    assert invariants.check(store) == []


def test_a_hard_link_is_refused_by_name(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    store, other = tmp_path / "mlrtui.db", tmp_path / "other.db"
    drive(store, sweep_file(SMALL_SEARCH), FakeEngine(), stop_after=20)
    other.hardlink_to(store)
    before = store.read_bytes()
    for path in (store, other):
        for words in (["run", "sweep.toml"], ["resume"], ["rerun", "--failed"], ["prune", "small search", "--yes"]):
            refused = mlrtui(*words, "--store", path)
            assert refused.returncode == 3, words
            assert "2 names (hard links)" in refused.stderr
    assert mlrtui("status", "--store", other).returncode == 0
    assert store.read_bytes() == before
    assert mlrtui("backup", "own.db", "--store", other).returncode == 0
    assert mlrtui("resume", "--store", "own.db", "--devices", "fake").returncode == 0


@needs_inode_lock
def test_a_hard_link_made_during_a_run_lets_no_second_driver_in(start: Start, tmp_path: Path) -> None:
    store, other = tmp_path / "mlrtui.db", tmp_path / "other.db"
    driver = start(store)
    other.hardlink_to(store)
    with pytest.raises(StoreUnwritable, match="hard links"):
        Store.open(other)
    assert driver.running()


@needs_inode_lock
def test_a_store_mounted_under_another_name(mlrtui: Mlrtui, start: Start, tmp_path: Path) -> None:
    store, other = tmp_path / "mlrtui.db", tmp_path / "mount" / "other.db"
    driver = start(store)
    other.parent.mkdir()
    other.touch()
    mounted = subprocess.run(["mount", "--bind", store, other], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting a file is not allowed here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(StoreUnwritable, match="mount its folder instead"):
            Store.open(other)
        held = lock.acquire(other)
        with held, pytest.raises(StoreLocked, match=f"process {driver.pid} on"):
            held.hold(other)
        assert f"(process {driver.pid} on" in mlrtui("status", "--store", other).stdout
        assert f"(pid {driver.pid})" in stopping.stop(other)
        assert driver.end().code == STOPPED
    finally:
        subprocess.run(["umount", "-l", other], check=True)


@needs_inode_lock
@pytest.mark.parametrize("leave", [None, "replaced"])
def test_a_store_that_is_moved_is_noticed_and_is_whole(
    mlrtui: Mlrtui, start: Start, sweep_file: WriteSweep, tmp_path: Path, leave: str | None
) -> None:
    store, moved = tmp_path / "mlrtui.db", tmp_path / "moved.db"
    copy = tmp_path / "copy.db"
    drive(copy, sweep_file(SMALL_SEARCH), FakeEngine())
    driver = start(store)
    before = done_trials(store)
    store.rename(moved)
    if leave:
        shutil.copy(copy, store)
    end = driver.end()
    assert end.code == 3
    assert f"{store} was moved to {moved}" in end.words
    assert not os.path.lexists(f"{store}-wal")  # or the next one to open this name would read it
    assert before.items() <= done_trials(moved).items()
    assert invariants.check(moved) == []
    said = mlrtui("status", "--store", moved).stdout
    assert f"was moved to {moved}" in said
    if leave:
        assert invariants.check(store) == []
        assert rows(store, "SELECT name FROM sweep") == [("small search",)]


def test_a_store_that_is_removed_is_noticed(
    mlrtui: Mlrtui, start: Start, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    store = tmp_path / "mlrtui.db"
    driver = start(store)
    store.unlink()
    end = driver.end()
    assert (end.code, "was removed while its driver was at work" in end.words) == (3, True)
    assert mlrtui("run", sweep_file(SMALL_SEARCH), "--devices", "fake").returncode == 0  # nothing is in its way


@needs_inode_lock
def test_the_folder_of_a_store_is_moved(start: Start, tmp_path: Path) -> None:
    folder, moved = tmp_path / "here", tmp_path / "there"
    folder.mkdir()
    driver = start(folder / "mlrtui.db")
    folder.rename(moved)
    end = driver.end()
    assert end.code == 3
    assert f"moved to {moved / 'mlrtui.db'}" in end.words
    assert invariants.check(moved / "mlrtui.db") == []
    Store.open(moved / "mlrtui.db").close()


def test_no_commit_goes_to_a_store_that_is_elsewhere(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    with Store.open(store) as opened:
        with opened.transaction():
            opened.add_event("info", "before")
        store.rename(tmp_path / "b.db")
        with pytest.raises(StoreMoved), opened.transaction():
            opened.add_event("info", "after")
    assert rows(tmp_path / "b.db", "SELECT text FROM event") == [("before",)]


def test_a_store_moved_without_its_log_is_not_taken_for_whole(
    mlrtui: Mlrtui, start: Start, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    store, moved = tmp_path / "mlrtui.db", tmp_path / "moved.db"
    driver = start(store)
    wait_for(lambda: len(done_trials(store)) > 3, "some trials")
    os.kill(driver.pid, signal.SIGKILL)
    assert driver.end().code == 4
    finished = done_trials(store)
    store.rename(moved)
    content = moved.read_bytes()
    for words in (["resume"], ["run", "sweep.toml"], ["rerun", "--failed"]):
        refused = mlrtui(*words, "--store", moved)
        assert refused.returncode == 3, refused.stdout
        assert f"it still lies at {store}-wal: move it to {moved}-wal" in refused.stderr
    with pytest.raises(StoreError, match="without its log"):
        Store.open(moved)
    assert mlrtui("merge", "all.db", moved).returncode == 3
    assert moved.read_bytes() == content
    kept = tmp_path / "kept-wal"
    Path(f"{store}-wal").rename(kept)
    assert "`mlrtui archive" in mlrtui("resume", "--store", moved).stderr
    assert mlrtui("archive", moved, "without.db").returncode == 0
    Store.open(tmp_path / "without.db").close()
    kept.rename(f"{moved}-wal")
    assert done_trials(moved) == finished
    Store.open(moved).close()
    assert done_trials(moved) == finished
    assert invariants.check(moved) == []


def test_a_log_that_another_program_brought_in_is_not_missed(start: Start, tmp_path: Path) -> None:
    """The `sqlite3` shell, for one, brings the log in when it leaves."""
    store = tmp_path / "mlrtui.db"
    driver = start(store)
    os.kill(driver.pid, signal.SIGKILL)
    driver.end()
    connection = sqlite3.connect(store)
    connection.execute("SELECT count(*) FROM trial").fetchall()
    connection.close()
    assert not Path(f"{store}-wal").exists()
    with Store.open(store) as opened:
        assert "died without a word" in opened.predecessor


def test_a_reader_of_an_old_view_does_not_cost_the_moved_store_its_log(tmp_path: Path) -> None:
    store, moved = tmp_path / "a.db", tmp_path / "b.db"
    opened = Store.open(store)
    with opened.transaction():
        opened.add_event("info", "first")
    with closing(sqlite3.connect(store, isolation_level=None)) as held:
        held.execute("BEGIN")
        assert held.execute("SELECT count(*) FROM event").fetchone() == (1,)
        with opened.transaction():
            opened.add_event("info", "second")
        store.rename(moved)
        with pytest.raises(StoreMoved):
            opened.transaction().__enter__()
        opened.close()
        assert not os.path.lexists(f"{store}-wal")
    assert rows(moved, "SELECT text FROM event ORDER BY event_id") == [("first",), ("second",)]
    Store.open(moved).close()
    assert invariants.check(moved) == []


def test_copies_have_no_mark_of_a_driver(mlrtui: Mlrtui, start: Start, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    start(store)
    assert one(store, "SELECT count(*) FROM meta WHERE key = 'writer'") == 1
    assert mlrtui("backup", "copy.db").returncode == 0
    assert one(tmp_path / "copy.db", "SELECT count(*) FROM meta WHERE key = 'writer'") == 0
    with Reader.open(tmp_path / "copy.db") as reader:
        assert reader.last_end() is None
    Store.open(tmp_path / "copy.db").close()
