"""SIGKILL between statements of merge, prune, export, archive, backup, migration: sources stay whole, nothing is half.

The process that is killed is a fork of the test, which counts its statements. `MLRTUI_TEST_FULL=1` kills at each.
"""

import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from conftest import FULL, SMALL_SCAN, SMALL_SEARCH
from faults_tools import one, rows
from killing import killed_at, statements_of

from mlrtui.reading.files import write_sqlite
from mlrtui_db import copies, invariants, merging
from mlrtui_db._schema import SCHEMA_VERSION
from mlrtui_db.reader import Reader
from mlrtui_db.rows import Selection
from mlrtui_db.store import Store, bring_up_to_date

sys.path.append(str(Path(__file__).parents[1] / "db"))
from db_versions import DUMPS, restore

Made = Callable[..., Path]

KILLS = 4
(OLDER,) = (dump for dump in DUMPS if dump.stem == "3-first")
OF_OLDER = (
    "SELECT trial_id, step, loss, accuracy, sharpness FROM step ORDER BY 1, 2",
    "SELECT trial_id, net_id, eta, status, attempt, n_steps FROM trial ORDER BY 1",
    "SELECT net_id, seed, status, eta_star, lambda0 FROM net ORDER BY 1",
)


def merge(store: Path, out: Path) -> None:
    merging.merge(out, [store, store])


def export(store: Path, out: Path) -> None:
    with Reader.open(store) as reader, copies.whole_or_not(out) as draft:
        write_sqlite(reader, draft, [Selection("eta_star"), Selection("curves")], lambda rows: None)


def prune(store: Path, out: Path) -> None:
    with Store.open(store) as opened:
        with opened.transaction():
            opened.prune_steps(1)
        opened.compact()


def migrate(store: Path, out: Path) -> None:
    bring_up_to_date(store)


def older(path: Path) -> Path:
    """A store as version 3 left it, and nothing beside it."""
    for leftover in path.parent.glob(path.name + "*"):
        leftover.unlink()
    return restore(OLDER, path)


def points(work: Callable[[Path, Path], object], store: Path, out: Path) -> list[int]:
    """Numbers of the statements at which to kill."""
    every = range(1, statements_of(partial(work, store, out)) + 1)
    return list(every) if FULL else sorted(random.Random(16).sample(every, KILLS))


@pytest.mark.parametrize("work", [copies.archive, copies.back_up, merge, export], ids=lambda work: work.__name__)
def test_a_killed_copy_is_whole_or_not_there(made: Made, tmp_path: Path, work: Callable[[Path, Path], object]) -> None:
    store, out = made(SMALL_SCAN, SMALL_SEARCH), tmp_path / "out.db"
    whole = store.read_bytes()
    killed = 0
    for statement in points(work, store, tmp_path / "first.db"):
        killed += killed_at(statement, partial(work, store, out))
        assert store.read_bytes() == whole
        assert not out.exists() or (work is export or invariants.check(out) == [])
        out.unlink(missing_ok=True)
    assert killed >= KILLS - 1
    work(store, out)
    tables = ("eta_star", "curves")
    assert [one(out, f"SELECT count(*) FROM {name}") for name in tables] == [
        one(store, f"SELECT count(*) FROM {name}") for name in tables
    ]


def test_a_killed_prune_loses_nothing_but_steps(made: Made, tmp_path: Path) -> None:
    store = made(SMALL_SCAN, SMALL_SEARCH)
    whole = store.read_bytes()
    kept = [rows(store, f"SELECT * FROM {view} ORDER BY 1, 2, 3, 4, 5, 6") for view in ("eta_star", "exponents")]
    statements = points(prune, store, tmp_path / "unused")
    for statement in statements:
        for suffix in ("-wal", "-shm"):
            store.with_name(store.name + suffix).unlink(missing_ok=True)
        store.write_bytes(whole)
        assert killed_at(statement, partial(prune, store, tmp_path / "unused"))
        assert invariants.check(store) == []
        after = [rows(store, f"SELECT * FROM {view} ORDER BY 1, 2, 3, 4, 5, 6") for view in ("eta_star", "exponents")]
        assert after == kept
        prune(store, tmp_path / "unused")
        assert one(store, "SELECT count(*) FROM step JOIN trial USING (trial_id) JOIN net USING (net_id)"
                   " JOIN cell USING (cell_id) WHERE sweep_id = 1") == 0  # fmt: skip


def test_a_killed_migration_leaves_the_version_before_it(tmp_path: Path) -> None:
    store = older(tmp_path / "older.db")
    kept = [rows(store, query) for query in OF_OLDER]
    statements = points(migrate, store, tmp_path / "unused")
    for statement in statements:
        older(store)
        assert killed_at(statement, partial(migrate, store, tmp_path / "unused"))
        assert one(store, "PRAGMA integrity_check") == "ok"
        assert one(store, "PRAGMA user_version") in range(3, SCHEMA_VERSION + 1)
        assert [rows(store, query) for query in OF_OLDER] == kept
        migrate(store, tmp_path / "unused")
        assert invariants.check(store) == []
        assert [rows(store, query) for query in OF_OLDER] == kept
