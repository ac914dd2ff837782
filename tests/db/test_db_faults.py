"""Killed writers, full disks, readers that hold on, and other programs that write."""

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import db_samples as samples
import pytest
from conftest import file_size_limit

from mlrtui_db import _sqlite
from mlrtui_db.errors import StoreBusy, StoreDamaged, StoreError, StoreIOError
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

WRITER = Path(__file__).with_name("db_writer_process.py")


def run_and_kill(path: Path, seed: int, acknowledgements: int) -> list[tuple[str, int, int, int]]:
    """Start a writer, kill it after it has acknowledged so many commits, return all that it acknowledged."""
    process = subprocess.Popen([sys.executable, str(WRITER), str(path), str(seed)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(acknowledgements)]
    os.kill(process.pid, signal.SIGKILL)
    lines += process.communicate()[0].splitlines()
    assert process.returncode == -signal.SIGKILL
    said = [line.split() for line in lines]
    return [(words[0], int(words[1]), int(words[2]), int(words[3])) for words in said if len(words) == 4]


def test_kill_9_loses_no_acknowledged_commit(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    rng = random.Random(20_26)
    committed: Counter[tuple[int, int]] = Counter()
    done: set[int] = set()
    for seed in range(15):
        for what, trial_id, attempt, rows in run_and_kill(path, seed, rng.randint(1, 40)):
            if what == "steps":
                committed[trial_id, attempt] += rows
            elif what == "done":
                done.add(trial_id)
        with Reader.open(path) as reader:  # before anybody has recovered
            live = reader.live()
            assert live is None or not live.writer_alive
            assert check(path) == []
        with Store.open(path) as store:
            assert check(path) == []
            state = store.sweep_state(1) if live is not None else None
            with Reader.open(path) as reader:
                for trial in state.trials if state is not None else ():
                    assert trial.status in ("done", "queued")
                    assert trial.trial_id not in done or trial.status == "done"
                    curve = reader.curve(trial.trial_id)
                    assert len(curve.step) >= committed[trial.trial_id, curve.attempt]
    assert len(done) > 10
    assert sum(committed.values()) > 1000


def test_what_a_dead_driver_left_open_is_lost_and_queued_again(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store:
        with store.transaction():
            sweep_id = store.add_sweep(samples.sweep())
        net_id = samples.net_ids(store, sweep_id)[0]
        with store.transaction():
            ids = store.add_trials([samples.trial(net_id, eta) for eta in (0.1, 0.2, 0.3)])
            store.open_attempts(ids[:2], "driver", "cpu", {})
            store.append_steps(samples.steps(ids[0], [2.0, 1.0]))
    with Store.open(path, clock=lambda: 5000.0) as store:
        assert store.recovered == 2
        assert [trial.status for trial in store.sweep_state(sweep_id).trials] == ["queued"] * 3
        with Reader.open(path) as reader:
            assert reader.curve(ids[0]).loss.tolist() == [2.0, 1.0]  # kept until the trial starts again
            row = reader.trial(ids[0])
            assert row is not None
            assert row.rev == store.rev
    assert check(path) == []
    with closing(sqlite3.connect(path)) as connection:
        ended = connection.execute("SELECT trial_id, ended_at, outcome, detail FROM attempt").fetchall()
    assert ended == [(trial_id, 5000.0, "lost", "the driver died") for trial_id in ids[:2]]
    with Store.open(path) as store:
        assert store.recovered == 0


def limited_file_size(store: Store) -> Callable[[], None]:
    """Real write errors: no file of this process may grow beyond what the log has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.wal_bytes() + 50_000, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def limited_pages(store: Store) -> Callable[[], None]:
    """SQLite's own limit, which ends in the same error as a full disk."""
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    return lambda: store._connection.execute("PRAGMA max_page_count = 1000000") and None


@pytest.mark.parametrize("limit", [limited_file_size, limited_pages])
def test_full_disk_leaves_no_trace_and_the_same_may_be_repeated(
    tmp_path: Path, limit: Callable[[Store], Callable[[], None]]
) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store:
        with store.transaction():
            sweep_id = store.add_sweep(samples.sweep())
        net_id = samples.net_ids(store, sweep_id)[0]
        with store.transaction():
            (trial_id,) = store.add_trials([samples.trial(net_id, 0.1)])
            store.open_attempts([trial_id], "driver", "cpu", {})
        rev = store.rev

        def write() -> None:
            with store.transaction():
                store.append_steps(samples.steps(trial_id, [1.5] * 20_000))
                store.finish_trial(samples.outcome(trial_id))

        lift = limit(store)
        try:
            for _ in range(2):
                with pytest.raises(StoreIOError, match="cannot grow"):
                    write()
        finally:
            lift()
        assert store.rev == rev
        assert check(path) == []
        with Reader.open(path) as reader:
            row = reader.trial(trial_id)
            assert row is not None
            assert (row.status, row.n_steps) == ("running", 0)
            write()
            assert len(reader.curve(trial_id).step) == 20_000
    assert check(path) == []


def test_a_log_that_cannot_be_brought_in_keeps_every_commit(tmp_path: Path) -> None:
    """The disk is full when the store is closed: the log stays, and the next opening brings it in."""
    path = tmp_path / "a.db"
    store = Store.open(path)
    with store.transaction():
        sweep_id = store.add_sweep(samples.sweep())
    net_id = samples.net_ids(store, sweep_id)[0]
    with store.transaction():
        (trial_id,) = store.add_trials([samples.trial(net_id, 0.1)])
        store.open_attempts([trial_id], "driver", "cpu", {})
        store.append_steps(samples.steps(trial_id, [1.5] * 20_000))
    with file_size_limit(path.stat().st_size):
        store.close()
    assert _sqlite.wal_bytes(path) > 0
    with Reader.open(path) as reader:
        assert len(reader.curve(trial_id).step) == 20_000
    Store.open(path).close()
    assert _sqlite.wal_bytes(path) == 0
    assert check(path) == []


def test_a_reader_that_holds_on_is_not_waited_for_and_sees_its_own_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = Store.open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as held, Reader.open(path) as reader:
        held.execute("BEGIN")
        assert held.execute("SELECT count(*) FROM sweep").fetchone() == (0,)
        seen = reader.data_version()
        with store.transaction():
            store.add_sweep(samples.sweep())
        assert store.wal_bytes() > 0
        assert reader.data_version() != seen
        assert len(reader.sweeps()) == 1
        assert held.execute("SELECT count(*) FROM sweep").fetchone() == (0,)
        store.close()
        held.execute("COMMIT")
        assert held.execute("SELECT count(*) FROM sweep").fetchone() == (1,)
    with Reader.open(path) as reader:
        assert reader.sweeps()[0].name == "one"


def test_reads_inside_a_write_see_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store, Reader.open(path) as reader:
        version = reader.data_version()
        with store.transaction():
            store.add_sweep(samples.sweep())
            assert reader.sweeps() == ()
            with Reader.open(path) as other:
                assert other.sweeps() == ()
            assert reader.data_version() == version
        assert reader.data_version() != version
        assert len(reader.sweeps()) == 1


def test_another_program_that_writes_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    monkeypatch.setattr(_sqlite, "_BUSY_MS", 50)
    with Store.open(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as intruder:
        intruder.execute("BEGIN IMMEDIATE")

        def write() -> int:
            with store.transaction():
                return store.add_sweep(samples.sweep())

        with pytest.raises(StoreBusy, match="another program keeps"):
            write()
        intruder.execute("ROLLBACK")
        assert write() == 1


def test_damage_found_later_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path, etas=[0.001 * (1 + i) for i in range(200)])
    content = bytearray(path.read_bytes())
    page = 4096
    for start in range(40 * page, len(content), page):
        content[start : start + page] = b"\xff" * page
    path.write_bytes(content)
    with Reader.open(path) as reader, pytest.raises(StoreDamaged, match="is damaged"):
        reader.live()
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(path)
    found = check(path)
    assert found
    assert all(line.startswith("integrity: ") for line in found)
    assert sorted(os.listdir(tmp_path)) in (["a.db"], ["a.db", "a.db-shm", "a.db-wal"])
