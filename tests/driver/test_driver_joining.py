"""Stores of one sweep that grew apart: merged they are the larger of them, or what holds both, in whatever order."""

from pathlib import Path
from typing import Any

import pytest
from test_driver_growth import Document, after, document, drive, rows, table

from mlrtui.driver.fitting import refit_merged
from mlrtui.driver.joining import join
from mlrtui_db import invariants, merging
from mlrtui_db.errors import MergeConflict

SMALL = document()
LARGE = document(sweep__seeds=3, model__width=[8, 16, 32])


def merged(out: Path, *stores: Path) -> Path:
    merging.merge(out, stores, refit_merged, join=join)
    assert not list(invariants.check(out))
    return out


def stored(folder: Path, name: str, *wanted: Document, stop: int | None = None) -> Path:
    """A store of a sweep that was asked for these, one after the other."""
    store = folder / f"{name}.db"
    for number, one in enumerate(wanted):
        last = number == len(wanted) - 1
        drive(store, one, should_stop=after(stop) if last and stop is not None else lambda: False)
    return store


def both_orders(folder: Path, *stores: Path) -> list[Path]:
    orders = {"forth": stores, "back": stores[::-1]}
    return [merged(folder / f"{name}.db", *order) for name, order in orders.items()]


KEYS = (
    "SELECT settings, seed, t.eta, trial_key, verdict, t.n_steps FROM trial t JOIN net USING (net_id)"
    " JOIN cell USING (cell_id) ORDER BY settings, seed, t.eta"
)


@pytest.mark.parametrize(
    "larger",
    [
        LARGE,
        document(training__loss=["mse", "ce"]),
        document(fit=[{"y": "lambda0", "x": ["depth"]}]),
        document(search__eta_max=1e4),
    ],
)
def test_a_store_that_grew_contains_the_one_that_did_not(tmp_path: Path, larger: Document) -> None:
    small, grown = stored(tmp_path, "small", SMALL), stored(tmp_path, "grown", SMALL, larger)
    for out in both_orders(tmp_path, small, grown):
        assert table(out) == table(grown)
        assert rows(out, KEYS) == rows(grown, KEYS)
        assert rows(out, "SELECT spec, status, shard FROM sweep") == rows(
            grown, "SELECT spec, status, shard FROM sweep"
        )
        assert drive(out, larger).already


def test_what_neither_contains_is_made_whole_by_a_run(tmp_path: Path) -> None:
    seeds, widths = document(sweep__seeds=3), document(model__width=[8, 16])
    union = document(sweep__seeds=3, model__width=[8, 16])
    one, other = stored(tmp_path, "one", SMALL, seeds), stored(tmp_path, "other", SMALL, widths)
    alone = stored(tmp_path, "alone", union)
    outs = both_orders(tmp_path, one, other)
    assert table(outs[0]) == table(outs[1])
    assert rows(outs[0], KEYS) == rows(outs[1], KEYS)
    for out in outs:
        assert rows(out, "SELECT status, shard FROM sweep") == [("done", "part")]
        before = rows(out, "SELECT count(*) FROM trial")
        assert drive(out, union).status == "done"
        assert table(out) == table(alone)
        assert rows(out, "SELECT shard FROM sweep") == [(None,)]
        assert rows(out, "SELECT max(attempt) FROM attempt") == [(1,)]
        assert before < rows(out, "SELECT count(*) FROM trial") == rows(alone, "SELECT count(*) FROM trial")


def test_another_range_on_one_side_and_seeds_on_the_other(tmp_path: Path) -> None:
    wide, seeds = document(search__eta_max=1e4), document(sweep__seeds=3)
    union = document(search__eta_max=1e4, sweep__seeds=3)
    one, other = stored(tmp_path, "one", wide), stored(tmp_path, "other", seeds)
    for out in both_orders(tmp_path, one, other):
        assert rows(out, "SELECT status FROM sweep") == [("stopped",)]  # its searches have more to ask
        drive(out, union)
        assert table(out) == table(stored(tmp_path, f"alone of {out.stem}", union))


def test_rates_of_scans_are_put_together(tmp_path: Path) -> None:
    def scan(*etas: float) -> Document:
        return document(search=None, scan={"eta": list(etas)})

    one, other = stored(tmp_path, "one", scan(0.1, 0.4)), stored(tmp_path, "other", scan(0.05, 0.1))
    alone = stored(tmp_path, "alone", scan(0.05, 0.1, 0.4))
    for out in both_orders(tmp_path, one, other):
        drive(out, scan(0.05, 0.1, 0.4))
        assert table(out) == table(alone)
        assert rows(out, KEYS) == rows(alone, KEYS)


def test_stopped_stores_that_grew_apart_go_on(tmp_path: Path) -> None:
    one = stored(tmp_path, "one", SMALL, document(sweep__seeds=3), stop=20)
    other = stored(tmp_path, "other", SMALL, LARGE, stop=30)
    for out in both_orders(tmp_path, one, other):
        drive(out, LARGE)
        assert table(out) == table(stored(tmp_path, f"alone of {out.stem}", LARGE))


@pytest.mark.parametrize(
    ("key", "value"),
    [("search__threshold", 0.6), ("search__tolerance", 0.1), ("training__epochs", 4), ("sharpness__every", 5)],
)
def test_what_is_no_addition_is_refused_by_its_name(tmp_path: Path, key: str, value: Any) -> None:
    one = stored(tmp_path, "one", SMALL)
    other = stored(tmp_path, "other", document(sweep__seeds=3, **{key: value}))
    named = key.replace("__", r"\.")
    for name, order in {"forth": (one, other), "back": (other, one)}.items():
        with pytest.raises(MergeConflict, match=named):
            merged(tmp_path / f"{name}.db", *order)
        assert not (tmp_path / f"{name}.db").exists()


def test_sweeps_that_were_set_aside_merge_with_their_like(tmp_path: Path) -> None:
    one, other = stored(tmp_path, "one", SMALL), stored(tmp_path, "other", SMALL)
    higher = document(search__threshold=0.7)
    drive(one, higher)
    with pytest.raises(MergeConflict, match=r"search\.threshold"):
        merged(tmp_path / "no.db", one, other)
    drive(other, higher)
    for out in both_orders(tmp_path, one, other):
        assert table(out) == table(one)
        assert rows(out, "SELECT name FROM sweep ORDER BY name") == [("s",), ("s (threshold 0.5)",)]
