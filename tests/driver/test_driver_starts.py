"""Searches that start where the nets that are done say: fewer trainings, the same answers, the same questions again."""

import sqlite3
from collections.abc import Callable
from itertools import product
from math import log
from pathlib import Path

import pytest

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver.loop import Driver
from mlrtui.driver.starts import Starts
from mlrtui.engines.fake import FakeEngine, fake_eta_star
from mlrtui_db.store import Store

SWEEP = """
[sweep]
name = "starts"
seeds = [1, 2]

[data]
name = "digits"
samples = 256

[model]
depth = [1, 2, 4, 6]
width = [32, 64, 128, 256]

[training]
loss = "ce"
batch = 64
epochs = 2

[search]
tolerance = 0.1
start = "{start}"
"""


def plan_of(path: Path, start: str) -> planning.Plan:
    path.write_text(SWEEP.format(start=start), encoding="utf-8")
    return planning.plan(load_sweep(path), data.load)


def drive(store: Path, sweep: Path, start: str, stop_after: int | None = None) -> list[tuple[object, ...]]:
    plan, looks = plan_of(sweep, start), iter(range(10**9))
    with Store.open(store) as opened:
        stops: Callable[[], bool] = lambda: stop_after is not None and next(looks) > stop_after  # noqa: E731
        Driver(opened, FakeEngine(), driver_id="test", should_stop=stops).run_sweep(plan.spec, plan)
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return connection.execute(
            "SELECT n.net_id, depth, width, seed, start_eta, eta_star, first_failure, censored,"
            " (SELECT min(trial_id) FROM trial t WHERE t.net_id = n.net_id)"
            " FROM net n JOIN cell USING (cell_id) ORDER BY n.net_id"
        ).fetchall()


def trainings(store: Path) -> int:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT count(*) FROM trial").fetchone()[0])


def test_the_same_answers_by_fewer_trainings(tmp_path: Path) -> None:
    known = {cell.net.depth * 1000 + cell.net.width: cell.net for cell in plan_of(tmp_path / "s.toml", "fit").cells}
    counts, answers = {}, {}
    for start in ("sharpness", "fit"):
        store = tmp_path / f"{start}.db"
        rows = drive(store, tmp_path / "s.toml", start)
        for _, depth, width, seed, _, eta_star, failure, censored, _ in rows:
            truth = fake_eta_star(known[depth * 1000 + width], seed)  # type: ignore[operator]
            assert censored is None
            assert failure / 1.1 <= truth < failure  # type: ignore[operator]
            assert eta_star == pytest.approx(failure / 1.1**0.5, rel=1e-12)  # type: ignore[operator]
        answers[start] = [(row[0], row[5], row[6]) for row in rows]
        counts[start] = trainings(store)
    assert answers["fit"] == answers["sharpness"]
    assert counts["fit"] < counts["sharpness"]


def test_corners_are_known_first_and_say_where_the_others_start(tmp_path: Path) -> None:
    rows = drive(tmp_path / "fit.db", tmp_path / "s.toml", "fit")
    first = {(row[1], row[2]): row[8] for row in rows}
    corners = set(product((1, 6), (32, 256)))
    assert max(first[at] for at in corners) < min(first[at] for at in first.keys() - corners)  # type: ignore[type-var]
    for _, depth, width, _, start, eta_star, *_ in rows:
        if (depth, width) not in corners:
            assert abs(log(start / eta_star)) < 0.3  # type: ignore[operator]


@pytest.mark.parametrize("stop_after", [40, 120, 200])
def test_what_goes_on_later_asks_the_same(tmp_path: Path, stop_after: int) -> None:
    whole = drive(tmp_path / "whole.db", tmp_path / "s.toml", "fit")
    cut = tmp_path / "cut.db"
    before = drive(cut, tmp_path / "s.toml", "fit", stop_after)
    assert any(row[5] is None for row in before)
    after = drive(cut, tmp_path / "s.toml", "fit")
    assert [row[:8] for row in after] == [row[:8] for row in whole]
    assert all(old[4] in (None, new[4]) for old, new in zip(before, after, strict=True))


def test_nothing_is_said_beyond_what_is_known(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "s.toml", "fit")
    assert plan.spec.search is not None
    by_place = {(cell.net.depth, cell.net.width): cell for cell in plan.cells}
    starts = Starts(plan.spec.search)
    unknown = {at: starts.rate(cell, 10.0) for at, cell in by_place.items()}
    for width in (32, 64, 128):
        starts.learn(by_place[1, width], 8.0 / width)
    assert starts.rate(by_place[1, 256], 10.0) == pytest.approx(8.0 / 256)
    for depth in (2, 4, 6):  # one depth says nothing of another
        assert starts.rate(by_place[depth, 256], 10.0) == unknown[depth, 256]
    starts.learn(by_place[6, 32], 8.0 / 32)
    assert starts.rate(by_place[4, 256], 10.0) == pytest.approx(8.0 / 256)
