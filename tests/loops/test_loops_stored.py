"""η* of a script's training, kept in a store: the same as without one and as by a sweep file, whatever ends it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Mlrtui
from loops_trainings import by_chance, quadratic

import mlrtui
from mlrtui import planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.loops import LoopEngine
from mlrtui.errors import StoreTrouble
from mlrtui.loops.results import Trial
from mlrtui_db import invariants, lock
from mlrtui_db.store import Store

pytestmark = pytest.mark.usefixtures("no_driver_left")

HERE = Path(__file__).parent
ASKED: dict[str, Any] = {"start": 0.1, "tolerance": 0.3, "seeds": 2, "eta_min": 1e-5, "eta_max": 1e3}


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def counted(train: Callable[..., None], calls: list[float]) -> Callable[..., None]:
    def count(lr: float, report: Any, seed: int) -> None:
        calls.append(lr)
        train(lr, report, seed)

    return count


def test_it_is_the_same_without_a_store_and_by_a_sweep_file(mlrtui_: Mlrtui, tmp_path: Path) -> None:
    calls: list[float] = []
    ended: list[Trial] = []
    store = tmp_path / "mlrtui.db"
    edge = mlrtui.find_max_lr(counted(quadratic, calls), **ASKED, store=store, key="v1", progress=ended.append)
    alone = mlrtui.find_max_lr(quadratic, **ASKED)
    assert repr(edge) == repr(alone)
    assert edge.boundaries == alone.boundaries
    assert repr(edge.table()) == repr(alone.table())
    assert repr(tuple(ended)) == repr(edge.trials)
    assert edge.repeatable is True
    assert len(calls) == len(edge.trials) + 1  # the first one twice

    shutil.copy(HERE / "loops_trainings.py", tmp_path / "own.py")
    search = 'start = 0.1\ntolerance = 0.3\nmethod = "section"\npoints = 2'
    text = f'[sweep]\nname = "file"\nseeds = 2\n[training]\nloop = "own:quadratic"\n[search]\n{search}\n'
    (tmp_path / "file.toml").write_text(text)
    spec, engine = load_sweep(tmp_path / "file.toml"), LoopEngine(["cpu", "cpu"])
    with Store.open(store) as opened:
        Driver(opened, engine, driver_id="test").run_sweep(spec, planning.plan(spec))
    engine.close()
    query = (
        "SELECT seed, eta_star, eta_star_se, first_failure, eta_last, window_low, window_high, successes FROM eta_star"
        " WHERE sweep = '{}' ORDER BY seed"
    )
    assert rows(store, query.format("v1")) == rows(store, query.format("file"))
    assert [row[1] for row in rows(store, query.format("v1"))] == [edge.boundaries[s].eta_star for s in (0, 1)]
    losses = "SELECT step, loss FROM curves WHERE sweep = '{}' AND seed = 1 AND verdict = 'reached' ORDER BY eta, step"
    losses = losses.replace(" AND verdict = 'reached'", f" AND eta = {edge.boundaries[1].eta_last!r}")
    assert len(rows(store, losses.format("v1"))) == 40
    assert rows(store, losses.format("v1")) == rows(store, losses.format("file"))
    assert invariants.check(store) == []
    assert not lock.is_held(store)

    calls.clear()
    again = mlrtui.find_max_lr(counted(quadratic, calls), **ASKED, store=str(store), key="v1")
    assert calls == []
    assert repr(again.table()) == repr(edge.table())
    assert again.boundaries == edge.boundaries
    for words in (("status",), ("watch", "--once", "--sweep", "v1"), ("browse", "--once"), ("export", "--sweep", "v1")):
        shown = mlrtui_(*words)
        assert shown.returncode == 0, shown.stderr
        assert words[0] == "export" or "v1" in shown.stdout


@pytest.fixture
def mlrtui_(mlrtui: Mlrtui) -> Mlrtui:
    """The command: its usual name is the package's here."""
    return mlrtui


@pytest.mark.parametrize(
    ("error", "detail"), [(KeyError("mine"), "train_fn raised KeyError: 'mine'"), (KeyboardInterrupt(), "interrupted")]
)
def test_what_train_fn_raises_reaches_its_user_and_the_next_call_goes_on(
    mlrtui_: Mlrtui, tmp_path: Path, error: BaseException, detail: str
) -> None:
    store, calls = tmp_path / "mlrtui.db", list[float]()

    def breaks(lr: float, report: Any, seed: int) -> None:
        calls.append(lr)
        if len(calls) == 4:
            report(0, 1.0)
            raise error
        quadratic(lr, report, seed)

    with pytest.raises(type(error)):
        mlrtui.find_max_lr(breaks, **ASKED, store=store, key="v1")
    assert not lock.is_held(store)
    assert rows(store, "SELECT status FROM sweep") == [("stopped",)]
    assert rows(store, "SELECT outcome, detail FROM attempt WHERE outcome <> 'done'") == [("cancelled", detail)]
    left = mlrtui_("resume", "--allow-code")
    assert (left.returncode, left.stdout) == (0, "v1: a search by find_max_lr; its own script starts it again\n")
    for verb in ("resume", "rerun --failed"):
        refused = mlrtui_(*verb.split(), "v1", "--allow-code")
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert "'v1' is a search by find_max_lr, which mlrtui cannot" in refused.stderr
    done = [lr for (lr,) in rows(store, "SELECT eta FROM trial WHERE status = 'done'")]
    assert len(done) == 2  # the first was run twice
    later: list[float] = []
    edge = mlrtui.find_max_lr(counted(quadratic, later), **ASKED, store=store, key="v1")
    assert repr(edge.table()) == repr(mlrtui.find_max_lr(quadratic, **ASKED).table())
    assert len(later) == len(edge.trials) - len(done)
    assert invariants.check(store) == []


SCRIPT = """
import os, sys, time
from pathlib import Path
import mlrtui
from loops_trainings import held

def train(lr, report, seed):
    if lr > 0.15 and Path("hold").exists() and os.fork() == 0:  # as a data loader's worker
        time.sleep(1000)
    held(lr, report, seed)

edge = mlrtui.find_max_lr(train, start=0.1, tolerance=0.3, seeds=2, eta_min=1e-5, eta_max=1e3, store="s.db", key="v1")
print(edge.table())
"""


@pytest.mark.parametrize("who", ["script", "driver", "stop"])
def test_a_killed_search_goes_on(mlrtui_: Mlrtui, tmp_path: Path, who: str) -> None:
    shutil.copy(HERE / "loops_trainings.py", tmp_path)
    (tmp_path / "hold").touch()
    store = tmp_path / "s.db"
    words = [sys.executable, "-c", SCRIPT]
    with (tmp_path / "out").open("w") as out:
        script = subprocess.Popen(words, cwd=tmp_path, stdout=out, stderr=out, start_new_session=True)
    try:
        running = "SELECT 1 FROM trial WHERE status = 'running' AND eta > 0.15 AND n_steps > 0"
        _wait_for(lambda: store.exists() and rows(store, running) != [])
        holder = lock.holder(store)
        assert holder is not None
        assert holder.pid != script.pid
        with pytest.raises(StoreTrouble, match=r"is in use by process"):
            mlrtui.find_max_lr(quadratic, **ASKED, store=store, key="v2")
        if who == "stop":
            assert mlrtui_("stop", "--store", store).returncode == 0
        else:
            os.kill(script.pid if who == "script" else holder.pid, signal.SIGKILL)
        (tmp_path / "hold").unlink()
        script.wait(60)
        _wait_for(lambda: not lock.is_held(store))  # though a forked child of the script lives
        if who == "script":
            assert rows(store, "SELECT status FROM sweep") == [("stopped",)]
        else:
            said = "was stopped" if who == "stop" else "killed by SIGKILL"
            assert said in (tmp_path / "out").read_text()
        edge = mlrtui.find_max_lr(quadratic, **ASKED, store=store, key="v1")
        assert repr(edge.table()) == repr(mlrtui.find_max_lr(quadratic, **ASKED).table())
        assert rows(store, "SELECT count(*) FROM attempt WHERE outcome IN ('lost', 'cancelled')") == [(1,)]
        assert invariants.check(store) == []
    finally:
        os.killpg(script.pid, signal.SIGKILL)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_chance_is_told_of_and_other_settings_are_refused(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    edge = mlrtui.find_max_lr(by_chance, start=0.1, tolerance=0.5, store=store)
    assert edge.repeatable is False
    assert rows(store, "SELECT name, repeatable FROM sweep") == [("by_chance", 0)]
    with pytest.raises(mlrtui.BadInput, match=r"other settings \(search.tolerance: 0.5 -> 0.3\); use another key"):
        mlrtui.find_max_lr(by_chance, start=0.1, tolerance=0.3, store=store)
    assert rows(store, "SELECT count(*) FROM sweep") == [(1,)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key": "v1", "store": None}, "add store="),
        ({"key": ""}, "key is ''"),
        ({"key": "a\nb"}, "key is 'a"),
        ({"factor": 3.0}, "factor is 3.0"),
        ({"tolerance": 2.0}, "tolerance is 2.0"),
        ({"seeds": [-1]}, "seeds is"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(mlrtui.BadInput, match=words):
        mlrtui.find_max_lr(quadratic, **({"store": tmp_path / "s.db"} | arguments))
    assert not (tmp_path / "s.db").exists()


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_text("not a store " * 100)
    with pytest.raises(StoreTrouble, match=r"s\.db"):
        mlrtui.find_max_lr(quadratic, store=tmp_path / "s.db")
