"""SIGKILL between statements of merge, prune, export, archive, backup: sources stay whole, no half copy is left.

The process that is killed is a fork of the test, which counts its statements. `MLRTUI_TEST_FULL=1` kills at each.
"""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SCAN, SMALL_SEARCH
from faults_tools import one, rows

from mlrtui_db import copies, invariants, merging
from mlrtui_db._guard import GuardedConnection
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_db.tables import write_tables

Made = Callable[..., Path]

FULL = bool(os.environ.get("MLRTUI_TEST_FULL"))
KILLS = 4


def merge(store: Path, out: Path) -> None:
    merging.merge(out, [store, store])


def export(store: Path, out: Path) -> None:
    with Reader.open(store) as reader, copies.whole_or_not(out) as draft:
        write_tables(reader, draft, ["eta_star", "curves"])


def prune(store: Path, out: Path) -> None:
    with Store.open(store) as opened:
        with opened.transaction():
            opened.prune_steps(1)
        opened.compact()


def killed_at(statement: int, work: Callable[[Path, Path], object], store: Path, out: Path) -> bool:
    """Do the work in a child that kills itself before this statement; whether it got that far."""
    child = os.fork()
    if child == 0:
        before, done = GuardedConnection.execute, 0

        def counted(self: GuardedConnection, *args: object) -> object:
            nonlocal done
            done += 1
            if done == statement:
                os.kill(os.getpid(), signal.SIGKILL)
            return before(self, *args)

        try:
            GuardedConnection.execute = counted  # type: ignore[assignment, method-assign]
            work(store, out)
        except BaseException:
            os._exit(7)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
    return os.WIFSIGNALED(status)


def points(work: Callable[[Path, Path], object], store: Path, out: Path) -> list[int]:
    """Numbers of the statements at which to kill."""
    found, last = GuardedConnection.execute, 0

    def counted(self: GuardedConnection, *args: object) -> object:
        nonlocal last
        last += 1
        return found(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GuardedConnection, "execute", counted)
        work(store, out)
    every = range(1, last + 1)
    return list(every) if FULL else sorted(random.Random(16).sample(every, KILLS))


@pytest.mark.parametrize("work", [copies.archive, copies.back_up, merge, export], ids=lambda work: work.__name__)
def test_a_killed_copy_is_whole_or_not_there(made: Made, tmp_path: Path, work: Callable[[Path, Path], object]) -> None:
    store, out = made(SMALL_SCAN, SMALL_SEARCH), tmp_path / "out.db"
    whole = store.read_bytes()
    killed = 0
    for statement in points(work, store, tmp_path / "first.db"):
        killed += killed_at(statement, work, store, out)
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
        assert killed_at(statement, prune, store, tmp_path / "unused")
        assert invariants.check(store) == []
        after = [rows(store, f"SELECT * FROM {view} ORDER BY 1, 2, 3, 4, 5, 6") for view in ("eta_star", "exponents")]
        assert after == kept
        prune(store, tmp_path / "unused")
        assert one(store, "SELECT count(*) FROM step JOIN trial USING (trial_id) JOIN net USING (net_id)"
                   " JOIN cell USING (cell_id) WHERE sweep_id = 1") == 0  # fmt: skip
