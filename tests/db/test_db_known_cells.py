"""What a reader knows of the cells of a sweep beside others: the same as reading all of them, by what has changed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db import _cells
from mlrtui_db._cells import KnownCells, read_cells
from mlrtui_db.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "s.db") as opened:
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many cells each look has read; -1: all."""
    counts: list[int] = []

    def counted(connection: sqlite3.Connection, sweep_id: int, given=None):  # type: ignore[no-untyped-def]
        counts.append(-1 if given is None else len(given))
        return read_cells(connection, sweep_id, given)

    monkeypatch.setattr(_cells, "read_cells", counted)
    return counts


def test_a_look_reads_what_has_changed_beside_other_sweeps(store: Store, asked: list[int]) -> None:
    with store.transaction():
        sweeps = [store.add_sweep(samples.sweep(name)) for name in ("first", "second")]
    nets = [samples.net_ids(store, sweep_id)[0] for sweep_id in sweeps]
    with closing(sqlite3.connect(store.path)) as follower:
        known = [KnownCells() for _ in sweeps]

        def look() -> list[int]:
            """Both sweeps; what was read."""
            asked.clear()
            for one, sweep_id in zip(known, sweeps, strict=True):
                assert one.read(follower, sweep_id) == read_cells(follower, sweep_id)
            return list(asked)

        assert look() == [-1, -1]
        assert look() == [0, 0]
        for at, net_id in enumerate(nets):
            for eta in (0.1, 0.2):
                with store.transaction():
                    store.add_trials([samples.trial(net_id, eta)])
                assert look() == [int(at == 0), int(at == 1)]
        with store.transaction():  # more cells, in neither
            store.add_sweep(samples.sweep("third"))
        assert look() == [0, 0]
        # what is taken away raises no rev
        with closing(sqlite3.connect(store.path)) as other:
            other.execute("DELETE FROM trial WHERE net_id = ? AND eta = 0.2", (nets[0],))
            other.commit()
        assert look() == [0, -1, 0, -1]
        assert look() == [0, 0]
