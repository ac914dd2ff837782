"""Sweeps over trainings of the user's: η* against closed forms, and that nothing a training does harms the sweep."""

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from importlib.util import find_spec
from math import exp, log, log1p
from pathlib import Path
from typing import Any

import pytest
from conftest import Mlrtui

from mlrtui import planning
from mlrtui.config import AnySweep, LoopSweep, load_sweep, read_sweep
from mlrtui.driver.joining import join
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.driver.shards import Shard, part
from mlrtui.engines.deadlines import Deadlines
from mlrtui.engines.loops import LoopEngine
from mlrtui_db import invariants, merging
from mlrtui_db.errors import MergeConflict
from mlrtui_db.store import Store

pytestmark = pytest.mark.usefixtures("no_driver_left")

HERE = Path(__file__).parent
TOLERANCE = 0.5
SHORT = f"""
[search]
tolerance = {TOLERANCE}
margin = 1
start = 0.1
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., Path]:
    """Write a sweep over a training of `loops_trainings`."""
    shutil.copy(HERE / "loops_trainings.py", tmp_path / "own.py")

    def write(function: str, more: str = "", what: str = SHORT, name: str = "", training: str = "") -> Path:
        path = tmp_path / f"{name or function}.toml"
        head = f'[sweep]\nname = "{name or function}"\n[training]\nloop = "own:{function}"\n{training}\n'
        path.write_text(head + more + what)
        return path

    return write


def drive(
    path: Path, store: Path, deadlines: Deadlines | None = None, device: str = "cpu", shard: Shard | None = None
) -> SweepEnd:
    """Run a sweep in this process, its trainings in theirs."""
    spec = load_sweep(path)
    plan = planning.plan(spec)
    engine = LoopEngine([device], deadlines)
    with Store.open(store) as opened:
        try:
            wanted = plan if shard is None else part(plan, shard)
            return Driver(opened, engine, driver_id="test").run_sweep(spec, wanted)
        finally:
            engine.close()


def rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def texts(store: Path) -> str:
    return "\n".join(text for (text,) in rows(store, "SELECT text FROM event"))


def lattice_edge(edge: float, tolerance: float) -> float:
    """η* of a training that succeeds exactly below ``edge``: midway between the lattice rates around it."""
    spacing = log1p(tolerance)
    below = (log(edge) // spacing) * spacing
    return exp(below + spacing / 2.0)


def test_axes_have_their_closed_forms_and_fits(mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path) -> None:
    fit = '[[fit]]\ny = "eta_star"\nx = ["width", "scale"]\nwhere = "scale < 9"\n'
    path = sweep(
        "quadratic", "[arguments]\nscale = [1.0, 2.0]\nwidth = [3, 9, 27]\n", SHORT + fit, training="steps = 39"
    )
    done = mlrtui("run", path, "--allow-code", "--no-tui", "--devices", "cpu:2")
    assert done.returncode == 0, done.stderr + done.stdout
    store = tmp_path / "mlrtui.db"
    found = rows(store, "SELECT width, json_extract(own, '$.scale'), eta_star, lambda0, depth FROM eta_star")
    assert len(found) == 6
    for width, scale, eta_star, lambda0, depth in found:
        assert eta_star == pytest.approx(lattice_edge(2.0 / (width * scale), TOLERANCE), rel=1e-9)
        assert (lambda0, depth) == (None, None)
    exponents = dict(rows(store, "SELECT term, exponent FROM fit WHERE where_expr <> ''"))
    assert exponents == {"width": pytest.approx(-1.0, abs=0.1), "scale": pytest.approx(-1.0, abs=0.2)}
    steps = rows(store, "SELECT count(*), max(step) FROM step JOIN trial t USING (trial_id) WHERE verdict = 'reached'")
    reached = rows(store, "SELECT count(*) FROM trial WHERE verdict = 'reached'")[0][0]
    assert steps == [(40 * reached, 39)]
    assert rows(store, "SELECT status, repeatable FROM sweep") == [("done", 1)]
    assert "quadratic at" in (tmp_path / "mlrtui.db.log").read_text()  # what it prints
    assert invariants.check(store) == []
    for words in (("status",), ("watch", "--once"), ("browse", "--once"), ("export", "--format", "csv")):
        shown = mlrtui(*words)
        assert shown.returncode == 0, shown.stderr
        assert "quadratic" in shown.stdout or words[0] == "export"


def test_a_scan_trains_at_its_rates(mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep("quadratic", "", "[scan]\neta = [0.1, 0.49, 0.51, 9.0]\n")
    assert drive(path, tmp_path / "s.db").status == "done"
    verdicts = rows(tmp_path / "s.db", "SELECT eta, verdict, bad_kind FROM trial ORDER BY eta")
    assert verdicts == [
        (0.1, "finished", None),
        (0.49, "finished", None),
        (0.51, "finished", None),  # grows by 1.04 a step: to 5, no overflow
        (9.0, "diverged", "threshold"),
    ]
    shown = mlrtui("watch", "--once", "--screen", "trial", "--trial", "1", "--store", "s.db").stdout
    assert "finished (loss 2 →" in shown  # of how many steps is not known
    assert invariants.check(tmp_path / "s.db") == []


def test_accuracy_decides_where_it_is_asked_for(sweep: Callable[..., Path], tmp_path: Path) -> None:
    what = SHORT + 'success = "accuracy"\nthreshold = 0.8\n'
    path = sweep("accurate", "[arguments]\nlimit = 0.3\n", what)
    assert drive(path, tmp_path / "s.db").status == "done"
    ((eta_star,),) = rows(tmp_path / "s.db", "SELECT eta_star FROM net")
    assert eta_star == pytest.approx(lattice_edge(0.3, TOLERANCE), rel=1e-9)
    last = rows(tmp_path / "s.db", "SELECT DISTINCT verdict, last_step, best_accuracy FROM trial ORDER BY 2")
    assert last == [("reached", 3, 0.9), ("stalled", 39, 0.1)]


def test_a_training_that_draws_anew_is_said_to_be_so(
    mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path
) -> None:
    path = sweep("by_chance", "", "[scan]\neta = [0.1]\n")
    assert mlrtui("run", path, "--allow-code", "--no-tui", "--devices", "cpu:1").returncode == 0
    store = tmp_path / "mlrtui.db"
    assert rows(store, "SELECT repeatable FROM sweep") == [(0,)]
    assert "not repeatable: the first training, run twice, reported other numbers (loss 0.1" in texts(store)
    assert "not repeatable" in mlrtui("status").stdout
    unchecked = sweep("by_chance", "", "[scan]\neta = [0.1]\n", "unchecked", "check = false")
    assert drive(unchecked, tmp_path / "other.db").status == "done"
    assert rows(tmp_path / "other.db", "SELECT repeatable FROM sweep") == [(None,)]


@pytest.mark.parametrize(
    ("function", "reason", "attempts"),
    [
        ("raising", "the training raised KeyError: 'mine'", 1),
        ("leaving", "the training raised SystemExit: enough", 1),
        ("greedy", "the training raised RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB", 1),
        ("silent", "train_fn reported no loss at lr = 0.0877915: call report(step, loss) after each step", 1),
        ("backwards", "report(step=5) after step 5: steps must increase", 1),
        ("dying", "worker ended with exit code 7; its last words are in the log beside the store, 3 times", 3),
        ("killed", "worker killed by SIGKILL (often the kernel's out-of-memory killer), 3 times", 3),
        ("hanging", "worker reported nothing for 0.5 s and was killed, 3 times", 3),
    ],
)
def test_what_a_training_does_is_no_verdict_about_its_rate(
    sweep: Callable[..., Path], tmp_path: Path, function: str, reason: str, attempts: int
) -> None:
    store = tmp_path / "s.db"
    end = drive(sweep(function), store, Deadlines(record=0.5))
    assert (end.status, end.failed) == ("done", 2)
    assert rows(store, "SELECT verdict, error, attempt FROM trial") == [("failed", reason, attempts)]
    assert rows(store, "SELECT status, reason FROM net") == [("failed", f"a training failed: {reason}")]
    assert invariants.check(store) == []


def test_what_a_training_leaves_behind_ends_with_it(sweep: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep("leaking", "", "[scan]\neta = [0.1, 2.0]\n", training="check = false")
    assert drive(path, tmp_path / "s.db").status == "done"
    children = [int(line) for line in (tmp_path / "children").read_text().split()]
    assert len(children) == 2
    deadline = time.monotonic() + 60.0
    while any(_lives(pid) for pid in children):
        assert time.monotonic() < deadline
    assert rows(tmp_path / "s.db", "SELECT count(*) FROM attempt WHERE outcome = 'done'") == [(2,)]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("device", "visible", "seen"),
    [("cpu", "5,7", ""), ("cuda:1", "5,7", "7"), ("cuda:1", None, "1"), ("cuda:0", "", "0")],
)
def test_a_training_sees_its_own_device_alone(
    sweep: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    visible: str | None,
    seen: str,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    path = sweep("where", "", "[scan]\neta = [0.1]\n", training="check = false")
    assert drive(path, tmp_path / "s.db", device=device).status == "done"
    assert (tmp_path / "seen").read_text() == f"{seen};"
    assert rows(tmp_path / "s.db", "SELECT device FROM attempt") == [(device,)]


def test_so_many_workers_train_at_once(mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep("held", "", "[scan]\neta = [0.2, 0.3]\n", training="check = false")
    (tmp_path / "hold").touch()
    words = ("--allow-code", "--detach", "--devices", "cpu:1", "--workers", "2")
    assert mlrtui("run", path, *words).returncode == 0
    store = tmp_path / "mlrtui.db"
    _wait_for(lambda: rows(store, "SELECT count(*) FROM trial WHERE status = 'running' AND n_steps > 0") == [(2,)])
    (tmp_path / "hold").unlink()
    _wait_for(lambda: rows(store, "SELECT status FROM sweep") == [("done",)])


@pytest.mark.parametrize("who", ["training", "driver"])
def test_a_sweep_goes_on_after_a_kill(mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path, who: str) -> None:
    store, path = tmp_path / "mlrtui.db", sweep("held")
    (tmp_path / "hold").touch()
    started = mlrtui("run", path, "--allow-code", "--detach", "--devices", "cpu:1")
    assert started.returncode == 0, started.stderr
    driver = int(started.stdout.split()[1])
    _wait_for(
        lambda: store.exists() and rows(store, "SELECT 1 FROM trial WHERE status = 'running' AND eta > 0.15") != []
    )
    _wait_for(lambda: rows(store, "SELECT 1 FROM trial WHERE status = 'running' AND n_steps > 0") != [])
    os.kill(_children(driver)[0] if who == "training" else driver, signal.SIGKILL)
    (tmp_path / "hold").unlink()
    if who == "driver":
        _wait_for(lambda: not _lives(driver))
        assert mlrtui("resume", "--no-tui").returncode == 2  # not without consent
        assert mlrtui("resume", "--no-tui", "--allow-code", "--devices", "cpu:1").returncode == 0
    _wait_for(lambda: rows(store, "SELECT status FROM sweep") == [("done",)])
    _wait_for(lambda: not _lives(driver))
    assert rows(store, "SELECT count(*) FROM attempt WHERE outcome = 'lost'")[0][0] >= 1
    whole = tmp_path / "whole.db"
    assert drive(path, whole).status == "done"
    query = "SELECT eta_star, first_failure, window_low, window_high, successes FROM net"
    assert rows(store, query) == rows(whole, query)
    assert invariants.check(store) == []


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_dry_run_says_what_it_understood_and_trains_nothing(
    mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path
) -> None:
    path = sweep("quadratic", "[arguments]\nwidth = [2, 8]\n")
    assert "add --allow-code" in mlrtui("run", path, "--dry-run").stderr
    planned = mlrtui("run", path, "--dry-run", "--allow-code")
    assert planned.returncode == 0, planned.stderr
    for words in (
        "2 cells x 1 seed = 2 nets, about",
        "own:quadratic(lr: float, report: Any, seed: int, width: int = 4, scale: float = 1.0)",
        "arguments: width = [2, 8] (left as they are: scale = 1.0)",
        "the first training is run twice",
    ):
        assert words in planned.stdout
    assert not (tmp_path / "mlrtui.db").exists()


def test_a_changed_function_is_another_sweep(mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path) -> None:
    path = sweep("quadratic", "", "[scan]\neta = [0.1]\n")
    words = ("--allow-code", "--no-tui", "--devices", "cpu:1")
    assert mlrtui("run", path, *words).returncode == 0
    (tmp_path / "own.py").write_text((tmp_path / "own.py").read_text() + "\n")
    refused = mlrtui("run", path, *words)
    assert refused.returncode == 2
    assert "training.code_hash" in refused.stderr


def test_the_example_runs(mlrtui: Mlrtui, tmp_path: Path) -> None:
    """Two trainings by default: each imports torch."""
    assert mlrtui("examples", "--copy", "mine").returncode == 0
    path = tmp_path / "mine" / "your-own-training" / "regression-cpu.toml"
    coarse = (
        "search.tolerance=1.0",
        "search.margin=1",
        "search.start=1.0",
        "arguments.width=8",
        "training.check=false",
    )
    sets = () if os.environ.get("MLRTUI_TEST_FULL") else [word for one in coarse for word in ("--set", one)]
    done = mlrtui("run", path, *sets, "--allow-code", "--no-tui", "--devices", "cpu:2")
    assert done.returncode == 0, done.stderr + done.stdout
    found = rows(tmp_path / "mlrtui.db", "SELECT eta_star, censored FROM eta_star")
    assert all(1e-3 < eta_star < 10.0 and censored is None for eta_star, censored in found)
    assert len(found) == (1 if sets else 2)


BAD = {
    'loop = "own"': 'training.loop = "own": must be',
    'loop = "own:gone"': "has no function 'gone'",
    'loop = "own:number"': "has no function 'number'",
    'loop = "nowhere:train"': "no module nowhere in the folder",
    'loop = "find_max_lr"': "stands for the function of a script",
    'loop = "own:quadratic"\nbatch = 32': "training.batch = 32: is for nets that mlrtui trains",
    'loop = "own:quadratic"\n[arguments]\nheight = 3': "takes no argument 'height'",
    'loop = "own:accurate"': "must be given 'limit'",
    'loop = "own:quadratic"\n[arguments]\nseed = 3': "arguments.seed = 3: is given to the function anyway",
    'loop = "own:quadratic"\n[arguments]\nwidth = [2, 2]': "2 is given twice",
    'loop = "own:quadratic"\n[arguments]\nwidth = {a = 1}': "must be a number, true or false, or a printable text",
    'loop = "own:quadratic"\n[model]\nwidth = 3': "[model]: is for nets that mlrtui trains",
    'loop = "own:quadratic"\n[search]\ngive_up = 0.1': "search.give_up: is for nets",
    'loop = "own:quadratic"\n[scan]\neta_lambda0 = [0.5]': "scan.eta_lambda0: needs λ₀",
    'loop = "own:quadratic"\n[scan]\neta_width = {factor = [1.0], power = -1}': "scan.eta_width: needs widths",
    'loop = "own:quadratic"\n[search]\n[[fit]]\ny = "eta_star"\nx = ["depht"]': "fit#1.x",
    'loop = "own:quadratic"\n[search]\n[[fit]]\ny = "lambda0"\nx = ["width"]': "fit#1.y",
}


@pytest.mark.parametrize("text", BAD)
def test_mistakes_are_one_line_each(mlrtui: Mlrtui, sweep: Callable[..., Path], tmp_path: Path, text: str) -> None:
    path = sweep("quadratic")
    whole = f'[sweep]\nname = "bad"\n[training]\n{text}\n'
    path.write_text(whole + ("" if "[search]" in text or "[scan]" in text else "[search]\n"))
    refused = mlrtui("run", path, "--allow-code", "--no-tui", "--devices", "cpu:1")
    assert refused.returncode == 2
    assert BAD[text] in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "mlrtui.db").exists()


def test_numbers_are_not_made_up_for_a_training(mlrtui: Mlrtui, sweep: Callable[..., Path]) -> None:
    refused = mlrtui("run", sweep("quadratic"), "--allow-code", "--devices", "fake")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "--devices fake: makes up the numbers of nets" in refused.stderr


def test_a_training_needs_an_engine_of_this_machine(mlrtui: Mlrtui, sweep: Callable[..., Path]) -> None:
    if find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    refused = mlrtui("run", sweep("quadratic"), "--allow-code", "--engine", "ray", "--devices", "cpu:1")
    assert (refused.returncode, refused.stderr) == (
        2,
        "mlrtui: --engine ray: does not run training.loop, which needs the driver's machine; use --engine local there, "
        "and `mlrtui run --shard` for several machines\n",
    )


def test_shards_that_started_elsewhere_are_one_sweep(sweep: Callable[..., Path], tmp_path: Path) -> None:
    table = "SELECT cell, eta_star, eta_last FROM eta_star ORDER BY cell"
    more = "[arguments]\nwidth = [1, 2, 4, 8]\n"
    drive(sweep("quadratic", more), tmp_path / "whole.db")
    stores = []
    for index, search in enumerate((SHORT, SHORT.replace("start = 0.1", "start = 0.5"))):
        stores.append(tmp_path / f"{index}.db")
        assert drive(sweep("quadratic", more, search), stores[-1], shard=Shard(index, 2)).status == "done"
    merging.merge(tmp_path / "all.db", stores, join=join)
    assert rows(tmp_path / "all.db", "SELECT name, status, shard FROM sweep") == [("quadratic", "done", None)]
    assert rows(tmp_path / "all.db", table) == rows(tmp_path / "whole.db", table)
    drive(sweep("quadratic", more, SHORT.replace("margin = 1", "margin = 2")), tmp_path / "other.db")
    with pytest.raises(MergeConflict, match=r"search\.margin: 1 -> 2"):
        merging.merge(tmp_path / "no.db", [stores[0], tmp_path / "other.db"], join=join)


def test_canonical_settings_come_back(sweep: Callable[..., Path]) -> None:
    more = '[arguments]\nwidth = [2, 8]\nrope = [true, false]\nscale = 1.5\nnorm = ["pre", "post"]\n'
    spec: AnySweep = load_sweep(sweep("quadratic", more))
    assert isinstance(spec, LoopSweep)
    again = read_sweep(spec.canonical())
    assert again == spec
    assert again.sweep_key == spec.sweep_key
    assert json.loads(spec.canonical())["arguments"]["rope"] == [True, False]
    assert list(spec.points()[0].values()) == ["pre", True, 1.5, 2]
    assert len(spec.points()) == 8
