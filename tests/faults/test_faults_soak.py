"""The soak of `benchmarks/soak.py` in short: many rows, a screen, two readers, flat memory, no row lost."""

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from faults_tools import one, rows

from benchmarks.soak import LANES, MOST_GROWTH, MOST_LOG, Memory, Soaked, SteadyEngine, soak, spec_of
from mlrtui import data, planning
from mlrtui.driver import committing
from mlrtui.driver.loop import Driver
from mlrtui_db import invariants
from mlrtui_db.store import Store

SECONDS = float(os.environ.get("MLRTUI_SOAK_SECONDS", "10"))
RATE = 20_000.0
HELD_ROWS = int(os.environ.get("MLRTUI_HELD_ROWS", "60000"))
LOG_BOUND = 64 * HELD_ROWS  # bytes; for a million rows the driver's own bound


def test_a_short_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlrtui_db._sqlite._CACHE_KIB", 2048)  # the usual one takes minutes to fill
    done = soak(tmp_path, SECONDS, RATE, readers=2, screen=True)
    assert done.faults() == []
    assert done.rows > 20 * LANES
    assert done.looks > 2
    assert done.screen_bytes > 10_000


def test_the_soak_sees_what_it_looks_for() -> None:
    flat, grown = Memory(100, 105, 120), Memory(100, int(100 * (1 + 2 * MOST_GROWTH)), 120)
    fine = Soaked(1.0, 10, 10, flat, flat, 5000, 5, 3, ())
    assert fine.faults() == []
    assert replace(fine, screen=None).faults() == []
    assert replace(fine, driver=grown).faults() == ["the driver's memory grew by 20% after the first quarter"]
    bad = replace(fine, stored=9, screen=grown, log_top=MOST_LOG + 1, trouble=("a reader died",))
    assert bad.faults() == [
        "a reader died",
        "the screen's memory grew by 20% after the first quarter",
        "the write-ahead log grew to 200 MB",
        "10 rows were sent, 9 are stored",
    ]


def test_many_rows_under_a_reader_that_holds_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log passes its bound, which is said once; nothing fails, and the log is gone when the reader is."""
    assert committing.WAL_WARNING_BYTES >= 64 * 10**6
    monkeypatch.setattr(committing, "WAL_WARNING_BYTES", LOG_BOUND)
    store, engine = tmp_path / "s.db", SteadyEngine(RATE)
    Store.open(store).close()
    log = store.with_name("s.db-wal")
    with closing(sqlite3.connect(store, isolation_level=None)) as held:
        held.execute("BEGIN")
        assert held.execute("SELECT count(*) FROM step").fetchone() == (0,)
        plan = planning.plan(spec_of(2 * HELD_ROWS), data.load)
        with Store.open(store) as opened:
            driver = Driver(opened, engine, driver_id="held", should_stop=lambda: engine.sent >= HELD_ROWS)
            assert driver.run_sweep(plan.spec, plan).status == "stopped"
            assert log.stat().st_size > LOG_BOUND
            assert held.execute("SELECT count(*) FROM step").fetchone() == (0,)
            held.execute("COMMIT")
    assert not log.exists()
    assert one(store, "SELECT count(*) FROM step") == engine.sent >= HELD_ROWS
    assert rows(store, "SELECT count(*) FROM event WHERE text LIKE '%-wal file passed 64 MB%'") == [(1,)]
    assert invariants.check(store) == []
