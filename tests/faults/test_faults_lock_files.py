"""Lock and log files from strangers: nothing is written through them, nothing in them is believed, nobody is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui
from faults_tools import MANY_NETS, alive, done_trials, drive, started, wait_for
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlrtui.driver import launch, stopping
from mlrtui.engines.fake import FakeEngine
from mlrtui.errors import STOPPED, StoreTrouble
from mlrtui_db import _record, invariants, lock, processes
from mlrtui_db.errors import StoreUnwritable
from mlrtui_db.store import Store

WriteSweep = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_look_at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds, and is not what is tried here."""
    monkeypatch.setattr("mlrtui.commands.doctor.machine", tuple)


needs_proc = pytest.mark.skipif(not processes.knows_holders(), reason="who holds a lock is told by /proc")


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has nothing to do with any store, though it looks like a driver."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", processes.DRIVER])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def driver(sweep_file: WriteSweep, tmp_path: Path) -> Iterator[launch.DriverProcess]:
    process = started(tmp_path / "mlrtui.db", sweep_file(MANY_NETS))
    yield process
    process.process.kill()
    process.end()


def link(path: Path, target: Path) -> None:
    target.write_text("precious")
    path.symlink_to(target)


def dangling(path: Path, target: Path) -> None:
    path.symlink_to(target)


def hard_link(path: Path, target: Path) -> None:
    target.write_text("precious")
    path.hardlink_to(target)


def pipe(path: Path, target: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, target: Path) -> None:
    path.mkdir()


def named_socket(path: Path, target: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def device(path: Path, target: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))  # as /dev/null
    except OSError:
        pytest.skip("making a device is not allowed here")


def of_another_user(path: Path, target: Path) -> None:
    path.write_text("theirs")
    try:
        os.chown(path, 12345, 12345)
    except OSError:
        pytest.skip("giving files away is not allowed here")


KINDS = [link, dangling, hard_link, pipe, folder, named_socket, device, of_another_user]


@pytest.mark.parametrize("lay", KINDS)
@pytest.mark.parametrize("suffix", [".lock", ".log"])
def test_what_lies_in_place_of_a_lock_or_log_is_left_alone(
    mlrtui: Mlrtui, made: Callable[..., Path], sweep_file: WriteSweep, tmp_path: Path, lay, suffix: str
) -> None:  # type: ignore[no-untyped-def]
    store, target = made(SMALL_SEARCH), tmp_path / "target"
    path = store.with_name(store.name + suffix)
    other = sweep_file(SMALL_SEARCH.replace("small search", "another"), "other.toml")
    lay(path, target)
    before = os.lstat(path)
    refused = mlrtui("run", other, "--devices", "fake")
    assert refused.returncode == 3
    (line,) = refused.stderr.splitlines()
    assert str(path) in line
    assert "remove it" in line
    for command in (["status"], ["watch"], ["browse"], ["stop"], ["doctor", store]):
        said = mlrtui(*command)
        assert said.returncode in (0, 1), command
        assert "Traceback" not in said.stderr
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode, after.st_size, after.st_mtime) == (
        before.st_ino,
        before.st_mode,
        before.st_size,
        before.st_mtime,
    )
    assert not target.exists() or target.read_text() == "precious"
    if suffix == ".lock":
        with pytest.raises(StoreUnwritable):
            Store.open(store)


RECORD = {"pid": 4321, "host": socket.gethostname(), "started_at": 1.7e9, "command": "x"}
DEEP = "[" * 4000
BAD = [
    "",
    "null",
    "[]",
    "{}",
    DEEP,
    '{"pid": ' + DEEP,
    '{"a":' * 1500,
    "9" * 5000,
    "\0" * 4096,
    "\xff\xfe",
    *(json.dumps(RECORD | {"pid": pid}) for pid in (0, -1, True, 1.5, "1", None, 2**31, 10**400, [])),
    *(json.dumps(RECORD | {"started_at": at}) for at in (1e300, -1, float("nan"), float("inf"), "now", None, True)),
    *(
        json.dumps(RECORD | {name: value})
        for name in ("host", "command", "note", "died")
        for value in (3, [], {}, None)
    ),
    json.dumps(RECORD | {"host": "x" * 9000}),
    json.dumps({name: value for name, value in RECORD.items() if name != "pid"}),
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_a_record_that_we_would_not_write_is_none(text: str) -> None:
    assert _record.decoded(text) is None
    assert _record.decoded(json.dumps(RECORD)) is not None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
@example(json.dumps(RECORD | {"died": "\x1b[2J" * 200}))
def test_any_content_of_a_lock_file_is_a_record_or_none(raw: bytes | str) -> None:
    found = _record.decoded(raw)
    if found is not None:
        assert time.strftime("%Y", time.localtime(found.started_at))
        assert max(len(text) for text in asdict(found).values() if isinstance(text, str)) <= _record.LONGEST


@given(st.text(alphabet='\U0001f600\x00"\\aä', max_size=500), st.text(alphabet="\U0001f600\n", max_size=500))
def test_a_record_always_fits_its_space(note: str, died: str) -> None:
    holder = lock.LockHolder(7, "h", 1.0, note[:400], note=note[:400], died=died[:400])
    raw = _record.encoded(holder)
    assert len(raw) == _record.ROOM
    back = _record.decoded(raw)
    assert back is not None
    assert (back.pid, back.host, died.startswith(back.died)) == (7, "h", True)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("text", [BAD[4], BAD[6], *BAD[9:12], json.dumps(RECORD | {"host": "\x1b[2J", "note": "\x07"})])
def test_no_content_of_a_lock_file_ends_a_command(
    mlrtui: Mlrtui, made: Callable[..., Path], sweep_file: WriteSweep, text: str, held: bool
) -> None:
    store = made(SMALL_SEARCH)
    path = lock.lock_path(store)
    taken = lock.acquire(store) if held else None
    path.write_text(text, encoding="latin-1")
    other = sweep_file(SMALL_SEARCH.replace("small search", "another"), "other.toml")
    for command in (["status"], ["watch", "--once"], ["browse"], ["doctor", store], ["stop"], ["stop", "--now"]):
        done = mlrtui(*command)
        assert done.returncode in (0, 1, 3), command
        assert "Traceback" not in done.stdout + done.stderr
        assert "this is a bug" not in done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    if taken is not None:
        assert mlrtui("run", other, "--devices", "fake").returncode == 3
        path.unlink()
        taken.release()
    assert mlrtui("run", other, "--devices", "fake").returncode == 0
    assert not path.exists()


@needs_proc
@pytest.mark.parametrize("now", [False, True])
def test_a_record_that_names_a_stranger_ends_the_driver(
    driver: launch.DriverProcess, stranger: "subprocess.Popen[bytes]", tmp_path: Path, now: bool
) -> None:
    """The text of a held lock file was changed: start time and command line of the stranger are even right."""
    store = tmp_path / "mlrtui.db"
    who = lock.holder(store)
    assert who is not None
    forged = replace(
        who,
        pid=stranger.pid,
        command=processes.command_line(stranger.pid),
        process_start=processes.started(stranger.pid),
    )
    lock.lock_path(store).write_text(json.dumps(asdict(forged)))
    assert f"(pid {driver.pid})" in stopping.stop(store, now=now)
    assert driver.process.wait() == (-signal.SIGKILL if now else STOPPED)
    assert alive(stranger.pid)
    assert invariants.check(store) == []


@needs_proc
def test_the_driver_puts_its_record_right(driver: launch.DriverProcess, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    before = lock.holder(store)
    lock.lock_path(store).write_text('{"pid": 1}')
    wait_for(lambda: lock.look(store)[1] == before, "the record to be right again")


@needs_proc
@pytest.mark.parametrize("pid", ["stranger", 0, 1, -1, "own group"])
def test_stop_signals_nobody_for_a_lock_that_no_driver_holds(
    stranger: "subprocess.Popen[bytes]", made: Callable[..., Path], tmp_path: Path, pid: object
) -> None:
    """Neither for one that nobody holds, nor for one that another program holds."""
    store = made(SMALL_SEARCH)
    number = {"stranger": stranger.pid, "own group": -os.getpgrp()}.get(str(pid), pid)
    text = json.dumps(RECORD | {"pid": number, "namespace": processes.namespace()})
    lock.lock_path(store).write_text(text)
    assert "no driver is running" in stopping.stop(store, now=True)
    lock.lock_path(store).unlink()
    with lock.acquire(store) as held:
        held.path.write_text(text)
        for now in (False, True):
            with pytest.raises(StoreTrouble, match=f"in use by process {os.getpid()} .* no driver"):
                stopping.stop(store, now=now)
    assert alive(stranger.pid)


@needs_proc
def test_stop_does_not_end_another_program_that_writes(
    mlrtui: Mlrtui, made: Callable[..., Path], tmp_path: Path
) -> None:
    store = made(SMALL_SEARCH)
    program = (
        "import sys\nfrom mlrtui_db.store import Store\nwith Store.open(sys.argv[1]):\n print(flush=True)\n input()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, store, "prune"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"\n"
        refused = mlrtui("stop", "--now")
        assert (refused.returncode, "is no driver: wait until it finishes" in refused.stderr) == (3, True)
        assert writer.poll() is None
    finally:
        writer.communicate(b"\n")
    assert writer.returncode == 0


def test_a_log_beside_a_link_is_beside_the_store(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    store = tmp_path / "real" / "s.db"
    drive(store, sweep_file(SMALL_SEARCH), FakeEngine(), stop_after=20)
    (tmp_path / "link.db").symlink_to(store)
    assert mlrtui("resume", "--store", "link.db", "--devices", "fake").returncode == 0
    assert (tmp_path / "real" / "s.db.log").exists()
    assert not (tmp_path / "link.db.log").exists()
    assert done_trials(store)
    with suppress(FileNotFoundError):
        assert not lock.lock_path(store).exists()
