"""The row in which a driver says what it does: what goes in comes out, a stranger's text does not, a copy has none."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mlrtui_db.copies import archive
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_db.work import MOST_WORKERS, WorkerRow, WorkRow

BUSY = WorkerRow(0, "training", "node7", "cuda:1", "NVIDIA H100", "8x256", "0-3", 12, 0.1, 0.4, 70, 200, 1.5e4, 97.0)
WORK = WorkRow(1e9, "training", 1, "a sweep", 30, 30, 12, 2, 2, 3e4, 720.0, 540.0, 1020.0, (BUSY,))


def said(path: Path) -> WorkRow | None:
    with Reader.open(path) as reader:
        return reader.work()


def show(store: Store, work: WorkRow | None) -> None:
    with store.transaction():
        store.show_work(work)


def test_it_is_there_while_its_driver_is_at_work_and_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = Store.open(path)
    assert said(path) is None
    show(store, WORK)
    assert said(path) == WORK
    silent = replace(WORK, at=1e9 + 1, left=None, low=None, high=None, rate=None, workers=(WorkerRow(3, "idle"),))
    show(store, silent)
    assert said(path) == silent
    copy = tmp_path / "b.db"
    store.close()  # without taking it back, as a driver that dies
    assert said(path) is None
    archive(path, copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM meta WHERE key = 'work'").fetchone() == (0,)


def test_it_can_be_taken_back(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db")
    show(store, WORK)
    show(store, None)
    assert said(tmp_path / "a.db") is None
    store.close()


def test_of_very_many_workers_the_rest_is_counted(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a.db")
    long = replace(BUSY, cell="c" * 500)
    show(store, replace(WORK, workers=tuple(replace(long, slot=slot) for slot in range(1000))))
    found = said(tmp_path / "a.db")
    assert found is not None
    assert [worker.slot for worker in found.workers] == list(range(MOST_WORKERS))
    assert found.unlisted == 1000 - MOST_WORKERS
    assert len(found.workers[0].cell) < 500
    store.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "[" * 5000,
        "{}",
        json.dumps({"at": 1.0, "stage": "training"}),
        json.dumps({"at": 1.0, "stage": "a stage of another version", "workers": []}),
        json.dumps({"at": "now", "stage": "training", "workers": []}),
        json.dumps({"at": 1.0, "stage": "training", "workers": [{"slot": "0", "state": "idle"}]}),
        json.dumps({"at": 1.0, "stage": "training", "workers": [{"slot": 0, "state": None}]}),
        json.dumps({"at": 1.0, "stage": "training", "workers": [], "left": [1]}),
        json.dumps({"at": 1.0, "stage": "training", "workers": [], "more": 1}),
        '{"at": NaN, "stage": "training", "workers": []}',
        json.dumps({"at": 1.0, "stage": "training", "workers": [], "nets": True}),
        json.dumps({"at": 1.0, "stage": "training", "workers": 7}),
    ],
)
def test_what_is_none_of_ours_is_not_there(tmp_path: Path, text: str) -> None:
    store = Store.open(tmp_path / "a.db")
    show(store, WORK)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'work'", (text,))
    assert said(tmp_path / "a.db") is None
    store.close()
