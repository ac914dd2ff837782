"""Phases of older stores named anew while they are brought up to date, by rules that the caller hands over."""

import math
import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from db_versions import DUMPS, content, restore, version

from mlrtui_db._editions import UNDECIDED
from mlrtui_db._schema import SCHEMA_VERSION
from mlrtui_db.errors import StoreError
from mlrtui_db.invariants import check
from mlrtui_db.lock import is_held
from mlrtui_db.relabelling import NewPhase, StoredTrial
from mlrtui_db.store import Store, bring_up_to_date

EARLIER = [dump for dump in DUMPS if dump.stem < "4"]
"""Stores whose phases are of the first edition: schema 4 has the second."""


def by_first_loss(stored: StoredTrial) -> NewPhase | None:
    """A rule of this test's own: it needs the steps, and names one half of the trials."""
    if stored.trial["trial_id"] % 2 or not len(stored.curve.loss):
        return None
    evidence = {"peak_smoothed": max(stored.curve.loss), "rise": math.inf, "majority": None}
    return NewPhase("edge", 2, "loss", f"of {stored.cell['samples']} samples, seed {stored.net['seed']}", evidence)


@pytest.mark.parametrize("dump", EARLIER, ids=lambda dump: dump.stem)
def test_what_the_rules_decide_is_named_anew_and_the_rest_says_whose_it_is(tmp_path: Path, dump: Path) -> None:
    path = restore(dump, tmp_path / "a.db")
    before = content(path, ("trial", "step"))
    assert bring_up_to_date(path, relabel=by_first_loss) is not None
    after = content(path, tuple(before))
    assert [{**row, "eta": None} for row in before["step"]] == after["step"]
    samples = dict(described(path))
    seen = {"named": 0, "left": 0}
    for old, new in zip(before["trial"], after["trial"], strict=True):
        losses = [
            row["loss"] for row in before["step"] if row["trial_id"] == old["trial_id"] and row["loss"] is not None
        ]
        if old["phase"] is None or old["status"] != "done":
            assert (new["phase"], new["phase_reason"]) == (old["phase"], None)
        elif old["trial_id"] % 2 or not losses:
            seen["left"] += 1
            assert (new["phase"], new["phase_rule"], new["phase_reason"]) == (old["phase"], 1, UNDECIDED)
        else:
            seen["named"] += 1
            assert (new["phase"], new["phase_rule"], new["phase_basis"]) == ("edge", 2, "loss")
            assert new["phase_reason"] == samples[old["trial_id"]]
            assert (new["peak_smoothed"], new["rise"], new["majority"]) == (max(losses), None, None)
    assert min(seen.values()) > 0
    (told,) = [row["text"] for row in content(path, ("event",))["event"] if "schema 4" in str(row["text"])]
    assert f"phases named anew: {seen['named']}, left as they were: {seen['left']}" in told
    assert check(path) == []


def described(path: Path) -> list[tuple[int, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT trial_id, 'of ' || samples || ' samples, seed ' || seed FROM trial JOIN net USING (net_id)"
            " JOIN cell USING (cell_id)"
        ).fetchall()


def test_they_are_asked_once(tmp_path: Path) -> None:
    path = restore(EARLIER[-1], tmp_path / "a.db")
    bring_up_to_date(path, relabel=by_first_loss)
    before = content(path)
    with Store.open(path, relabel=lambda stored: NewPhase("lazy", 2, "loss", "again")):
        pass
    assert content(path) == before


@pytest.mark.parametrize("fault", ["raises", "unknown evidence", "unknown phase"])
def test_rules_that_fail_leave_the_store_at_the_version_before(tmp_path: Path, fault: str) -> None:
    path = restore(EARLIER[-1], tmp_path / "a.db")
    before = content(path)

    def faulty(stored: StoredTrial) -> NewPhase | None:
        if stored.trial["trial_id"] < 5:
            return by_first_loss(stored)
        if fault == "raises":
            raise ZeroDivisionError("in the rules")
        if fault == "unknown evidence":
            return NewPhase("lazy", 2, "loss", "because", {"peak_ratio": 1.0})
        return NewPhase("sleepy", 2, "loss", "because")

    with pytest.raises(ZeroDivisionError if fault == "raises" else StoreError):
        bring_up_to_date(path, relabel=faulty)
    assert version(path) == 3
    assert content(path) == before
    assert not is_held(path)
    bring_up_to_date(path, relabel=by_first_loss)
    assert version(path) == SCHEMA_VERSION


KILLED = """
import os, signal, sys
from mlrtui_db.relabelling import NewPhase
from mlrtui_db.store import Store
asked = 0
def rules(stored):
    global asked
    asked += 1
    if asked == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    return NewPhase("edge", 2, "loss", "half way")
Store.open(sys.argv[1], relabel=rules)
"""


def test_a_process_killed_among_the_trials_leaves_the_store_at_the_version_before(tmp_path: Path) -> None:
    path = restore(EARLIER[-1], tmp_path / "a.db")
    before = content(path)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert version(path) == 3
    assert content(path) == before
    bring_up_to_date(path, relabel=by_first_loss)
    assert check(path) == []
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")]


def test_memory_holds_one_trial_at_a_time(tmp_path: Path) -> None:
    path = restore(EARLIER[-1], tmp_path / "a.db")
    trials = [row["trial_id"] for row in content(path)["trial"]]
    steps = 4000
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in trials:
            connection.execute("DELETE FROM step WHERE trial_id = ?", (number,))
            rows = ((number, step, 1.0, None, None, None, None, 0) for step in range(steps))
            connection.executemany("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    tracemalloc.start()
    bring_up_to_date(path, relabel=by_first_loss)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one = 6 * 8 * steps  # six columns of doubles; while they are taken apart, there are a few copies of them
    assert peak < 5 * one + 2e6 < len(trials) * one
