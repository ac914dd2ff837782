"""The life of a store: resume, stop --now, rerun, backup, archive, merge, prune, as a user types them."""

import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import LONG_SEARCH, SMALL_SCAN, SMALL_SEARCH, Mlrtui
from test_cli_run import done_trials, rows, wait_for

from mlrtui_db import invariants, lock
from mlrtui_db.store import Store

pytestmark = pytest.mark.usefixtures("no_driver_left")
WriteSweep = Callable[..., Path]


@pytest.fixture
def fake_store(made: Callable[..., Path]) -> Path:
    return made(SMALL_SEARCH, SMALL_SCAN)


def test_backup_then_stop_now_then_resume_without_a_file(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    sweep, store, copy = sweep_file(LONG_SEARCH), tmp_path / "mlrtui.db", tmp_path / "copy.db"
    assert mlrtui("run", sweep, "--detach", "--devices", "cpu:1").returncode == 0
    wait_for(lambda: done_trials(store) > 2, "some trials")
    holder = lock.holder(store)
    assert holder is not None

    done = mlrtui("backup", copy)
    assert done.returncode == 0, done.stderr
    assert lock.holder(store) == holder
    refused = mlrtui("archive", store, tmp_path / "archive.db")
    assert refused.returncode == 3
    assert "mlrtui backup" in refused.stderr
    assert done_trials(copy) > 2
    assert invariants.check(copy) == []
    assert "is there already" in mlrtui("backup", copy).stderr

    killed = mlrtui("stop", "--now")
    assert killed.returncode == 0, killed.stderr
    assert f"killed the driver of mlrtui.db (pid {holder.pid})" in killed.stdout
    assert lock.holder(store) is None
    wait_for(lambda: members(holder.pid) == [], "the workers to end")
    assert rows(store, "SELECT status FROM sweep") == [("stopped",)]
    assert invariants.check(store) == []
    before = done_trials(store)
    sweep.unlink()
    resumed = mlrtui("resume", "--detach", "--devices", "cpu:1")
    assert resumed.returncode == 0, resumed.stderr
    wait_for(lambda: done_trials(store) > before, "the run to go on")
    assert mlrtui("stop").returncode == 0
    assert invariants.check(store) == []


def members(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def test_a_driver_elsewhere_is_not_killed(mlrtui: Mlrtui, fake_store: Path, tmp_path: Path) -> None:
    with lock.acquire(fake_store) as held:
        said = json.loads(held.path.read_text())
        held.path.write_text(json.dumps(said | {"namespace": "pid:[1]"}))
        done = mlrtui("stop", "--now")
    assert done.returncode == 3
    assert "runs elsewhere" in done.stderr


def test_resume_of_what_is_done_and_of_what_is_not_there(mlrtui: Mlrtui, fake_store: Path) -> None:
    before = fake_store.read_bytes()
    done = mlrtui("resume")
    assert (done.returncode, "nothing to resume" in done.stdout) == (0, True)
    unknown = mlrtui("resume", "no such sweep")
    assert unknown.returncode == 2
    assert "'small scan'" in unknown.stderr
    assert fake_store.read_bytes() == before
    assert mlrtui("resume", "--store", "none.db").returncode == 3


def test_settings_of_another_version_are_a_sentence(mlrtui: Mlrtui, fake_store: Path) -> None:
    with closing(sqlite3.connect(fake_store)) as connection:
        connection.execute("UPDATE sweep SET status = 'stopped', finished_at = NULL, spec = '{\"sweep\": 1}'")
        connection.commit()
    done = mlrtui("resume")
    assert done.returncode == 3
    assert "the stored settings of sweep" in done.stderr
    assert "Traceback" not in done.stderr


def test_rerun_of_what_failed(mlrtui: Mlrtui, fake_store: Path, tmp_path: Path) -> None:
    whole = rows(fake_store, "SELECT * FROM eta_star ORDER BY cell, seed")
    curves = rows(fake_store, "SELECT sweep, cell, seed, eta, step, loss FROM curves ORDER BY 1, 2, 3, 4, 5")
    with closing(sqlite3.connect(fake_store)) as connection:
        connection.execute(
            "UPDATE trial SET status = 'failed', verdict = 'failed', phase = NULL, error = 'out of memory'"
            " WHERE trial_id IN (SELECT max(trial_id) FROM trial JOIN net USING (net_id) GROUP BY cell_id)"
        )
        connection.execute(
            "UPDATE net SET status = 'failed' WHERE net_id IN (SELECT net_id FROM trial WHERE status = 'failed')"
            " AND start_eta IS NOT NULL"
        )
        connection.commit()
    assert mlrtui("status").returncode == 1
    assert mlrtui("rerun").returncode == 2
    done = mlrtui("rerun", "--failed", "--devices", "fake")
    assert done.returncode == 0, done.stderr
    assert "queued again: 4 trials, 4 nets" in done.stdout
    assert rows(fake_store, "SELECT * FROM eta_star ORDER BY cell, seed") == whole
    again = rows(fake_store, "SELECT sweep, cell, seed, eta, step, loss FROM curves ORDER BY 1, 2, 3, 4, 5")
    assert again == curves
    assert rows(fake_store, "SELECT DISTINCT status FROM trial") == [("done",)]
    assert invariants.check(fake_store) == []
    assert "no trial has failed" in mlrtui("rerun", "--failed").stdout


def test_archive_merge_and_prune(mlrtui: Mlrtui, fake_store: Path, tmp_path: Path) -> None:
    kept = "SELECT * FROM eta_star ORDER BY cell, seed"
    assert mlrtui("archive", fake_store, "packed.db").returncode == 0
    merged = mlrtui("merge", "both.db", fake_store, "packed.db")
    assert merged.returncode == 0, merged.stderr
    assert rows(tmp_path / "both.db", kept) == rows(fake_store, kept)
    assert mlrtui("merge", "both.db", "both.db").returncode == 2
    assert "nothing to resume" in mlrtui("resume", "--store", "both.db").stdout

    unsure = mlrtui("prune", "small search")
    assert unsure.returncode == 2
    assert "--yes" in unsure.stderr
    steps = "SELECT count(*) FROM step"
    all_steps = rows(fake_store, steps)[0][0]
    scan = rows(fake_store, "SELECT count(*) FROM curves WHERE sweep = 'small scan'")[0][0]
    done = mlrtui("prune", "small search", "--yes")
    assert done.returncode == 0, done.stderr
    assert rows(fake_store, steps) == [(scan,)]
    assert int(str(all_steps)) > int(str(scan)) > 0
    assert rows(fake_store, kept) == rows(tmp_path / "packed.db", kept)
    assert invariants.check(fake_store) == []


@pytest.mark.parametrize(("answer", "code"), [(b"yes\n", 0), (b"no\n", 1), (b"\n", 1)])
def test_prune_asks_where_there_is_a_terminal(fake_store: Path, tmp_path: Path, answer: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    before = fake_store.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "mlrtui.cli", "prune", "small scan", "--store", str(fake_store)],
        stdin=theirs,
        capture_output=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == code, done.stderr
    assert b"permanently deletes" in done.stdout
    assert (fake_store.read_bytes() == before) is (code == 1)


def test_no_command_changes_a_store_that_a_driver_writes(mlrtui: Mlrtui, fake_store: Path) -> None:
    with Store.open(fake_store):
        for command in (["prune", "small scan", "--yes"], ["rerun", "--failed"], ["merge", "out.db", fake_store]):
            done = mlrtui(*command)
            assert done.returncode == 3, command
            assert str(os.getpid()) in done.stderr or "is being written" in done.stderr


def test_a_store_of_an_earlier_version_is_read_and_brought_up_to_date(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    """A search that an earlier version stopped half-way, with the settings that it knew."""
    store = tmp_path / "mlrtui.db"
    dump = Path(__file__).parents[1] / "db" / "versions" / "1-first.sql"
    with closing(sqlite3.connect(store)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
        connection.executescript(
            "PRAGMA application_id = 0x6D6C7274; PRAGMA user_version = 1; PRAGMA journal_mode = WAL"
        )
    before = store.read_bytes()
    reading = (["status"], ["doctor", "mlrtui.db"], ["watch", "--once"], ["export", "--out", "out"])
    for command in (*reading, ["run", sweep_file(SMALL_SEARCH), "--dry-run"]):
        done = mlrtui(*command)
        assert done.returncode == 0, done.stderr
        assert "from long ago" in done.stdout or command[0] in ("doctor", "export", "run")
    assert store.read_bytes() == before
    finished = done_trials(store)
    resumed = mlrtui("resume", "--devices", "fake")
    assert resumed.returncode == 0, resumed.stderr
    assert "was migrated to the present version; the original is kept as" in resumed.stderr
    assert rows(store, "SELECT status FROM sweep") == [("done",)]
    assert done_trials(store) > finished == done_trials(tmp_path / "mlrtui.db.v1") > 0
    assert rows(store, "SELECT count(*) FROM eta_star WHERE eta_star IS NOT NULL") == [(4,)]
    assert invariants.check(store) == []
