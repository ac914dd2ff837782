"""`mlrtui pull` through a real sshd: all, then only what is new; killed half-way; from versions that know less."""

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SCAN
from remote_box import ENDLESS_SEARCH, FULL, Box, box, children_of, install, machine, mlrtui, wait_until

from mlrtui_db import lock
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader

__all__ = ["box", "machine"]  # fixtures

Made = Callable[..., Path]


def content(path: Path) -> str:
    """A digest of all rows, but those about the file itself."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if not table.startswith("sqlite_") and table != "meta":
                rows = connection.execute(f"SELECT * FROM {table}").fetchall()
                digest.update(repr((table, sorted(map(repr, rows)))).encode())
    return digest.hexdigest()


def hidden(*folders: Path) -> list[str]:
    """What a pull may have left behind."""
    names = [path.name for folder in folders for path in folder.iterdir()]
    return [name for name in names if name.startswith(".mlrtui") or name.endswith((".part", ".fresh", ".pull.lock"))]


def leftovers_in_tmp() -> list[Path]:
    return list(Path("/tmp").glob("tmp.*/copy.db"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def there(tmp_path: Path, made: Made) -> Path:
    """A finished store in a folder whose name a shell would take apart."""
    folder = tmp_path / 'it\'s "there" $x'
    folder.mkdir()
    return made(SMALL_SCAN).rename(folder / "runs.db")


@pytest.fixture
def running(tmp_path: Path, no_driver_left: None) -> Iterator[Path]:
    """A store that a driver fills."""
    (tmp_path / "sweep.toml").write_text(ENDLESS_SEARCH)
    done = mlrtui("run", "sweep.toml", "--detach", "--devices", "fake", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: (tmp_path / "mlrtui.db").stat().st_size > 700_000, "a store of some size")
    yield tmp_path / "mlrtui.db"
    mlrtui("stop", "--now", folder=tmp_path)


def test_a_store_is_copied_then_only_what_is_new(box: Box, there: Path, here: Path) -> None:
    install(box.home / ".local/bin/mlrtui")
    first = mlrtui("pull", box.at(there), folder=here)
    assert first.returncode == 0, first.stderr
    copy = here / "runs.db"
    assert re.fullmatch(
        rf"runs.db: [0-9.]+ MB, a copy of {re.escape(box.at(there))} \([0-9.]+ MB compressed\)\n", first.stdout
    )
    assert content(copy) == content(there)
    before = copy.stat().st_ino
    again = mlrtui("pull", box.at(there), folder=here)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"runs.db: nothing new in {box.at(there)}\n"
    assert copy.stat().st_ino == before
    for words in (["export", "--out", "csv"], ["watch", "--once"]):
        done = mlrtui(*words, "--store", copy, folder=here)
        assert done.returncode == 0, done.stderr
    assert f"a copy of {box.at(there)}, pulled at" in mlrtui("status", "--store", copy).stdout
    writing = (["resume"], ["prune", "small scan", "--yes"], ["run", "--devices", "fake"])
    for words in writing if FULL else writing[:1]:
        refused = mlrtui(*words, "--store", copy, folder=here)
        assert refused.returncode == 3
        assert f"is a copy of {box.at(there)}, which `mlrtui pull` keeps up to date" in refused.stderr
        assert refused.stderr.count("\n") == 1
    if FULL:
        assert mlrtui("backup", "own.db", "--store", copy, folder=here).returncode == 0
        assert mlrtui("resume", "--store", "own.db", "--devices", "fake", folder=here).returncode == 0
    assert hidden(here, there.parent, box.home) == []


def test_a_running_sweep_is_followed_to_its_end(box: Box, running: Path, here: Path) -> None:
    """Its end here is that it is stopped."""
    copy = here / "mlrtui.db"
    follower = subprocess.Popen(
        [sys.executable, "-P", "-m", "mlrtui.cli", "pull", box.at(running), "--follow", "--every", "0.5"],
        cwd=here,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert follower.stdout is not None
        lines = [follower.stdout.readline() for _ in range(4)]
        assert "a copy of" in lines[0]
        sizes = []
        for line in lines[1:]:
            found = re.fullmatch(r"mlrtui\.db: (\d+) trials changed, (\d+) new steps \(([0-9.]+) MB\)\n", line)
            assert found, line
            sizes.append(float(found[3]))
        assert check(copy) == []
        mlrtui("stop", folder=running.parent)
        rest = follower.stdout.read()
        assert rest.endswith(f"mlrtui.db: complete, no driver is at work on {box.at(running)}\n")
        assert follower.wait() == 0
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()
    assert content(copy) == content(running)
    assert max(sizes) * 1e6 < running.stat().st_size / 3
    assert hidden(here, running.parent) == []


HALF = """#!/bin/sh
exec 3<&0
{python} -P -m mlrtui.cli "$@" <&3 | (head -c 100000; cat <&3 >/dev/null)
"""
"""Sends the beginning of an answer, then nothing until the other side is gone."""


def test_a_pull_that_is_killed_leaves_nothing_and_the_run_goes_on(box: Box, running: Path, here: Path) -> None:
    copy = here / "copy.db"
    driver = lock.holder(running)
    assert driver is not None
    os.kill(driver.pid, signal.SIGSTOP)  # it holds the store, and need not work meanwhile
    program = install(box.home / "slow/mlrtui")
    program.write_text(HALF.format(python=sys.executable))
    part = here / ".copy.db.part"
    for first in ("the far side", "this side"):
        puller = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlrtui.cli", "pull", box.at(running), str(copy)],
            cwd=here,
            env=os.environ | {"MLRTUI_REMOTE": str(program)},
            stderr=subprocess.PIPE,
        )
        wait_until(lambda: part.exists() and part.stat().st_size > 0, "half a copy")
        assert not copy.exists()
        if first == "this side":
            (ssh,) = children_of(puller.pid)
            puller.kill()
            puller.wait()
            wait_until(
                lambda ssh=ssh: not Path(f"/proc/{ssh}/cmdline").exists() or not box.sessions(), "the end of ssh"
            )
        else:
            for pid in box.sessions():
                os.kill(pid, signal.SIGKILL)
            assert puller.wait() == 255
            assert puller.stderr is not None
            assert b"the connection to box was lost" in puller.stderr.read()
            assert hidden(here) == []
        assert puller.stderr is not None
        puller.stderr.close()
        assert not copy.exists()
        assert lock.holder(running) == driver
    os.kill(driver.pid, signal.SIGCONT)
    done = mlrtui("pull", box.at(running), copy)
    assert done.returncode == 0, done.stderr
    with Reader.open(copy) as reader:
        assert reader.sweeps()[0].trials > 0
    assert hidden(here, running.parent) == []


OLDER = '#!/bin/sh\nif [ "$1" = export-delta ]; then set -- export-nothing; fi\nexec {python} -P -m mlrtui.cli "$@"\n'


def test_a_version_that_knows_no_deltas_sends_a_backup(box: Box, there: Path, here: Path) -> None:
    program = install(box.home / ".local/bin/mlrtui")
    program.write_text(OLDER.format(python=sys.executable))
    for _ in range(2 if FULL else 1):
        done = mlrtui("pull", box.at(there), folder=here)
        assert done.returncode == 0, done.stderr
        first, *_ = done.stderr.splitlines()
        assert (
            first == f"mlrtui: the mlrtui on box is older and cannot send what is new: all of {box.at(there)} is copied"
        )
        assert "No such command" not in done.stderr
        assert content(here / "runs.db") == content(there)
    assert leftovers_in_tmp() == []
    assert hidden(here, there.parent, box.home) == []
    missing = mlrtui("pull", box.at(there.with_name("none.db")), folder=here)
    assert missing.returncode != 0
    assert "there is no store at" in missing.stderr
    assert leftovers_in_tmp() == []
    assert not (here / "none.db").exists()


@pytest.mark.skipif(not FULL, reason="MLRTUI_TEST_FULL=1 runs it")
def test_what_start_up_files_print_does_no_harm(box: Box, there: Path, here: Path) -> None:
    program = install(box.home / ".local/bin/mlrtui")
    program.write_text(program.read_text().replace("exec", "echo Welcome to box; echo {}; exec"))
    assert mlrtui("pull", box.at(there), folder=here).returncode == 0
    assert content(here / "runs.db") == content(there)


def test_a_store_on_another_disk_is_pulled_the_same_way(there: Path, here: Path) -> None:
    for words in ("a copy of", "nothing new in"):
        done = mlrtui("pull", there, folder=here)
        assert done.returncode == 0, done.stderr
        assert "runs.db: " in done.stdout
        assert words in done.stdout
    assert content(here / "runs.db") == content(there)
    own = mlrtui("pull", there, there)
    assert own.returncode == 2
    assert "cannot be pulled into itself" in own.stderr
    shutil.copy(there, here / "mine.db")
    mine = mlrtui("pull", there, here / "mine.db")
    assert mine.returncode == 3
    assert "is a store of its own, not a copy" in mine.stderr
    assert hidden(here, there.parent) == []


def test_what_cannot_be_pulled_is_said_in_one_line(box: Box, here: Path) -> None:
    install(box.home / ".local/bin/mlrtui")
    missing = mlrtui("pull", box.at("/nowhere/x.db"), folder=here)
    assert missing.returncode == 3
    assert missing.stderr.splitlines() == [
        "mlrtui: the folder /nowhere does not exist: make it first, or choose another --store"
    ]
    (box.home / ".local/bin/mlrtui").unlink()
    nothing = mlrtui("pull", box.at("/nowhere/x.db"), folder=here)
    assert nothing.returncode == 2
    assert nothing.stderr.startswith("mlrtui: no mlrtui was found on box")
    assert nothing.stderr.count("\n") == 1
    unreachable = mlrtui("pull", "nowhere.invalid:x.db", folder=here)
    assert unreachable.returncode == 255
    assert "Traceback" not in unreachable.stderr
    assert list(here.iterdir()) == []
