"""Sweeps with maps: planned, refined, stopped, killed, grown and shared out like all others."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driving import driven
from killing import killed_at, statements_of
from real_engine import RealEngine
from stored_rows import rows

import mlrtui
from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.driver.shards import Shard, dealt, part
from mlrtui.engines.fake import FakeEngine, fake_eta_star
from mlrtui.report import report
from mlrtui_db import invariants
from mlrtui_db.errors import SweepConflict
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

Document = dict[str, Any]

POINTS = "SELECT map, seed, value, eta, success, status FROM maps ORDER BY map, seed, value, eta"
NUMBERS = (
    "SELECT c.map_value, n.seed, t.eta, t.trial_key, t.verdict, t.loss_final FROM trial t JOIN net n"
    " USING (net_id) JOIN cell c USING (cell_id) WHERE t.status = 'done' ORDER BY 1, 2, 3"
)


def document(**table: object) -> Document:
    """A map over momentum: of a quadratic loss, so that it is quickly trained."""
    return {
        "sweep": {"name": "s", "seeds": [3]},
        "data": {"name": "digits", "samples": 32, "target": "parity"},
        "model": {"depth": 1, "width": 4, "activation": "linear", "layer_lr": {"output": 0.0}},
        "training": {"loss": "mse", "optimizer": "momentum", "batch": "full", "steps": 30},
        "map": {"eta": [0.01, 10.0], "axis": "momentum", "window": [0.0, 0.8], "scale": "linear", "squares": 4}
        | {"levels": 2, "success": "loss-below-initial"}
        | table,
    }


def drive(store: Path, wanted: Document, engine: FakeEngine | None = None, stop_after: int | None = None) -> SweepEnd:
    return driven(store, wanted, engine or RealEngine(), stop_after)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("whole") / "s.db"
    assert drive(store, document()).status == "done"
    return store


def test_a_map_is_done_with_what_its_file_asks_and_stores_no_curves(whole: Path) -> None:
    assert rows(whole, "SELECT DISTINCT mode, status FROM sweep") == [("scan", "done")]
    assert rows(whole, "SELECT count(*), count(DISTINCT value), count(DISTINCT map) FROM maps")[0][1:] == (17, 1)
    assert rows(whole, "SELECT max(n) FROM (SELECT count(*) AS n FROM step GROUP BY trial_id)") == [(1,)]
    assert rows(whole, "SELECT count(*) FROM net WHERE lambda0 IS NOT NULL") == [(0,)]
    assert rows(whole, "SELECT count(*) FROM maps") == rows(whole, "SELECT count(*) FROM phases")
    assert rows(whole, "SELECT count(*) FROM exponents") == [(0,)]
    assert invariants.check(whole) == []
    with Reader.open(whole) as reader:
        (sweep,) = reader.sweeps()
        said = report(reader, reader.live(sweep.sweep_id))
    assert "map 1, 1x4, seed 3: η over momentum" in said
    assert "17 x 17 points" in said
    (one,) = list(mlrtui.open(whole)["s"].boundary_maps())
    assert (one["columns"], one["rows"], one["wanted"]) == (17, 17, 0)
    assert one["trained"] == rows(whole, "SELECT count(*) FROM maps")[0][0] < 200
    assert one["refused"].startswith("boxes of 3 sizes fit")
    points = mlrtui.open(whole)["s"].maps(["eta", "value", "success"])
    assert len(list(points)) == one["trained"]


@pytest.mark.parametrize("stop_after", [3, 12])
def test_stopped_and_resumed_equals_undisturbed(tmp_path: Path, whole: Path, stop_after: int) -> None:
    store, first, second = tmp_path / "s.db", RealEngine(), RealEngine()
    assert drive(store, document(), first, stop_after).status == "stopped"
    held = rows(store, NUMBERS)
    assert 0 < len(held) < len(rows(whole, NUMBERS))
    assert drive(store, document(), second).status == "done"
    assert rows(store, NUMBERS) == rows(whole, NUMBERS)
    assert second.trained == len(rows(whole, NUMBERS)) - len(held)  # nothing that is stored is trained again


def test_a_killed_driver_goes_on_without_training_again(tmp_path: Path, whole: Path) -> None:
    work = partial(drive, tmp_path / "count.db", document())
    last = statements_of(work)
    for at in (last // 3, 4 * last // 5):
        store, engine = tmp_path / f"{at}.db", RealEngine()
        assert killed_at(at, partial(drive, store, document()))
        held = rows(store, NUMBERS)
        assert invariants.check(store) == []
        drive(store, document(), engine)
        assert set(held) <= set(rows(store, NUMBERS))
        assert rows(store, NUMBERS) == rows(whole, NUMBERS)
        assert engine.trained == len(rows(whole, NUMBERS)) - len(held)
    assert held  # the last kill left something to go on from


def test_levels_grow_and_train_only_what_is_new(tmp_path: Path, whole: Path) -> None:
    store, engine = tmp_path / "s.db", RealEngine()
    drive(store, document(levels=1))
    held = rows(store, NUMBERS)
    assert drive(store, document(), engine).status == "done"
    assert set(held) <= set(rows(store, NUMBERS)) == set(rows(whole, NUMBERS))
    assert engine.trained == len(rows(whole, NUMBERS)) - len(held)
    again = RealEngine()
    assert drive(store, document() | {"sweep": {"name": "s", "seeds": [3, 4]}}, again).status == "done"
    assert [row for row in rows(store, NUMBERS) if row[1] == 3] == rows(whole, NUMBERS)
    assert again.trained == len(rows(store, NUMBERS)) - len(rows(whole, NUMBERS)) > 0
    for smaller in (document(levels=1), document(window=[0.0, 0.9])):
        with pytest.raises(SweepConflict):
            drive(store, smaller)


def test_rows_of_a_list_are_all_trained_and_columns_refined(tmp_path: Path) -> None:
    wanted = document(axis="width", eta=[0.001, 10.0], squares=8, success="finite")
    del wanted["map"]["window"], wanted["map"]["scale"]
    wanted["model"] |= {"width": [4, 8, 16, 64], "activation": ["linear", "relu"]}
    wanted["training"]["optimizer"] = "sgd"
    store = tmp_path / "s.db"
    assert drive(store, wanted, FakeEngine()).status == "done"
    found = rows(store, POINTS)
    assert {row[0] for row in found} == {1, 2}  # a map for each activation
    nets = {cell.width: cell.net for cell in planning.plan(parse_sweep(wanted, "f"), None).cells}
    for value in (4, 8, 16, 64):
        edge = fake_eta_star(nets[value], 3)
        tried = [(eta, success) for number, _, at, eta, success, _ in found if number == 1 and at == value]
        below, above = max(eta for eta, ok in tried if ok), min(eta for eta, ok in tried if not ok)
        assert below <= edge < above
        assert above / below == pytest.approx(10.0 ** (4 / 32))  # neighbours of the finest grid
    (one, _) = list(mlrtui.open(store)["s"].boundary_maps())
    assert one["refused"] == "the values of width are a list, which is not refined"
    assert one["cells"] == "linear"


def test_rows_of_a_map_stay_in_one_shard(tmp_path: Path) -> None:
    wanted = document() | {"sweep": {"name": "s", "seeds": [3, 4, 5]}}
    plan = planning.plan(parse_sweep(wanted, "f").settled, data.load)
    parts = [part(plan, Shard(index, 2)) for index in range(2)]
    assert sorted(dealt(plan, 2).values()).count(0) in (1, 2)
    held = [{(cell.position, net.seed) for cell in one.sweep.cells for net in cell.nets} for one in parts]
    assert not held[0] & held[1]
    for some in held:
        seeds = {seed for _, seed in some}
        assert len(some) == 17 * len(seeds)


def test_a_task_takes_several_rows_and_gives_the_numbers_of_each_alone(whole: Path) -> None:
    spec = parse_sweep(document(), "f").settled
    plan = planning.plan(spec, data.load)
    tasks: list[object] = []

    class Seen(RealEngine):
        def submit(self, slot: int, task: Any) -> None:
            tasks.append(task)
            super().submit(slot, task)

    with Store.open(whole.with_name("tasks.db")) as store:
        Driver(store, Seen(), driver_id="t").run_sweep(spec, plan)
    sizes = [len(getattr(task, "rounds", (task,))) for task in tasks]
    assert max(sizes) >= 5
    assert len(tasks) < 17
    assert rows(whole.with_name("tasks.db"), NUMBERS) == rows(whole, NUMBERS)
