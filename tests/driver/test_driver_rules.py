"""Sweeps that were begun under rule 1 of η*: what they have stays as it is, what is left goes on by rule 2."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from math import exp, log
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH

from mlrtui import data, planning
from mlrtui.commands import run as commands
from mlrtui.config import SweepSpec, load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.driver.methods import chosen_for, search_rules
from mlrtui.engines.fake import FakeEngine
from mlrtui_db import invariants
from mlrtui_db._sweeps import mean_and_sd
from mlrtui_db.store import Store
from mlrtui_trainer.search import SearchSpec

WriteSweep = Callable[..., Path]


def drive(store: Path, spec: SweepSpec, stop_after: int | None = None) -> str:
    looks = iter(range(10**9))
    with Store.open(store) as opened:
        driver = Driver(
            opened,
            FakeEngine(),
            driver_id="test",
            should_stop=lambda: stop_after is not None and next(looks) > stop_after,
        )
        return driver.run_sweep(spec, planning.plan(spec, data.load)).status


def rows(store: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def as_of_rule_1(store: Path, spec: SweepSpec) -> None:
    """Make the store's rows those of rule 1: closed nets with a last success, open ones with trials off the lattice."""
    cells = {cell.label: cell for cell in planning.plan(spec, data.load).cells}
    with closing(sqlite3.connect(store)) as connection, connection:
        closed = "SELECT net_id FROM net WHERE status = 'done'"
        connection.execute(
            "UPDATE net SET eta_rule = 1, eta_star = eta_last, eta_last = NULL, eta_star_se = NULL, window_low = NULL,"
            f" window_high = NULL, successes = NULL WHERE net_id IN ({closed})"
        )
        trials = connection.execute(
            "SELECT trial_id, label, seed, eta FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id)"
            f" WHERE net_id NOT IN ({closed})"
        ).fetchall()
        for (cell_id,) in connection.execute("SELECT cell_id FROM cell").fetchall():
            done = f"SELECT eta_star FROM net WHERE cell_id = {cell_id} AND status = 'done' ORDER BY seed"
            mean_sd = mean_and_sd([log(row[0]) for row in connection.execute(done)])
            connection.execute(
                f"UPDATE cell SET ln_eta_star_mean = ?, ln_eta_star_sd = ? WHERE cell_id = {cell_id}", mean_sd
            )
        for trial_id, label, seed, eta in trials:
            key = planning.trial_key(cells[label], seed, eta * 1.1)
            values = (eta * 1.1, key, trial_id)
            connection.execute("UPDATE trial SET eta = ?, trial_key = ? WHERE trial_id = ?", values)


@pytest.mark.parametrize("stop_after", [60, 100, 140])
def test_a_sweep_of_rule_1_goes_on_by_rule_2(tmp_path: Path, sweep_file: WriteSweep, stop_after: int) -> None:
    spec = load_sweep(sweep_file(SMALL_SEARCH))
    whole, old = tmp_path / "whole.db", tmp_path / "old.db"
    assert drive(whole, spec) == "done"
    assert drive(old, spec, stop_after) == "stopped"
    as_of_rule_1(old, spec)
    before = rows(old, "SELECT * FROM net WHERE eta_rule = 1 AND status = 'done' ORDER BY net_id")
    trials = rows(old, "SELECT trial_id, eta, status, verdict FROM trial ORDER BY trial_id")
    left = [row[0] for row in rows(old, "SELECT net_id FROM net WHERE status <> 'done' ORDER BY net_id")]
    assert before
    assert left

    assert drive(old, spec) == "done"
    assert rows(old, "SELECT * FROM net WHERE eta_rule = 1 AND status = 'done' ORDER BY net_id") == before
    kept = {row[0]: row for row in rows(old, "SELECT trial_id, eta, status, verdict FROM trial")}
    for trial in trials:
        assert kept[trial[0]][:2] == trial[:2]
        assert trial[2] != "done" or kept[trial[0]] == trial
    assert rows(old, "SELECT count(*) FROM trial WHERE status <> 'done'") == [(0,)]  # what was begun has ended, too
    columns = "net_id, eta_star, eta_last, first_failure, window_low, window_high, successes, eta_star_se, eta_rule"
    where = f"WHERE net_id IN ({', '.join(map(str, left))}) ORDER BY net_id"
    assert rows(old, f"SELECT {columns} FROM net {where}") == rows(whole, f"SELECT {columns} FROM net {where}")
    assert invariants.check(old) == []


def test_a_fit_over_both_rules_is_refused_and_said_unless_the_file_asks(tmp_path: Path, sweep_file: WriteSweep) -> None:
    asked = '[[fit]]\ny = "eta_star"\nx = "depth*width"\n[[fit]]\ny = "eta_last"\nx = "depth*width"\n'
    text = SMALL_SEARCH + asked
    spec = load_sweep(sweep_file(text))
    store = tmp_path / "s.db"
    drive(store, spec, 100)
    as_of_rule_1(store, spec)
    assert drive(store, spec) == "done"
    assert sorted(rows(store, "SELECT DISTINCT eta_rule FROM eta_star")) == [(1,), (2,)]
    assert [row[0] for row in rows(store, "SELECT DISTINCT y FROM exponents")] == ["eta_last"]
    ((warnings,),) = rows(store, "SELECT warnings FROM exponents")
    assert "depends on how many rates were tried" in str(warnings)
    said = [str(row[0]) for row in rows(store, "SELECT text FROM event WHERE level = 'warning'")]
    assert [text for text in said if "no fit: the nets have eta_star by rules 1 and 2" in text] != []

    # The same sweep whose file asks for it: it goes on, and the fit says what it is.
    mixed = load_sweep(sweep_file(text.replace('y = "eta_star"', 'y = "eta_star"\nmixed_rules = true')))
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE sweep SET status = 'stopped'")
    assert drive(store, mixed) == "done"
    found = dict(rows(store, "SELECT y, warnings FROM exponents"))
    assert "mixes rules 1 and 2" in str(found["eta_star"])


def test_the_tolerance_follows_the_seeds_and_a_stored_one_stays(tmp_path: Path, sweep_file: WriteSweep) -> None:
    free = SMALL_SEARCH.replace("tolerance = 0.3\n", "")

    def tolerance(seeds: int, devices: tuple[str, ...] = ("cpu",)) -> float | None:
        search = chosen_for(load_sweep(sweep_file(free.replace("seeds = 2", f"seeds = {seeds}"))), devices).search
        assert search is not None
        return search.tolerance

    assert [tolerance(seeds) for seeds in (1, 2, 3, 10)] == [0.05, 0.05, 0.1, 0.1]
    assert tolerance(3, ("cuda:0",)) == 0.1
    # An earlier version stored 0.05 for a file of three seeds that named none: it goes on with that.
    file = load_sweep(sweep_file(free.replace("seeds = 2", "seeds = 3")))
    store = tmp_path / "old.db"
    assert drive(store, file.with_method("bisect", None, 0.05), 3) == "stopped"
    stored = commands._beside_stored(commands.RunOptions(store), [file])
    (again,), undone = stored.specs, stored.undone
    assert undone
    assert again.search is not None
    assert again.search.tolerance == 0.05
    plan = planning.plan(again, None)
    assert search_rules(again, plan.cells[0]).in_a_row == 6


def test_every_rate_of_a_sweep_is_of_its_lattice(tmp_path: Path, sweep_file: WriteSweep) -> None:
    store = tmp_path / "s.db"
    assert drive(store, load_sweep(sweep_file(SMALL_SEARCH))) == "done"
    places = SearchSpec("accuracy", 0.3, 1e-5, 1e3)
    etas = [float(str(row[0])) for row in rows(store, "SELECT DISTINCT eta FROM trial")]
    assert {exp(round(log(eta) / log(1.3)) * places.spacing) for eta in etas} == set(etas)
