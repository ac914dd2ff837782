"""However a sweep comes to be what it is, it is the sweep that is asked for at once, and nothing is trained twice.

Seeds, values of axes, fits, tolerance, range and threshold change at random, in stores that are copied, grown apart
and merged, or begun in shards; at every step the trainings are exactly those that stored ones do not decide.
`MLRTUI_TEST_FULL=1` tries many times as many.
"""

import os
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from loop_engine import LoopEngine, loop_document
from stored_rows import Row, rows, undecided

from mlrtui import planning
from mlrtui.config import parse_sweep
from mlrtui.driver.fitting import refit_merged
from mlrtui.driver.joining import join
from mlrtui.driver.loop import Driver
from mlrtui.driver.shards import Shard, part
from mlrtui_db import invariants, merging
from mlrtui_db.store import Store

Document = dict[str, Any]
FULL = os.environ.get("MLRTUI_TEST_FULL") == "1"

SEEDS, WIDTHS, DEPTHS = [0, 1, 2, 3], [8, 16, 32], [1, 2, 4]
THRESHOLDS, TOLERANCES = [0.4, 0.6, 0.8], [0.3, 0.2]
FITS = [{"y": "eta_star", "x": ["width"]}, {"y": "eta_star", "x": ["depth"]}]

OF_S = "JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id)"
TABLE = (
    "SELECT cell, seed, status, eta_star, eta_last, first_failure, window_low, window_high, censored, successes, reason"
    " FROM eta_star WHERE sweep = 's' ORDER BY cell, seed",
    "SELECT fit, term, exponent, low, high, cells, excluded FROM exponents WHERE sweep = 's' ORDER BY fit, term",
    "SELECT position, label FROM cell c JOIN sweep s USING (sweep_id) WHERE s.name = 's' ORDER BY position",
)
CURVES = f"SELECT c.settings, n.seed, t.eta, t.last_step, t.verdict FROM trial t {OF_S} WHERE t.status = 'done'"
NUMBERS = (
    "SELECT c.label, n.seed, t.eta, t.trial_key, t.verdict, t.n_steps, t.loss_initial, t.loss_final"
    f" FROM trial t {OF_S} WHERE s.name = 's' AND t.status = 'done'"
)


def table(store: Path) -> list[Row]:
    return [row for query in TABLE for row in rows(store, query)]


def drive(store: Path, wanted: Document, shard: Shard | None = None) -> int:
    """Run a sweep to its end; returns how many trainings that took."""
    spec, engine = parse_sweep(wanted, "f").settled, LoopEngine()
    plan = planning.plan(spec, None)
    with Store.open(store) as opened:
        driver = Driver(opened, engine, driver_id="test")
        assert driver.run_sweep(spec, plan if shard is None else part(plan, shard)).status == "done"
    return engine.trained


class Life:
    """One sweep, from its first store on."""

    def __init__(self, folder: Path, dice: some.DataObject) -> None:
        self.folder, self.dice = folder, dice
        self.store = folder / "s.db"
        self.asked = loop_document(folder, threshold=0.6, eta_max=8.0)
        self.asked["arguments"] = {"width": [8, 16], "depth": [1, 2]}
        self.made = 0

    def changed(self, document: Document, *, additive: bool) -> Document:
        """The same with one change more."""
        new = deepcopy(document)
        kinds = ["seeds", "width", "depth", "fit", "range"] + ([] if additive else ["tolerance", "threshold"])
        kind = self.dice.draw(some.sampled_from(kinds), label="change")
        if kind == "seeds":
            new["sweep"]["seeds"] = self.more(new["sweep"]["seeds"], SEEDS)
        elif kind in ("width", "depth"):
            new["arguments"][kind] = self.more(new["arguments"][kind], WIDTHS if kind == "width" else DEPTHS)
        elif kind == "fit":
            new["fit"] = self.dice.draw(some.lists(some.sampled_from(FITS), min_size=1, unique_by=str), label="fits")
        elif kind == "range":
            new["search"]["eta_max"] *= 8.0
        else:
            values = TOLERANCES if kind == "tolerance" else THRESHOLDS
            new["search"][kind] = self.dice.draw(some.sampled_from(values), label=kind)
        return new

    def more(self, held: list[Any], values: list[Any]) -> list[Any]:
        missing = [value for value in values if value not in held]
        if not missing:
            return held
        added = self.dice.draw(some.lists(some.sampled_from(missing), min_size=1, unique=True), label="added")
        return list(self.dice.draw(some.permutations([*held, *added]), label="order"))

    def fresh(self) -> Path:
        self.made += 1
        store = self.folder / f"fresh-{self.made}.db"
        drive(store, self.asked)
        return store

    def begin(self) -> None:
        """At once, or in shards."""
        count = self.dice.draw(some.sampled_from([1, 1, 3]), label="shards")
        if count == 1:
            drive(self.store, self.asked)
            return
        parts = [self.folder / f"shard-{index}.db" for index in range(count)]
        trained = sum(drive(store, self.asked, Shard(index, count)) for index, store in enumerate(parts))
        merging.merge(self.store, self.dice.draw(some.permutations(parts)), refit_merged, join=join)
        assert trained == len(rows(self.store, NUMBERS))

    def grow(self) -> None:
        """One change, and exactly the trainings that it takes."""
        before = rows(self.store, CURVES)
        self.asked = self.changed(self.asked, additive=False)
        trained = drive(self.store, self.asked)
        assert trained == undecided(before, rows(self.fresh(), CURVES))

    def fork(self) -> None:
        """Two copies that grow apart and are merged, and what is missing then."""
        copies = [self.folder / f"copy-{self.made}-{name}.db" for name in "ab"]
        grown = [self.changed(self.asked, additive=True) for _ in copies]
        for copy, document in zip(copies, grown, strict=True):
            shutil.copy(self.store, copy)
            drive(copy, document)
        self.made += 1
        self.store = self.folder / f"merged-{self.made}.db"
        merging.merge(self.store, self.dice.draw(some.permutations(copies), label="order"), refit_merged, join=join)
        before = rows(self.store, CURVES)
        one, other = grown
        self.asked = deepcopy(one)
        seeds = one["sweep"]["seeds"]
        self.asked["sweep"]["seeds"] = [*seeds, *(seed for seed in other["sweep"]["seeds"] if seed not in seeds)]
        for name, held in self.asked["arguments"].items():
            held += [value for value in other["arguments"][name] if value not in held]
        self.asked["search"]["eta_max"] = max(each["search"]["eta_max"] for each in grown)
        fits = {str(fit): fit for each in grown for fit in each.get("fit", ())}
        self.asked |= {"fit": list(fits.values())} if fits else {}
        trained = drive(self.store, self.asked)
        assert trained == undecided(before, rows(self.fresh(), CURVES))

    def same(self) -> None:
        fresh = self.fresh()
        assert table(self.store) == table(fresh)
        assert set(rows(fresh, NUMBERS)) <= set(rows(self.store, NUMBERS))
        assert not list(invariants.check(self.store))


@settings(
    max_examples=200 if FULL else 3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(some.data())
def test_any_way_there_ends_at_the_same_table_and_trains_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory, dice: some.DataObject
) -> None:
    life = Life(tmp_path_factory.mktemp("life"), dice)
    life.begin()
    for step in dice.draw(some.lists(some.sampled_from(["grow", "grow", "grow", "fork"]), min_size=1, max_size=4)):
        (life.fork if step == "fork" else life.grow)()
        life.same()
