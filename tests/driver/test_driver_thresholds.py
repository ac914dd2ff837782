"""A sweep asked for another threshold: trained is what stored steps do not decide, and η* is that of a fresh one.

Trainings are real ones, of nets of 8 units on 64 digits.
"""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loop_engine import LoopEngine, loop_document
from real_engine import RealEngine
from stored_rows import Row, rows, undecided

from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.engines.fake import FakeEngine
from mlrtui.errors import BadInput
from mlrtui_db import invariants
from mlrtui_db.errors import SweepConflict
from mlrtui_db.store import Store

Document = dict[str, Any]
THRESHOLDS = (0.3, 0.5, 0.7)
ETA_STAR = (
    "SELECT cell, seed, status, eta_star, eta_last, first_failure, window_low, window_high, censored, lambda0,"
    " successes, reversals, eta_star_se, trials FROM eta_star WHERE sweep = 's' ORDER BY cell, seed"
)
FITS = "SELECT fit, term, exponent, low, high, cells FROM exponents WHERE sweep = 's' ORDER BY fit, term"
TRIALS = (
    "SELECT c.label, n.seed, t.eta, t.trial_key, t.verdict, t.reached_epoch, t.n_steps, t.last_step, t.loss_initial,"
    " t.loss_final, t.best_accuracy, t.final_accuracy, t.peak_ratio, t.peak_step"
    " FROM trial t JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)"
    " WHERE s.name = 's' ORDER BY c.label, n.seed, t.eta"
)
STEPS = (
    "SELECT c.label, n.seed, t.eta, p.step, p.loss, p.accuracy, p.flags FROM step p JOIN trial t USING (trial_id)"
    " JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)"
    " WHERE s.name = 's' ORDER BY c.label, n.seed, t.eta, p.step"
)
CURVES = (
    "SELECT c.label, n.seed, t.eta, t.last_step, t.verdict FROM trial t JOIN net n USING (net_id)"
    " JOIN cell c USING (cell_id) WHERE t.status = 'done'"
)


@pytest.fixture(autouse=True)
def plain_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLRTUI_FAST", "0")  # nothing is compiled for trainings as short as these


def document(threshold: float, **changes: Any) -> Document:
    """A small search; ``changes`` by key of the sweep file, with __ for the dot."""
    base: Document = {
        "sweep": {"name": "s", "seeds": 2},
        "data": {"name": "digits", "samples": 64},
        "model": {"depth": [1, 2], "width": [8]},
        "training": {"loss": ["ce"], "batch": 16, "epochs": 4},
        "sharpness": {"every": 0},
        "search": {"threshold": threshold, "tolerance": 0.3},
    }
    for key, value in changes.items():
        table, _, name = key.partition("__")
        base.setdefault(table, {})[name] = value
    return base


def drive(
    store: Path,
    wanted: Document,
    engine: FakeEngine | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[SweepEnd, int]:
    """Run a sweep; with how many trainings it took."""
    spec, engine = parse_sweep(wanted, "f").settled, engine or RealEngine()
    plan = planning.plan(spec, data.load)
    with Store.open(store) as opened:
        end = Driver(opened, engine, driver_id="test", should_stop=should_stop).run_sweep(spec, plan)
    return end, engine.trained if isinstance(engine, RealEngine) else 0


def table(store: Path) -> list[Row]:
    return [*rows(store, ETA_STAR), *rows(store, FITS)]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    """A sweep of its own for each threshold."""
    folder = tmp_path_factory.mktemp("fresh")
    stores = {threshold: folder / f"{threshold}.db" for threshold in THRESHOLDS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLRTUI_FAST", "0")
        for threshold, store in stores.items():
            assert drive(store, document(threshold))[0].status == "done"
    return stores


@pytest.mark.parametrize("asked", [(0.5, 0.3), (0.5, 0.7), (0.7, 0.5, 0.3), (0.3, 0.7, 0.5)])
def test_what_stored_steps_decide_is_not_trained_again(
    tmp_path: Path, fresh: dict[float, Path], asked: tuple[float, ...]
) -> None:
    store = tmp_path / "s.db"
    for threshold in asked:
        before = rows(store, CURVES) if store.exists() else []
        end, trained = drive(store, document(threshold))
        assert end.status == "done"
        assert table(store) == table(fresh[threshold])
        assert rows(store, TRIALS) == rows(fresh[threshold], TRIALS)
        assert rows(store, STEPS) == rows(fresh[threshold], STEPS)
        assert trained == undecided(before, rows(fresh[threshold], CURVES))
    assert not list(invariants.check(store))
    assert drive(store, document(asked[-1])) == (SweepEnd("s", "done", 0, already=True), 0)


def dump(store: Path, sweep: str) -> list[Row]:
    """Every row of a sweep's trainings."""
    of_sweep = "JOIN net USING (net_id) JOIN cell USING (cell_id) JOIN sweep USING (sweep_id) WHERE sweep.name = ?"
    found: list[Row] = rows(store, f"SELECT trial.*, net.* FROM trial {of_sweep} ORDER BY trial.trial_id", sweep)
    for beside in ("attempt", "step", "measure"):
        found += rows(store, f"SELECT b.* FROM {beside} b JOIN trial USING (trial_id) {of_sweep} ORDER BY 1, 2", sweep)
    return found


def test_the_sweep_as_it_was_stays_whole_and_is_gone_back_to(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document(0.5))
    before, eta_star = dump(store, "s"), table(store)
    drive(store, document(0.7))
    assert dump(store, "s (threshold 0.5)") == before
    ((spec, status),) = rows(store, "SELECT spec, status FROM sweep WHERE name = 's (threshold 0.5)'")
    assert (json.loads(spec)["sweep"]["name"], status) == ("s (threshold 0.5)", "done")
    later = dump(store, "s")
    assert drive(store, document(0.5))[1] == 0
    assert dump(store, "s") == before
    assert dump(store, "s (threshold 0.7)") == later
    assert table(store) == eta_star
    assert rows(store, "SELECT count(*) FROM sweep") == [(2,)]


def test_what_follows_from_another_training_says_so(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document(0.7))
    keys = {key for (key,) in rows(store, "SELECT trial_key FROM trial")}
    _, trained = drive(store, document(0.3))
    found = rows(
        store,
        "SELECT a.detail, json_extract(env, '$.derived_from'), p.phase_reason, p.phase FROM phases p"
        " JOIN trial t USING (trial_id) JOIN attempt a USING (trial_id, attempt) WHERE p.sweep = 's'",
    )
    derived = [row for row in found if row[1] is not None]
    assert len(found) - len(derived) == trained > 0
    assert {key for _, key, _, _ in derived} <= keys
    for detail, _, reason, _ in derived:
        assert detail.startswith("derived from the training to accuracy 0.7 of 's (threshold 0.7)'")
        assert reason.endswith(detail)
    assert any("which went on from step" in detail for detail, *_ in derived)
    ((text,),) = rows(store, "SELECT text FROM event WHERE text LIKE 'finished%other thresholds'")
    assert f"; {len(derived)} outcomes followed" in text


def test_another_threshold_and_more_seeds_at_once(tmp_path: Path) -> None:
    store, alone = tmp_path / "s.db", tmp_path / "alone.db"
    larger = {"sweep__seeds": 3, "model__width": [8, 12]}
    drive(store, document(0.5))
    _, trained = drive(store, document(0.3, **larger))
    _, of_all = drive(alone, document(0.3, **larger))
    assert table(store) == table(alone)
    assert trained < of_all
    assert drive(store, document(0.5, **larger))[0].status == "done"  # the sweep at 0.5 grows when it is gone back to
    drive(tmp_path / "other.db", document(0.5, **larger))
    assert table(store) == table(tmp_path / "other.db")


def test_full_batches_with_few_rows_are_trained_where_the_step_is_not_stored(tmp_path: Path) -> None:
    store, alone = tmp_path / "s.db", tmp_path / "alone.db"
    sparse = {"training__batch": "full", "training__epochs": 120, "record__every": 50, "model__depth": [1]}
    drive(store, document(0.7, **sparse))
    drive(store, document(0.3, **sparse))
    drive(alone, document(0.3, **sparse))
    assert table(store) == table(alone)
    assert rows(store, STEPS) == rows(alone, STEPS)


def test_names_that_are_taken_or_too_long_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document(0.5), FakeEngine())
    drive(store, document(0.5, sweep__name="s (threshold 0.5)"), FakeEngine())
    with pytest.raises(SweepConflict, match=r"named 's \(threshold 0\.5\)'"):
        drive(store, document(0.7), FakeEngine())
    long = tmp_path / "long.db"
    drive(long, document(0.5, sweep__name="n" * 115), FakeEngine())
    before = rows(long, "SELECT name, spec, sweep_key, status FROM sweep")
    with pytest.raises(BadInput, match=r"sweep\.name: too long"):
        drive(long, document(0.7, sweep__name="n" * 115), FakeEngine())
    assert rows(long, "SELECT name, spec, sweep_key, status FROM sweep") == before


def test_numbers_of_another_version_decide_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document(0.5), FakeEngine())
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE trial SET trial_key = substr(trial_key, 2) || 'x'")
    with pytest.raises(BadInput, match="cannot grow"):
        drive(store, document(0.7), FakeEngine())


def test_a_sweep_that_only_has_such_a_name_decides_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document(0.5, sweep__name="s (threshold 0.5)", sharpness__every=5))
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE net SET lambda0 = 7.0, lambda0_preconditioned = 7.0")
    drive(store, document(0.7))
    drive(tmp_path / "alone.db", document(0.7))
    assert table(store) == table(tmp_path / "alone.db")
    assert rows(store, "SELECT count(*) FROM attempt WHERE json_extract(env, '$.derived_from') IS NOT NULL") == [(0,)]


# Trainings of the user's ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(0.9, 0.4), (0.5, 0.6), (0.4, 0.9)])
def test_trainings_of_the_users_are_taken_as_they_reported(tmp_path: Path, before: float, after: float) -> None:
    store, alone = tmp_path / "s.db", tmp_path / "alone.db"
    first, again, whole = LoopEngine(), LoopEngine(), LoopEngine()
    drive(store, loop_document(tmp_path, threshold=before), first)
    stored = rows(store, CURVES)
    drive(store, loop_document(tmp_path, threshold=after), again)
    drive(alone, loop_document(tmp_path, threshold=after), whole)
    assert table(store) == table(alone)
    assert rows(store, TRIALS) == rows(alone, TRIALS)
    assert rows(store, STEPS) == rows(alone, STEPS)
    assert again.trained == undecided(stored, rows(alone, CURVES))
    assert not list(invariants.check(store))
