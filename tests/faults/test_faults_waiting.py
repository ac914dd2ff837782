"""A full disk, a clock that steps back, a reader that holds on, another program's lock: training waits or goes on."""

import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui, file_size_limit
from faults_tools import drive, driver_pid, last_event, one, rows, same_results, wait_for

from mlrtui.commands.follow import follow
from mlrtui.driver import __main__ as driver_main
from mlrtui.driver import committing
from mlrtui.engines.fake import FakeEngine
from mlrtui_db import invariants, lock
from mlrtui_db.errors import StoreLimited
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

pytestmark = pytest.mark.usefixtures("no_driver_left")
WriteSweep = Callable[..., Path]
TOO_SMALL = 300_000  # bytes: a new store fits, the curves of a sweep do not


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.strip()}")
    yield folder
    holder = lock.holder(folder / "s.db")
    if holder is not None:
        os.kill(holder.pid, 9)
        wait_for(lambda: lock.holder(folder / "s.db") is None, "the driver to end")
    subprocess.run(["umount", "-l", folder], check=True)


def waits(store: Path) -> bool:
    holder = lock.holder(store)
    return holder is not None and holder.note == "training waits: the disk is full"


def test_a_full_disk_is_waited_out(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, small_disk: Path) -> None:
    sweep, store = sweep_file(SMALL_SEARCH), small_disk / "s.db"
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    ballast = small_disk / "ballast"
    with Store.open(store):
        pass
    (small_disk / "s.db.log").touch()
    room = shutil.disk_usage(small_disk).free - 150_000
    ballast.write_bytes(bytes(room))
    assert mlrtui("run", sweep, "--store", store, "--devices", "fake", "--detach").returncode == 0
    wait_for(lambda: waits(store), "the disk to be full")
    said = mlrtui("status", "--store", store)
    assert "training waits: the disk is full" in said.stdout
    assert json.loads(mlrtui("status", "--json", "--store", store).stdout)["driver"]["note"]
    assert "training waits: the disk is full" in mlrtui("watch", "--once", "--store", store).stdout
    with Reader.open(store) as reader:
        assert reader.sweeps()[0].status == "open"
    ballast.unlink()
    size = "remount,size=64m"
    subprocess.run(["mount", "-o", size, small_disk], check=True)
    wait_for(lambda: lock.holder(store) is None, "the run to end")
    same_results(store, tmp_path / "whole.db")


def test_a_driver_that_waits_can_be_stopped(mlrtui: Mlrtui, sweep_file: WriteSweep, small_disk: Path) -> None:
    store = small_disk / "s.db"
    Store.open(store).close()
    (small_disk / "s.db.log").touch()
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - 150_000))
    assert mlrtui("run", sweep_file(SMALL_SEARCH), "--store", store, "--devices", "fake", "--detach").returncode == 0
    wait_for(lambda: waits(store), "the disk to be full")
    assert mlrtui("stop", "--store", store).returncode == 0
    assert lock.holder(store) is None
    assert invariants.check(store) == []


def test_a_limit_on_the_size_of_files_is_not_waited_for(sweep_file: WriteSweep, tmp_path: Path) -> None:
    """Nothing frees space under it, so training ends with a sentence, and goes on when it is resumed."""
    sweep, store = sweep_file(SMALL_SEARCH), tmp_path / "s.db"
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    Store.open(store).close()
    with file_size_limit(TOO_SMALL), pytest.raises(StoreLimited, match=r"limit on the size of files, 300000 bytes"):
        drive(store, sweep, FakeEngine())
    assert invariants.check(store) == []
    drive(store, sweep, FakeEngine())
    same_results(store, tmp_path / "whole.db")


def test_another_programs_lock_is_waited_out(sweep_file: WriteSweep, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("mlrtui_db._sqlite._BUSY_MS", 50)
    sweep, store = sweep_file(SMALL_SCAN), tmp_path / "s.db"
    Store.open(store).close()
    with closing(sqlite3.connect(store, isolation_level=None, check_same_thread=False)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        worker = threading.Thread(target=drive, args=(store, sweep, FakeEngine()))
        worker.start()
        wait_for(lambda: getattr(lock.holder(store), "note", ""), "the driver to wait")
        holder = lock.holder(store)
        assert holder is not None
        assert holder.note == "training waits: another program keeps the store locked"
        intruder.execute("ROLLBACK")
        worker.join()
    assert one(store, "SELECT status FROM sweep") == "done"
    assert invariants.check(store) == []


def test_progress_lines_say_what_is_waited_for(
    sweep_file: WriteSweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "s.db"
    drive(store, sweep_file(SMALL_SCAN), FakeEngine())
    with Store.open(store) as opened:
        opened.note("training waits: the disk is full")
        follow(store, [], iter([True, False]).__next__)
    assert capsys.readouterr().out.count("training waits: the disk is full") == 1


def test_a_clock_that_steps_back_changes_no_result(sweep_file: WriteSweep, tmp_path: Path) -> None:
    sweep, store = sweep_file(SMALL_SEARCH), tmp_path / "s.db"
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    hour = itertools.count()
    drive(store, sweep, FakeEngine(), stop_after=60, clock=lambda: 1e9 - 3600.0 * next(hour))
    drive(store, sweep, FakeEngine(), clock=lambda: 1e6 - 3600.0 * next(hour))
    same_results(store, tmp_path / "whole.db")
    with Reader.open(store) as reader:
        live = reader.live()
        assert live is not None
        assert [event.event_id for event in live.events] == sorted((e.event_id for e in live.events), reverse=True)


def test_a_reader_that_holds_on_is_named_and_harms_nothing(
    sweep_file: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "WAL_WARNING_BYTES", 200_000)
    sweep, store = sweep_file(SMALL_SEARCH), tmp_path / "s.db"
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    Store.open(store).close()
    with closing(sqlite3.connect(store, isolation_level=None)) as held:
        held.execute("BEGIN")
        assert held.execute("SELECT count(*) FROM sweep").fetchone() == (0,)
        drive(store, sweep, FakeEngine())
        assert store.with_name("s.db-wal").stat().st_size > 200_000
        assert held.execute("SELECT count(*) FROM sweep").fetchone() == (0,)
        held.execute("COMMIT")
    assert rows(store, "SELECT count(*) FROM event WHERE text LIKE '%some reader holds an old view%'") == [(1,)]
    same_results(store, tmp_path / "whole.db")


def test_a_reader_killed_inside_a_transaction_is_forgotten(sweep_file: WriteSweep, tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    Store.open(store).close()
    program = (
        "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN')\n"
        "c.execute('SELECT count(*) FROM sweep').fetchall()\nprint('holds', flush=True)\ntime.sleep(1000)\n"
    )
    reader = subprocess.Popen([sys.executable, "-c", program, str(store)], stdout=subprocess.PIPE)
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"holds\n"
    reader.kill()
    reader.communicate()
    drive(store, sweep_file(SMALL_SCAN), FakeEngine())
    assert not store.with_name("s.db-wal").exists()
    assert invariants.check(store) == []


def test_a_network_file_system_is_warned_of(
    sweep_file: WriteSweep, tmp_path: Path, mlrtui: Mlrtui, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlrtui_db.filesystem.network_kind", lambda path, mounts=None: "nfs4")
    store = tmp_path / "mlrtui.db"
    done = mlrtui("run", sweep_file(SMALL_SCAN), "--devices", "fake")
    assert done.returncode == 0, done.stderr
    assert "network file system (nfs4)" in done.stderr
    assert "local disk" in done.stderr
    assert driver_pid(store) is None
    assert last_event(store) == "finished 'small scan'"


def test_what_a_driver_finds_is_an_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlrtui_db.filesystem.network_kind", lambda path: "nfs4")
    with Store.open(tmp_path / "s.db") as store:
        driver_main._report(store)
    (event,) = rows(tmp_path / "s.db", "SELECT level, text FROM event ORDER BY event_id")
    assert event[0] == "warning"
    assert "(nfs4)" in str(event[1])
