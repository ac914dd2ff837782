"""Nothing dies in silence: of what a driver ends reaches whoever started it, whoever looks later, and the log."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import LONG_SEARCH, SMALL_SEARCH, Mlrtui
from faults_tools import (
    MANY_NETS,
    alive,
    children,
    done_trials,
    drive,
    last_event,
    rows,
    same_results,
    started,
    wait_for,
)

from mlrtui.config import load_sweep
from mlrtui.driver import launch
from mlrtui.driver.committing import Committer
from mlrtui.engines.fake import FakeEngine
from mlrtui_db import _space, invariants, lock
from mlrtui_db.errors import StoreFull, StoreIOError
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

pytestmark = pytest.mark.usefixtures("no_driver_left")
WriteSweep = Callable[..., Path]

BREAKS = """
import sys
if "mlrtui.driver" in sys.orig_argv:
    from mlrtui.driver import loop
    def broken(self, run):
        raise {error}
    loop.Driver._hand_out = broken
"""
CLI = [sys.executable, "-m", "mlrtui.cli"]


@pytest.fixture
def breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets real drivers die of an error that nobody foresaw."""

    def put(error: str) -> None:
        folder = tmp_path / "patch"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(BREAKS.format(error=error))
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return put


def mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH")


def test_an_unforeseen_error_is_told_everywhere(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, breaks: Callable[[str], None], monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    store, sweep = tmp_path / "mlrtui.db", sweep_file(SMALL_SEARCH)
    breaks('ZeroDivisionError("x has\\n3 rows \\x1b[31m")')
    words = r"ZeroDivisionError: x has 3 rows \x1b[31m"
    for command in (["run", sweep], ["resume"]):
        done = mlrtui(*command, "--devices", "fake")
        assert done.returncode == 4, command
        (said,) = [line for line in done.stderr.splitlines() if line.startswith("mlrtui:")]
        assert said == f"mlrtui: the driver died: {words} (log: {store}.log)"
    log = (tmp_path / "mlrtui.db.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "in broken" in log
    assert str(last_event(store)).startswith("the driver (process ")
    assert "died: ZeroDivisionError" in str(last_event(store))

    assert words in mlrtui("status").stdout
    assert json.loads(mlrtui("status", "--json").stdout)["last_driver"]["reason"].startswith("ZeroDivisionError")
    watched = mlrtui("watch")
    assert (watched.returncode, words in watched.stderr) == (4, True)
    for command in (["browse"], ["browse", "--once"], ["watch", "--once"], ["doctor", store]):
        assert "died" in mlrtui(*command).stdout, command
    assert "driver died" in mlrtui("watch", "--once").stdout

    mend(monkeypatch)
    assert mlrtui("resume", "--devices", "fake").returncode == 0
    assert "died" not in mlrtui("status").stdout
    assert mlrtui("watch").returncode == 0
    assert rows(store, "SELECT count(*) FROM event WHERE text LIKE '%died: ZeroDivisionError%'") == [(2,)]


def test_what_a_detached_driver_died_of_is_told_later(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, breaks: Callable[[str], None]
) -> None:
    store = tmp_path / "mlrtui.db"
    breaks("MemoryError")
    assert mlrtui("run", sweep_file(SMALL_SEARCH), "--devices", "fake", "--detach").returncode == 0
    wait_for(lambda: not lock.is_held(store), "the driver to end")
    assert "MemoryError" in mlrtui("status").stdout


def test_a_driver_that_is_killed_is_told_of(mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    front = subprocess.Popen(
        [*CLI, "run", sweep_file(MANY_NETS), "--devices", "fake", "--no-tui", "--store", store],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: lock.look(store)[1] is not None, "a driver")
    holder = lock.holder(store)
    assert holder is not None
    wait_for(lambda: done_trials(store), "a trial")
    os.kill(holder.pid, signal.SIGKILL)
    _, said = front.communicate()
    assert front.returncode == 4
    assert "mlrtui: the driver died: killed by SIGKILL (often by the kernel, out of memory)" in said
    seen = mlrtui("status").stdout
    assert f"the last driver (process {holder.pid} on {holder.host}) died without a word" in seen
    assert "its last sign of life was at 2" in seen
    with Store.open(store) as opened:
        assert f"(process {holder.pid} on" in opened.predecessor
    assert "died without a word" in str(last_event(store))
    assert "died" not in mlrtui("status").stdout  # the event tells it from now on


def test_a_killed_driver_whose_lock_file_is_gone_is_told_of_too(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    store = tmp_path / "mlrtui.db"
    driver = started(store, sweep_file(MANY_NETS))
    driver.process.kill()
    assert driver.end().code == 4
    lock.lock_path(store).unlink()
    assert f"(process {driver.pid} on" in mlrtui("status").stdout


def test_a_driver_that_dies_before_it_is_ready(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "patch"
    folder.mkdir()
    for program, words in (
        ("import os; os._exit(7)", "it ended without a word, with exit code 7"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
        ("from mlrtui.driver import __main__ as m\nm._report = lambda store: 1 / 0", None),
    ):
        text = f"import sys\nif 'mlrtui.driver' in sys.orig_argv:\n    {program.replace(chr(10), chr(10) + '    ')}\n"
        (folder / "sitecustomize.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        done = mlrtui("run", sweep_file(SMALL_SEARCH), "--devices", "fake", "--store", f"{bool(words)}.db")
        if words:
            assert (done.returncode, words in done.stderr) == (4, True), program
            assert len(done.stderr.splitlines()) == 1


def test_saying_never_fails(tmp_path: Path) -> None:
    """The log is on the full disk that is to be reported: /dev/full is one."""
    program = (
        "from mlrtui.driver import __main__ as driver\n"
        "for size in (1, 10_000, 100):\n    driver._say('\\udcff' * size)\n"
        "driver._answer(99, ready=True)\n"
        "import os; os.write(2, b'alive')\n"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"alive")


def log_descriptors(store: Path) -> list[int]:
    """Descriptors of this process on a store's write-ahead log."""
    wanted = os.stat(f"{store}-wal")
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), wanted):
                found.append(int(name))
        except OSError:
            continue
    return found


@pytest.fixture
def broken_log(tmp_path: Path) -> Iterator[Callable[[str], Store]]:
    """A store whose log cannot be written any more: on "/dev/full" for lack of space, on "/dev/null" at all."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("descriptors are found in /proc")
    store = Store.open(tmp_path / "s.db")
    with store.transaction():
        store.add_event("info", "before")
    kept: list[tuple[int, int]] = []

    def put(device: str) -> Store:
        for descriptor in log_descriptors(store.path):
            kept.append((descriptor, os.dup(descriptor)))
            other = os.open(device, os.O_WRONLY if device == "/dev/full" else os.O_RDONLY)
            os.dup2(other, descriptor)
            os.close(other)
        return store

    yield put
    for descriptor, saved in kept:
        os.dup2(saved, descriptor)
        os.close(saved)
    store.close()


def test_a_failing_disk_is_not_waited_for(broken_log: Callable[[str], Store]) -> None:
    store = broken_log("/dev/null")
    committer = Committer(store, lambda: False, lambda text: None)
    with pytest.raises(StoreIOError, match="check the disk") as caught:
        committer.commit(lambda: store.add_event("info", "after"))
    assert not isinstance(caught.value, StoreFull)


def test_a_full_disk_is_waited_for(broken_log: Callable[[str], Store]) -> None:
    store = broken_log("/dev/full")
    said: list[str] = []
    committer = Committer(store, lambda: bool(said), said.append)
    with pytest.raises(StoreFull):
        committer.commit(lambda: store.add_event("info", "after"))
    assert "the disk is full" in said[0]
    assert "training waits" in said[0]


def test_a_quota_counts_as_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has no code of its own for it; the folder says so."""
    error = OSError("disk I/O error")
    assert not isinstance(_space.io_error(tmp_path / "s.db", error), StoreFull)
    monkeypatch.setattr(_space, "_is_full", lambda folder: True)
    assert isinstance(_space.io_error(tmp_path / "s.db", error), StoreFull)


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null"])
def test_a_death_that_the_store_cannot_take_is_in_the_lock_file(
    mlrtui: Mlrtui, broken_log: Callable[[str], Store], tmp_path: Path, device: str
) -> None:
    store = broken_log(device)
    store.record_death("KeyError: 'x'")
    store._lock.release(keep=True)  # as the kernel does for a process that ends
    assert "died" in mlrtui("status", "--store", store.path).stdout
    assert "KeyError: 'x'" in mlrtui("status", "--store", store.path).stdout


def test_a_driver_that_dies_on_a_full_disk_is_not_silent(
    mlrtui: Mlrtui, sweep_file: WriteSweep, tmp_path: Path
) -> None:
    """The log on the full disk too, and every line of it crossing a page."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk is not allowed here")
    store = folder / "s.db"
    drive(tmp_path / "whole.db", sweep_file(SMALL_SEARCH), FakeEngine())
    try:
        Store.open(store).close()
        (folder / "s.db.log").write_bytes(b"x" * 4095)
        (folder / "ballast").write_bytes(bytes(shutil.disk_usage(folder).free - 140_000))
        driver = launch.launch(store, [load_sweep(sweep_file(SMALL_SEARCH)).canonical()], ["fake"])
        wait_for(lambda: getattr(lock.look(store)[1], "note", "") or not driver.running(), "the disk to be full")
        assert driver.running(), driver.end()
        (folder / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        assert driver.end().code == 0
        same_results(store, tmp_path / "whole.db")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_worker_ends_with_its_driver_even_while_it_imports(
    sweep_file: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its torch is one whose import never ends."""
    (tmp_path / "slow" / "torch").mkdir(parents=True)
    mark = tmp_path / "importing"
    (tmp_path / "slow" / "torch" / "__init__.py").write_text(
        f"import pathlib, time\npathlib.Path({str(mark)!r}).touch()\nwhile True: time.sleep(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "slow"))
    store = tmp_path / "mlrtui.db"
    driver = launch.launch(store, [load_sweep(sweep_file(LONG_SEARCH)).canonical()], ["cpu"])
    wait_for(mark.exists, "the worker to import torch")
    workers = children(driver.pid)
    assert workers
    driver.process.kill()
    driver.end()
    wait_for(lambda: not any(map(alive, workers)), "the worker to end", seconds=30)


def test_a_stopped_worker_ends_with_its_driver(sweep_file: WriteSweep, tmp_path: Path) -> None:
    store = tmp_path / "mlrtui.db"
    driver = started(store, sweep_file(LONG_SEARCH), device="cpu")
    workers = children(driver.pid)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    driver.process.kill()
    driver.end()
    wait_for(lambda: not any(map(alive, workers)), "the worker to end", seconds=30)
    assert invariants.check(store) == []
    with closing(Reader.open(store)) as reader:
        assert reader.last_end() is not None
