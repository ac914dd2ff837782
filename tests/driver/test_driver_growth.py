"""Sweeps that are asked for more, and sweeps trained in shards: nothing is trained twice, and the table is the same."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from conftest import FULL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.estimate import seconds_per_core
from mlrtui.driver.fitting import refit_merged
from mlrtui.driver.growth import growth
from mlrtui.driver.joining import join
from mlrtui.driver.loop import Driver, SweepEnd
from mlrtui.driver.shards import Shard, dealt, part
from mlrtui.engines.fake import FakeEngine
from mlrtui.errors import BadInput
from mlrtui_db import invariants, merging
from mlrtui_db.errors import MergeConflict, SweepConflict
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

Document = dict[str, Any]


def document(**changes: Any) -> Document:
    """A small search; ``changes`` by key of the sweep file, with __ for the dot."""
    base: Document = {
        "sweep": {"name": "s", "seeds": [0, 1]},
        "data": {"name": "digits", "samples": 64},
        "model": {"depth": [1, 2], "width": [16]},
        "training": {"loss": ["ce"], "batch": 32, "epochs": 3},
        "search": {"threshold": 0.5, "tolerance": 0.3},
    }
    for key, value in changes.items():
        table, _, name = key.partition("__")
        if name:
            base.setdefault(table, {})[name] = value
        elif value is None:
            base.pop(key)
        else:
            base[key] = value
    return base


def drive(
    store: Path, wanted: Document, shard: Shard | None = None, should_stop: Callable[[], bool] = lambda: False
) -> SweepEnd:
    spec = parse_sweep(wanted, "f").settled
    plan = planning.plan(spec, data.load)
    with Store.open(store) as opened:
        driver = Driver(opened, FakeEngine(), driver_id="test", should_stop=should_stop)
        return driver.run_sweep(spec, plan if shard is None else part(plan, shard))


def after(looks: int) -> Callable[[], bool]:
    """Stops a driver when it has asked so many times whether it should."""
    left = iter(range(looks))
    return lambda: next(left, None) is None


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(store) as connection:
        return connection.execute(query).fetchall()


def table(store: Path) -> list[tuple[Any, ...]]:
    """All that was found, by what names it: no numbers of rows."""
    found = rows(
        store,
        "SELECT settings, seed, n.status, eta_star, eta_last, first_failure, window_low, window_high, n.censored,"
        " lambda0 FROM net n JOIN cell USING (cell_id) ORDER BY settings, seed",
    )
    fits = rows(store, "SELECT fit, term, exponent, low, high, cells FROM fit ORDER BY fit, term")
    labels = rows(store, "SELECT position, label FROM cell ORDER BY position")
    return [*found, *fits, *labels]


def trainings(store: Path) -> int:
    return int(rows(store, "SELECT count(*) FROM attempt")[0][0])


GROWN = [
    document(sweep__seeds=[0, 1, 2, 5]),
    document(model__width=[8, 16, 32]),
    document(training__loss=["mse", "ce"]),
    document(training__weight_decay=[0.0, 0.01]),
    document(sweep__seeds=3, model__depth=[1, 2, 3], training__loss=["ce", "mse"]),
]


@pytest.mark.parametrize("larger", GROWN)
def test_a_larger_file_trains_only_what_is_new_and_ends_at_the_table_of_one_asked_at_once(
    tmp_path: Path, larger: Document
) -> None:
    grown, fresh = tmp_path / "grown.db", tmp_path / "fresh.db"
    drive(grown, document())
    before = trainings(grown)
    curves = "SELECT settings, seed, t.eta, step, step.loss, verdict, trial_key FROM step JOIN trial t USING (trial_id)"
    curves += " JOIN net USING (net_id) JOIN cell USING (cell_id)"
    stored = set(rows(grown, curves))
    assert drive(grown, larger).status == "done"
    drive(fresh, larger)
    assert table(grown) == table(fresh)
    assert trainings(grown) == trainings(fresh) > before
    assert rows(grown, "SELECT max(attempt) FROM attempt") == [(1,)]
    assert stored <= set(rows(grown, curves)) == set(rows(fresh, curves))
    assert [text for (text,) in rows(grown, "SELECT text FROM event") if text.startswith("grown: ")]
    assert not list(invariants.check(grown))
    again = drive(grown, larger)
    assert again.already
    assert trainings(grown) == trainings(fresh)


def test_another_fit_trains_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    wide = document(model__width=[8, 16, 32])
    drive(store, wide)
    count = trainings(store)
    fitted = document(model__width=[8, 16, 32], fit=[{"y": "eta_star", "x": ["width"], "where": "depth == 1"}])
    assert drive(store, fitted).status == "done"
    assert trainings(store) == count
    assert [row[:1] for row in rows(store, "SELECT term, cells FROM fit")] == [("width",)]


@pytest.mark.parametrize(
    "other",
    [document(search__tolerance=0.1), document(search__margin=5), document(search__eta_max=1e4, search__eta_min=1e-6)],
)
def test_another_lattice_asks_anew_and_ends_where_a_fresh_search_does(tmp_path: Path, other: Document) -> None:
    grown, fresh = tmp_path / "grown.db", tmp_path / "fresh.db"
    drive(grown, document())
    drive(grown, other)
    drive(fresh, other)
    assert table(grown) == table(fresh)
    assert rows(grown, "SELECT max(attempt) FROM attempt") == [(1,)]


def test_more_rates_of_a_scan(tmp_path: Path) -> None:
    def scan(*etas: float) -> Document:
        return document(search=None, scan={"eta": list(etas)})

    grown, fresh = tmp_path / "grown.db", tmp_path / "fresh.db"
    drive(grown, scan(0.1, 0.4))
    drive(grown, scan(0.05, 0.1, 0.2, 0.4))
    drive(fresh, scan(0.05, 0.1, 0.2, 0.4))
    assert table(grown) == table(fresh)
    assert trainings(grown) == trainings(fresh)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (document(model__depth=[2]), "model.depth"),
        (document(sweep__seeds=[1]), "sweep.seeds"),
        (document(training__epochs=4), "training.epochs"),
        (document(data__samples=128), "data.samples"),
        (document(search__eta_max=10.0), "search.eta_max"),
        (document(sharpness__every=5), "sharpness.every"),
        (document(training__optimizer=["momentum"]), "training.optimizer"),
    ],
)
def test_what_would_change_stored_trainings_is_no_growth(tmp_path: Path, other: Document, named: str) -> None:
    store = tmp_path / "s.db"
    drive(store, document())
    before = store.read_bytes()
    with pytest.raises(SweepConflict):
        drive(store, other)
    assert store.read_bytes() == before
    with Reader.open(store) as reader:
        (row,) = reader.sweeps()
        refused = growth(
            row.spec, reader.cell_states(row.sweep_id), planning.plan(parse_sweep(other, "f"), None)
        ).refused
    assert any(line.startswith(named) for line in refused)


def test_a_sweep_of_other_numbers_does_not_grow(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    drive(store, document())
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE trial SET trial_key = substr(trial_key, 2) || 'x'")
    with pytest.raises(BadInput, match="cannot grow"):
        drive(store, document(sweep__seeds=3))
    assert rows(store, "SELECT count(*) FROM net") == [(4,)]


AXES = {
    "sweep__seeds": [0, 1, 2, 3],
    "model__depth": [1, 2, 3],
    "model__width": [8, 16, 32],
    "training__loss": ["ce", "mse"],
}


@settings(
    max_examples=50 if FULL else 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(some.data())
def test_any_way_of_growing_ends_at_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, dice: some.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("grow")
    asked: dict[str, list[Any]] = {key: values[:1] for key, values in AXES.items()}
    for _ in range(dice.draw(some.integers(1, 3))):
        key = dice.draw(some.sampled_from(sorted(AXES)))
        missing = [value for value in AXES[key] if value not in asked[key]]
        if missing:
            more = dice.draw(some.lists(some.sampled_from(missing), min_size=1, unique=True))
            asked = asked | {key: dice.draw(some.permutations([*asked[key], *more]))}
        drive(folder / "grown.db", document(**asked), should_stop=after(dice.draw(some.integers(1, 40))))
    drive(folder / "grown.db", document(**asked))
    drive(folder / "fresh.db", document(**asked))
    assert table(folder / "grown.db") == table(folder / "fresh.db")
    assert rows(folder / "grown.db", "SELECT count(*) FROM trial") == rows(
        folder / "fresh.db", "SELECT count(*) FROM trial"
    )


# Shards ---------------------------------------------------------------------------------------------------------------

WIDE = document(model__width=[8, 16, 32, 64], model__depth=[1, 2, 3], sweep__seeds=3)


def merged(out: Path, stores: Sequence[Path]) -> Path:
    merging.merge(out, stores, refit_merged, join=join)
    return out


@pytest.mark.parametrize("count", [2, 3, 7])
def test_shards_hold_every_net_once_and_about_equal_cost(count: int) -> None:
    plan = planning.plan(parse_sweep(WIDE, "f"), None)
    shards = dealt(plan, count)
    assert sorted(shards) == sorted(product(range(len(plan.cells)), (0, 1, 2)))
    parts = [part(plan, Shard(index, count)) for index in range(count)]
    assert sum(one.nets for one in parts) == plan.nets
    for index, one in enumerate(parts):
        assert {shards[cell.position, seed] for cell in one.cells for seed in cell.seeds} == {index}
    costs = [seconds_per_core(one) for one in parts]
    assert max(costs) < 1.35 * min(costs)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_merged_shards_are_the_sweep_that_one_machine_makes(tmp_path: Path, order: tuple[int, ...]) -> None:
    whole = tmp_path / "whole.db"
    drive(whole, WIDE)
    parts = [tmp_path / f"{index}.db" for index in range(3)]
    for index, store in enumerate(parts):
        assert drive(store, WIDE, Shard(index, 3)).status == "done"
    out = merged(tmp_path / "all.db", [parts[index] for index in order])
    assert table(out) == table(whole)
    assert rows(out, "SELECT status, shard FROM sweep") == [("done", None)]
    assert drive(out, WIDE).already
    nested = merged(tmp_path / "nested.db", [merged(tmp_path / "two.db", parts[:2]), parts[2]])
    assert table(nested) == table(whole)


def test_a_lost_shard_is_trained_by_a_plain_run_over_the_others(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    drive(whole, WIDE)
    for index in (0, 2):
        drive(tmp_path / f"{index}.db", WIDE, Shard(index, 3))
    out = merged(tmp_path / "all.db", [tmp_path / "0.db", tmp_path / "2.db"])
    assert rows(out, "SELECT status, shard FROM sweep") == [("done", "0,2/3")]
    before = trainings(out)
    assert drive(out, WIDE).status == "done"
    assert table(out) == table(whole)
    assert before < trainings(out) == trainings(whole)
    assert rows(out, "SELECT status, shard FROM sweep") == [("done", None)]


def test_shards_that_were_stopped_merge_and_go_on(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    drive(whole, WIDE)
    for index in range(2):
        end = drive(tmp_path / f"{index}.db", WIDE, Shard(index, 2), after(30 + 20 * index))
        assert end.status == "stopped"
    out = merged(tmp_path / "all.db", [tmp_path / "0.db", tmp_path / "1.db"])
    assert rows(out, "SELECT status, shard FROM sweep") == [("stopped", None)]
    drive(out, WIDE)
    assert table(out) == table(whole)


def test_shards_of_different_settings_are_not_put_together(tmp_path: Path) -> None:
    drive(tmp_path / "0.db", WIDE, Shard(0, 2))
    drive(tmp_path / "1.db", document(model__width=[8, 16, 32, 64], training__epochs=4), Shard(1, 2))
    with pytest.raises(MergeConflict, match=r"training\.epochs: \[3\] -> \[4\]"):
        merged(tmp_path / "all.db", [tmp_path / "0.db", tmp_path / "1.db"])


def test_shards_whose_devices_chose_other_methods_are_one_sweep(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    drive(whole, WIDE)
    sections = {**WIDE, "search": WIDE["search"] | {"method": "section", "points": 8}}
    drive(tmp_path / "0.db", WIDE, Shard(0, 2))
    drive(tmp_path / "1.db", sections, Shard(1, 2))
    out = merged(tmp_path / "all.db", [tmp_path / "0.db", tmp_path / "1.db"])
    assert table(out) == table(whole)


def test_more_shards_than_nets_leave_some_empty_that_merge(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    drive(whole, document())
    stores = []
    for index in range(6):
        stores.append(tmp_path / f"{index}.db")
        assert drive(stores[-1], document(), Shard(index, 6)).status == "done"
    assert 0 in [rows(store, "SELECT count(*) FROM net")[0][0] for store in stores]
    assert table(merged(tmp_path / "all.db", stores)) == table(whole)


@pytest.mark.parametrize("text", ["4/4", "-1/4", "1", "a/b", "1/0", "", "1/4/2", "0/1000000"])
def test_wrong_shards_are_one_line(text: str) -> None:
    with pytest.raises(BadInput, match=r"--shard .*use I/N"):
        Shard.parse(text)
