"""Sweeps with forks: planned, searched, stopped, grown and killed like all others, and kept apart from them."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driving import driven
from killing import killed_at, statements_of
from real_engine import RealEngine
from stored_rows import rows

import mlrtui
from mlrtui import planning
from mlrtui.config import parse_sweep
from mlrtui.driver.estimate import seconds_per_probe, seconds_per_training
from mlrtui.driver.loop import SweepEnd
from mlrtui.driver.shards import Shard, part
from mlrtui.engines.fake import FakeEngine, fake_eta_star
from mlrtui.report import report
from mlrtui_db import invariants
from mlrtui_db.errors import SweepConflict
from mlrtui_db.reader import Reader

Document = dict[str, Any]

FORKS = (
    "SELECT cell, seed, step, eta_star, eta_last, window_low, window_high, sharpness, base_eta, fork_loss, trials,"
    " censored, status FROM forks ORDER BY cell, seed, step"
)
NETS = "SELECT cell, seed, eta_star, trials FROM eta_star ORDER BY cell, seed"
NUMBERS = (
    "SELECT c.label, n.seed, t.eta, t.trial_key, t.verdict, t.n_steps, t.loss_final FROM trial t JOIN net n"
    " USING (net_id) JOIN cell c USING (cell_id) WHERE t.status = 'done' ORDER BY c.label, n.seed, t.eta"
)


def document(**fork: object) -> Document:
    return {
        "sweep": {"name": "s", "seeds": 2},
        "data": {"name": "digits", "samples": 32, "target": "parity"},
        "model": {"depth": 1, "width": [4, 8]},
        "training": {"loss": "mse", "batch": "full", "steps": 20},
        "search": {"success": "survives", "tolerance": 0.3, "eta_min": 1e-4},
        "fork": {"at": [0, 6], "base_eta_lambda0": 0.5, "steps": 20, "tolerance": 0.3} | fork,
    }


def drive(store: Path, wanted: Document, engine: FakeEngine | None = None, stop_after: int | None = None) -> SweepEnd:
    return driven(store, wanted, engine or FakeEngine(), stop_after)


def test_forks_find_the_law_behind_the_fake_and_stay_out_of_all_other_views(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    assert drive(store, document()).status == "done"
    alone = document()
    del alone["fork"]
    drive(tmp_path / "alone.db", alone)
    for view in ("eta_star", "boundaries", "grid", "phases", "onsets", "curves", "measures", "exponents"):
        count = f"SELECT count(*) FROM {view}"
        assert rows(store, count) == rows(tmp_path / "alone.db", count), view
    assert rows(store, "SELECT * FROM exponents") == rows(tmp_path / "alone.db", "SELECT * FROM exponents")
    nets = {cell.label: cell.net for cell in planning.plan(parse_sweep(alone, "f"), None).cells}
    found = rows(
        store, "SELECT cell, seed, step, eta_last, first_failure, base_eta, base_lambda0, kappa, kappa0 FROM forks"
    )
    assert len(found) == 2 * 2 * 2
    for cell, seed, step, last, failure, base_eta, base_lambda0, kappa, kappa0 in found:
        truth = fake_eta_star(nets[cell], seed) * (1 + step / 50)
        assert last <= truth < failure
        assert base_eta * base_lambda0 == pytest.approx(0.5)
        assert kappa0 == pytest.approx(kappa * (1 + step / 50))
    assert rows(store, "SELECT count(*), count(DISTINCT trial_id) FROM fork_trials")[0][0] > 0
    assert invariants.check(store) == []
    table = mlrtui.open(store)["s"].forks(["cell", "seed", "step"])
    assert [tuple(row.values()) for row in table][:4] == [("1x4", 0, 0), ("1x4", 0, 6), ("1x4", 1, 0), ("1x4", 1, 6)]


@pytest.mark.parametrize("stop_after", [4, 30, 70])
def test_stopped_and_resumed_equals_undisturbed(tmp_path: Path, stop_after: int) -> None:
    wanted = document(base_eta_star=0.5)
    del wanted["fork"]["base_eta_lambda0"]
    whole, cut = tmp_path / "whole.db", tmp_path / "cut.db"
    drive(whole, wanted)
    assert drive(cut, wanted, stop_after=stop_after).status == "stopped"
    assert drive(cut, wanted).status == "done"
    assert rows(cut, FORKS) == rows(whole, FORKS)
    shares = rows(cut, "SELECT f.base_eta / e.eta_star FROM forks f JOIN eta_star e USING (cell, seed)")
    assert [share for (share,) in shares] == pytest.approx([0.5] * 8)
    assert drive(cut, wanted).already


def test_more_steps_are_added_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    store, wanted = tmp_path / "s.db", document()
    forks = wanted.pop("fork")
    drive(store, wanted)  # forks may be added to a sweep that had none
    drive(store, wanted | {"fork": forks})
    before = rows(store, NUMBERS)
    more = wanted | {"fork": forks | {"at": [0, 6, 3]}, "model": {"depth": 1, "width": [4, 8, 16]}}
    assert drive(store, more).status == "done"
    assert set(before) < set(rows(store, NUMBERS))
    assert max(attempt for (attempt,) in rows(store, "SELECT attempt FROM trial")) == 1
    drive(tmp_path / "alone.db", more)
    assert rows(store, FORKS) == rows(tmp_path / "alone.db", FORKS)
    with pytest.raises(SweepConflict):
        drive(store, more | {"fork": more["fork"] | {"state": "fresh"}})


def test_a_censored_base_leaves_its_forks_unanswered_until_its_range_grows(tmp_path: Path) -> None:
    store, wanted = tmp_path / "s.db", document(base_eta_star=0.5)
    del wanted["fork"]["base_eta_lambda0"]
    low = wanted | {"search": wanted["search"] | {"eta_max": 0.001}}
    assert drive(store, low).failed == 0
    found = rows(store, "SELECT DISTINCT status, eta_star, censored, reason FROM forks")
    assert found == [("done", None, None, "no forks: the base needs η* of its net, which is censored")]
    assert drive(store, wanted).status == "done"
    drive(tmp_path / "alone.db", wanted)
    assert rows(store, FORKS) == rows(tmp_path / "alone.db", FORKS)
    assert rows(store, "SELECT count(*) FROM forks WHERE eta_star IS NULL OR eta_catapult IS NULL") == [(0,)]


def test_bases_at_a_share_of_eta_star_do_not_keep_that_of_another_lattice(tmp_path: Path) -> None:
    wanted = document(base_eta_star=0.5)
    del wanted["fork"]["base_eta_lambda0"]
    drive(tmp_path / "s.db", wanted)
    finer = wanted | {"search": wanted["search"] | {"tolerance": 0.1}}
    with pytest.raises(SweepConflict):
        drive(tmp_path / "s.db", finer)
    plain = document()
    drive(tmp_path / "plain.db", plain)
    assert drive(tmp_path / "plain.db", plain | {"search": finer["search"]}).status == "done"


def test_forks_go_to_the_shard_of_their_net() -> None:
    plan = planning.plan(parse_sweep(document(), "f").settled, None)
    parts = [part(plan, Shard(index, 3)) for index in range(3)]
    assert sum(one.nets for one in parts) == plan.nets
    assert [part(plan, Shard(index, 2)).nets for index in range(2)] == [plan.nets // 2] * 2
    for one in parts:
        cells = {cell.position: cell for cell in one.cells}
        for cell in one.cells:
            assert isinstance(cell, planning.CellPlan)
            if cell.fork is not None:
                assert set(cell.seeds) <= set(cells[cell.fork.base].seeds)


def test_the_time_of_a_fork_has_that_of_its_base() -> None:
    *_, early = planning.plan(parse_sweep(document(at=[0]), "f").settled, None).cells
    *_, late = planning.plan(parse_sweep(document(at=[60]), "f").settled, None).cells
    assert isinstance(early, planning.CellPlan)
    assert isinstance(late, planning.CellPlan)
    assert seconds_per_training(late) == pytest.approx(2 * seconds_per_training(early))  # 20 steps, and 60 for 3 rates
    assert seconds_per_probe(late) > 2 * seconds_per_training(early)


def test_a_base_that_diverges_leaves_its_forks_without_an_answer(tmp_path: Path) -> None:
    store, wanted = tmp_path / "s.db", document(base_eta_lambda0=400.0)
    wanted["model"] = {"depth": 1, "width": 4, "activation": "linear"}
    assert drive(store, wanted, RealEngine()).failed == 0  # it is an answer: no rate survives
    reasons = rows(
        store, "SELECT step, censored, reason, eta_star IS NULL FROM forks WHERE status = 'done' ORDER BY step, seed"
    )
    assert [(step, status, missing) for step, status, _, missing in reasons] == [
        *[(0, None, 0)] * 2,  # nothing has happened yet
        *[(6, "none", 1)] * 2,
    ]
    assert all("had diverged before step 6" in reason for *_, reason, _ in reasons[2:])


def test_a_base_that_has_fitted_its_data_leaves_its_forks_without_a_number_and_says_so(tmp_path: Path) -> None:
    store, wanted = tmp_path / "s.db", document(at=[0, 60])
    wanted |= {"data": {"name": "unit"}, "model": {"kind": "two-layer-linear", "width": 16}}
    assert drive(store, wanted, RealEngine()).failed == 0
    named = "step, status, censored, eta_star IS NULL, trials, reason"
    found = rows(store, f"SELECT {named} FROM forks ORDER BY step, seed")
    assert [row[:4] for row in found] == [*[(0, "done", None, 0)] * 2, *[(60, "done", None, 1)] * 2]
    assert all(trials == 0 and "the base has fitted its data" in reason for *_, trials, reason in found[2:])
    assert invariants.check(store) == []
    with Reader.open(store) as reader:
        snapshot = reader.live()
        assert snapshot is not None
        text = report(reader, snapshot)
    assert text.count("the base has fitted its data") == 2
    assert "failed" not in text


def test_killed_anywhere_a_sweep_with_forks_is_made_whole(tmp_path: Path) -> None:
    """Real trainings; what a killed driver held of bases is gone, and is trained again to the same bits."""
    wanted = document()
    wanted["model"] = {"depth": 1, "width": 4}
    whole = tmp_path / "whole.db"
    drive(whole, wanted, RealEngine())
    last = statements_of(partial(drive, tmp_path / "count.db", wanted, RealEngine()))
    kills = 0
    for at in range(last // 4, last, last // 5):
        store = tmp_path / f"{at}.db"
        kills += killed_at(at, partial(drive, store, wanted, RealEngine()))
        drive(store, wanted, RealEngine())
        assert rows(store, NUMBERS) == rows(whole, NUMBERS)
        assert rows(store, FORKS) == rows(whole, FORKS)
        assert invariants.check(store) == []
    assert kills >= 3


def test_what_live_shows_of_forks(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document())
    with Reader.open(store) as reader:
        snapshot = reader.live()
        assert snapshot is not None
    assert [cell.label for cell in snapshot.cells] == ["1x4", "1x8", "1x4 t=0", "1x8 t=0", "1x4 t=6", "1x8 t=6"]
    assert [cell.fork_step for cell in snapshot.cells] == [None, None, 0, 0, 6, 6]
    assert snapshot.sweep.nets == 12


def test_the_summary_lists_forks_below_their_nets(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document())
    with Reader.open(store) as reader:
        snapshot = reader.live()
        assert snapshot is not None
        lines = report(reader, snapshot).splitlines()
    heads = [line.split()[:3] for line in lines if line.startswith("cell")]
    assert heads == [["cell", "seed", "η*"], ["cell", "seed", "step"]]
    (last,) = [line for line in lines if line.split()[:3] == ["1x8", "1", "6"]]
    assert float(last.split()[3]) / float(last.split()[4]) == pytest.approx(float(last.split()[5]), rel=0.01)
