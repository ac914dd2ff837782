"""Stores of earlier versions get phases by the present rules where their steps suffice, whoever opens them."""

import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Mlrtui

import mlrtui as package
from mlrtui.report import report
from mlrtui.stores import make_current
from mlrtui_db._editions import UNDECIDED
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store
from mlrtui_trainer.phases import PHASES, RULE_EDITION

HERE = Path(__file__).parents[1] / "db"
sys.path.append(str(HERE))
from db_versions import DUMPS, content, restore  # noqa: E402

(NEWEST,) = (dump for dump in DUMPS if dump.stem == "3-first")  # of those with phases of the first edition

# What the sweeps of this dump were, without the search, whose rates another version asked for.
WINE = """
[sweep]
name = "from long ago"
seeds = [911]
[data]
name = "wine"
standardize = "feature"
samples = 128
target = "parity"
[model]
depth = 1
width = 512
[training]
loss = "mse"
batch = "full"
steps = 60
[scan]
eta_lambda0 = [0.5, 2.6, 6.0]
[sharpness]
every = 4
"""
GENTLE = """
[sweep]
name = "gentle cross-entropy"
seeds = [901]
[data]
name = "digits"
samples = 512
[model]
depth = 3
width = 32
[training]
loss = "ce"
batch = 64
steps = 64
[scan]
eta_lambda0 = [0.003, 1.0, 40.0]
[sharpness]
every = 16
"""


def phases(path: Path) -> Iterator[dict[str, Any]]:
    with Reader.open(path) as reader:
        columns, rows = reader.query("phases")
        yield from (dict(zip(columns, row, strict=True)) for row in rows)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_every_trial_is_named_anew_or_says_why_not(mlrtui: Mlrtui, tmp_path: Path, dump: Path) -> None:
    path = restore(dump, tmp_path / "mlrtui.db")
    before = content(path, ("trial", "step"))
    done = mlrtui("prune", "no such sweep")  # it opens the store to write, and stops at the name
    assert done.returncode == 2
    assert "was migrated to the present version" in done.stderr
    kept = [{"eta": None, **row} for row in before["step"]]  # a column that is new in schema 5
    assert content(path, ("step",))["step"] == kept
    assert check(path) == []
    old = {row["trial_id"]: row["phase"] for row in before["trial"]}
    named = 0
    for row in phases(path):
        if row["phase"] is None:
            assert (old[row["trial_id"]], row["phase_rule"]) == (None, None)
        elif row["phase_rule"] == 1:
            assert (row["phase"], row["phase_reason"]) == (old[row["trial_id"]], UNDECIDED)
        else:
            named += 1
            assert row["phase_rule"] == RULE_EDITION
            assert row["phase"] in PHASES[row["training_loss"]]
            assert row["phase_reason"].startswith("row ")
            assert row["phase_basis"] in ("loss", "loss+sharpness")
    assert named > 0


def test_a_stored_training_is_named_as_the_same_training_is_today(
    mlrtui: Mlrtui, sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = restore(NEWEST, tmp_path / "old.db")
    assert mlrtui("prune", "no such sweep", "--store", path).returncode == 2
    scans = [sweep_file(text, f"{at}.toml") for at, text in enumerate((WINE, GENTLE))]
    done = mlrtui("run", *scans, "--store", tmp_path / "new.db", "--devices", "cpu:1")
    assert done.returncode == 0, done.stderr

    def key(row: dict[str, Any]) -> tuple[str, int]:
        return row["sweep"], round(1000 * row["eta_lambda0"])

    today = {key(row): row for row in phases(tmp_path / "new.db")}
    assert len(today) == 6
    decided = {key(row): row for row in phases(path) if key(row) in today and row["phase_rule"] == RULE_EDITION}
    assert {at: row["phase"] for at, row in decided.items()} == {at: today[at]["phase"] for at in decided}
    assert decided["from long ago", 500]["phase"] == "lazy"
    assert decided["from long ago", 2600]["phase"] == "catapult"
    assert decided["from long ago", 2600]["peak_smoothed"] == pytest.approx(
        today["from long ago", 2600]["peak_smoothed"], rel=1e-3
    )
    for name in ("loss_constant", "majority"):  # from the data, which is the same by its hash
        assert decided["from long ago", 2600][name] == today["from long ago", 2600][name]


def test_trials_whose_steps_are_gone_keep_their_phase(mlrtui: Mlrtui, tmp_path: Path) -> None:
    path = restore(NEWEST, tmp_path / "mlrtui.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM step")
    old = {row["trial_id"]: row for row in content(path, ("trial",))["trial"]}
    assert mlrtui("prune", "no such sweep").returncode == 2
    for row in phases(path):
        lost = old[row["trial_id"]]["verdict"] in ("diverged", "dead")
        assert row["phase_rule"] == (RULE_EDITION if lost else 1)
        assert lost or row["phase"] == old[row["trial_id"]]["phase"]


def test_a_store_that_is_only_read_says_whose_phases_they_are(tmp_path: Path) -> None:
    path = restore(NEWEST, tmp_path / "mlrtui.db")
    whole = path.read_bytes()
    with Reader.open(path) as reader:
        (number,) = (sweep.sweep_id for sweep in reader.sweeps() if sweep.name == "gentle cross-entropy")
        snapshot = reader.live(number)
        assert snapshot is not None
        told = report(reader, snapshot)
    assert "3 of these phases follow the first edition" in told
    assert path.read_bytes() == whole


def test_no_other_place_opens_a_store_to_write() -> None:
    """Else an older store would be brought up to date there without the rules, for good."""
    folder = Path(package.__file__).parent
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if re.search(r"\bStore\.open\(|\bbring_up_to_date\b", path.read_text(encoding="utf-8"))
    }
    assert found == {"stores.py"}
    assert callable(Store.open)


def test_trials_of_an_optimizer_that_is_not_installed_keep_their_phases(tmp_path: Path) -> None:
    path = restore(NEWEST, tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE cell SET optimizer = 'nobodys'")
        connection.commit()
        phases = connection.execute("SELECT trial_id, phase FROM trial WHERE phase IS NOT NULL ORDER BY 1").fetchall()
    make_current(path)
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT trial_id, phase, phase_rule FROM trial WHERE phase IS NOT NULL ORDER BY 1"
        assert connection.execute(query).fetchall() == [(*row, 1) for row in phases]
    assert len(phases) > 3
