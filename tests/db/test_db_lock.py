"""The writer's lock: one holder, free when it dies, never disturbed by a look."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlrtui_db.errors import StoreLocked, StoreUnwritable
from mlrtui_db.lock import acquire, holder, is_held, lock_path

HOLD = """
import sys
from mlrtui_db.lock import acquire
lock = acquire(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def start_holder(store: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_second_writer_is_told_who_and_what_to_do(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    process = start_holder(store)
    try:
        with pytest.raises(StoreLocked) as caught:
            acquire(store)
        message = str(caught.value)
        assert f"process {process.pid} on {socket.gethostname()} since 2" in message
        assert "mlrtui watch" in message
        assert "mlrtui stop" in message
        found = holder(store)
        assert found is not None
        assert (found.pid, found.host) == (process.pid, socket.gethostname())
        assert is_held(store)
    finally:
        end(process)


def test_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    process = start_holder(store)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert lock_path(store).exists()
    assert holder(store) is None
    with acquire(store):
        found = holder(store)
        assert found is not None
        assert found.pid == os.getpid()


def test_release_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    lock = acquire(store)
    assert lock_path(store).exists()
    lock.release()
    lock.release()
    assert list(tmp_path.iterdir()) == []
    assert holder(store) is None


def test_release_spares_the_lock_of_a_successor(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    first = acquire(store)
    lock_path(store).unlink()  # somebody tidied up
    second = acquire(store)
    first.release()
    assert is_held(store)
    second.release()
    assert not is_held(store)


def test_a_link_leads_to_the_same_lock(tmp_path: Path) -> None:
    store, link = tmp_path / "a.db", tmp_path / "link.db"
    store.touch()
    link.symlink_to(store)
    with acquire(link), pytest.raises(StoreLocked):
        acquire(store)


def test_the_lock_is_not_inherited_by_started_programs(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    lock = acquire(store)
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, close_fds=False
    )
    try:
        lock.release()
        assert not is_held(store)
        acquire(store).release()
    finally:
        child.communicate()


def test_lookers_never_keep_the_lock_from_a_writer(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            is_held(store)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for thread in lookers:
        thread.start()
    try:
        for _ in range(50):
            acquire(store).release()
    finally:
        done.set()
        for thread in lookers:
            thread.join()


def test_a_process_number_of_another_container_is_said_to_be_one(tmp_path: Path) -> None:
    """Whether the holder lives is the kernel's to say, in whatever container; its number is only shown."""
    store = tmp_path / "a.db"
    with acquire(store) as held:
        said = json.loads(held.path.read_text())
        held.path.write_text(json.dumps(said | {"namespace": "pid:[1]", "pid": 1}))
        found = holder(store)
        assert found is not None
        assert not found.is_here()
        with pytest.raises(StoreLocked, match=rf"process 1 of another container on {socket.gethostname()} .* there$"):
            acquire(store)
        held.path.write_text(json.dumps(said | {"host": "elsewhere", "namespace": "pid:[1]", "pid": 1}))
        with pytest.raises(StoreLocked, match=r"in use by process 1 on elsewhere since .* ends it there$"):
            acquire(store)
    acquire(store).release()  # free at once, though process 1 lives


def test_a_holder_in_a_real_other_container(tmp_path: Path) -> None:
    """It calls itself process 1 or so; here that is another program, which must never be meant."""
    store = tmp_path / "a.db"
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("making a process namespace is not allowed here")
    process = subprocess.Popen(
        [*apart, sys.executable, "-c", HOLD, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        found = holder(store)
        assert found is not None
        assert found.pid != process.pid
        assert not found.is_here()
        with pytest.raises(StoreLocked, match=f"in use by process {found.pid} of another container on "):
            acquire(store)
    finally:
        process.communicate("")  # ends when the process inside has
    acquire(store).release()


def test_a_held_lock_without_a_name_is_said_to_be_one(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    with acquire(store):
        lock_path(store).write_bytes(b"")
        assert is_held(store)
        with pytest.raises(StoreLocked, match="does not say its number"):
            holder(store)
        with pytest.raises(StoreLocked, match="in use by another driver"):
            acquire(store)


def test_a_folder_in_the_lock_s_place_is_one_sentence(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    lock_path(store).mkdir()
    with pytest.raises(StoreUnwritable, match=r"a\.db\.lock is a folder, .* remove it"):
        acquire(store)
