"""SIGKILL of a driver that grows a sweep: the store is as before or as after, never between, and a run makes it whole.

The process that is killed is a fork of the test, which counts its statements. `MLRTUI_TEST_FULL=1` kills at each.
"""

import os
import shutil
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from killing import killed_at, statements_of
from loop_engine import LoopEngine, loop_document
from stored_rows import rows

from mlrtui import planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver
from mlrtui_db import invariants
from mlrtui_db.store import Store

Document = dict[str, Any]
MOST = 10**9 if os.environ.get("MLRTUI_TEST_FULL") == "1" else 5

SWEEPS = (
    "SELECT name, json_extract(spec, '$.search.threshold'), json_extract(spec, '$.sweep.seeds') FROM sweep ORDER BY 1"
)
NETS = "SELECT s.name, count(*) FROM net JOIN cell USING (cell_id) JOIN sweep s USING (sweep_id) GROUP BY 1 ORDER BY 1"
TABLE = (
    "SELECT cell, seed, status, eta_star, eta_last, first_failure, window_low, window_high, censored"
    " FROM eta_star WHERE sweep = 's' ORDER BY cell, seed"
)
FITS = "SELECT fit, term, exponent, low, high, cells FROM exponents WHERE sweep = 's' ORDER BY fit, term"
NUMBERS = (
    "SELECT s.name, c.label, n.seed, t.eta, t.trial_key, t.verdict, t.n_steps, t.loss_final FROM trial t"
    " JOIN net n USING (net_id) JOIN cell c USING (cell_id) JOIN sweep s USING (sweep_id) WHERE t.status = 'done'"
)


def drive(store: Path, wanted: Document) -> None:
    spec = parse_sweep(wanted, "f").settled
    with Store.open(store) as opened:
        assert Driver(opened, LoopEngine(), driver_id="t").run_sweep(spec, planning.plan(spec, None)).status == "done"


@pytest.mark.parametrize("what", ["seeds and a width", "another threshold", "back to a threshold"])
def test_a_kill_while_growing_leaves_what_was_there_or_what_is_to_be(tmp_path: Path, what: str) -> None:
    old = loop_document(tmp_path, threshold=0.6)
    old["arguments"] = {"width": [8, 16]}
    new = deepcopy(old)
    if what == "seeds and a width":
        new["sweep"]["seeds"], new["arguments"]["width"] = [0, 1, 2], [8, 16, 32]
    else:
        new["search"]["threshold"] = 0.8
    start, whole, alone = tmp_path / "start.db", tmp_path / "whole.db", tmp_path / "alone.db"
    drive(start, old)
    if what == "back to a threshold":
        drive(start, new)
        new = old | {"sweep": {"name": "s", "seeds": [0, 1, 2]}}
    drive(alone, new)
    shutil.copy(start, whole)
    last = statements_of(partial(drive, whole, new))
    before, after = [[rows(store, query) for query in (SWEEPS, NETS)] for store in (start, whole)]
    stored, seen, kills = set(rows(start, NUMBERS)), set(), 0
    early = range(1, min(last, 60), max(1, 60 // MOST))  # where the sweep grows
    for at in sorted({*early, *range(1, last, max(1, last // MOST))}):
        store = tmp_path / f"{at}.db"
        shutil.copy(start, store)
        kills += killed_at(at, partial(drive, store, new))
        left = [rows(store, query) for query in (SWEEPS, NETS)]
        assert left in (before, after), at
        seen.add(left == after)
        assert {row[1:] for row in stored} <= {row[1:] for row in rows(store, NUMBERS)}
        assert invariants.check(store) == []
        drive(store, new)
        assert rows(store, TABLE) == rows(alone, TABLE)
        assert rows(store, FITS) == rows(alone, FITS)
        assert sorted(rows(store, NUMBERS)) == sorted(rows(whole, NUMBERS))
    assert seen == {True, False}
    assert kills > 5
