"""The checker of a store finds each kind of contradiction."""

import sqlite3
from contextlib import closing
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db.errors import StoreMissing
from mlrtui_db.invariants import check

BROKEN = {
    "DELETE FROM step WHERE trial_id = 2 AND step = 1": "n_steps is not the number of stored steps: trial 2",
    "UPDATE trial SET last_loss = 9 WHERE trial_id = 3": "last_step, last_loss, min_loss or max_loss differ",
    "UPDATE trial SET max_loss_step = 2 WHERE trial_id = 3": "max_loss_step is not the first step of max_loss",
    "UPDATE trial SET max_sharpness = 9 WHERE trial_id = 3": "last_sharpness or max_sharpness differ",
    "UPDATE step SET loss = NULL, flags = 1 WHERE trial_id = 1 AND step = 0": "there is no bad_step: trial 1",
    "UPDATE step SET loss = NULL WHERE trial_id = 1 AND step = 0": "loss is NULL without a flag, or flagged",
    "UPDATE step SET flags = 8 WHERE trial_id = 1 AND step = 0": "sharpness or accuracy is flagged",
    "UPDATE trial SET attempt = 2 WHERE trial_id = 1": "attempt is not the newest attempt",
    "UPDATE attempt SET outcome = NULL WHERE trial_id = 1": "an attempt ended without an outcome",
    "UPDATE attempt SET outcome = NULL, ended_at = NULL WHERE trial_id = 1": "an attempt is open that is not",
    "UPDATE trial SET status = 'running', verdict = NULL WHERE trial_id = 1": "a running trial has no open attempt",
    "UPDATE trial SET attempt = 0 WHERE trial_id = 1": "a trial that was never started has steps",
    "UPDATE trial SET verdict = NULL WHERE trial_id = 1": "a trial is done without a verdict",
    "UPDATE trial SET status = 'failed' WHERE trial_id = 1": "or is failed by another verdict: trial 1",
    "UPDATE trial SET given_up_epoch = 1 WHERE trial_id = 1": "or has a verdict that needs no giving up: trial 1",
    "UPDATE sweep SET finished_at = NULL": "a sweep has a time of finishing and is not done, or none and is: sweep 1",
    "DELETE FROM column_doc WHERE tbl = 'net' AND col = 'eta_area'": "has no text in column_doc: net.eta_area",
    "UPDATE net SET eta_area = 9e999": "a number is infinite: net.eta_area",
    "UPDATE cell SET ln_eta_star_mean = 0 WHERE cell_id = 2": "differ from the cell's nets: cell 2",
    "UPDATE net SET cell_id = 99 WHERE net_id = 4": "table net, row 4: its cell is missing",
}


@pytest.mark.parametrize(("statement", "expected"), BROKEN.items(), ids=range(len(BROKEN)))
def test_each_contradiction_is_found(tmp_path: Path, statement: str, expected: str) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    assert check(path) == []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
        found = check(connection)
        assert any(expected in line for line in found), found
    assert check(path) == found


def test_many_offenders_are_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE trial SET n_steps = 7")
        (found,) = check(connection)
    assert found.endswith("trial 1, trial 2, trial 3, trial 4, trial 5, ...")


def test_no_store_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        check(tmp_path / "a.db")
