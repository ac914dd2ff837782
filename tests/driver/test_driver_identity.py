"""Which stored sweep a sweep file goes on with: settings are compared by meaning, data by content."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH
from test_driver_fake import drive, rows

from mlrtui.engines.fake import FakeEngine
from mlrtui.errors import BadInput
from mlrtui.keys import canonical_json, digest
from mlrtui_db import invariants
from mlrtui_db.errors import SweepConflict

WriteSweep = Callable[..., Path]

RESULTS = "SELECT * FROM eta_star ORDER BY cell, seed"


@pytest.fixture
def half_done(sweep_file: WriteSweep, tmp_path: Path) -> tuple[Path, Path]:
    """A store in which a sweep was stopped, and its file."""
    store, sweep = tmp_path / "cut.db", sweep_file(SMALL_SEARCH)
    assert drive(store, sweep, FakeEngine(), stop_after=60).status == "stopped"
    return store, sweep


def change(store: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(statement, values)
        connection.commit()


def as_an_earlier_version_wrote_it(store: Path) -> None:
    """Take keys out of the stored settings that have a default, as if they had come later."""
    settings = json.loads(str(rows(store, "SELECT spec FROM sweep")[0][0]))
    del settings["record"], settings["sharpness"]["rest_every"], settings["model"]["bias"]
    spec = canonical_json(settings)
    change(store, "UPDATE sweep SET spec = ?, sweep_key = ?", spec, digest(spec))


def test_a_sweep_of_a_version_with_fewer_keys_goes_on(half_done: tuple[Path, Path], tmp_path: Path) -> None:
    store, sweep = half_done
    drive(tmp_path / "whole.db", sweep, FakeEngine())
    as_an_earlier_version_wrote_it(store)
    stored = rows(store, "SELECT spec, sweep_key FROM sweep")
    finished = set(rows(store, "SELECT trial_id, attempt FROM trial WHERE status = 'done'"))
    assert drive(store, sweep, FakeEngine()).status == "done"
    assert rows(store, "SELECT spec, sweep_key FROM sweep") == stored  # one sweep, as it was written
    assert finished <= set(rows(store, "SELECT trial_id, attempt FROM trial"))
    assert rows(store, RESULTS) == rows(tmp_path / "whole.db", RESULTS)
    assert invariants.check(store) == []
    before = store.read_bytes()
    assert drive(store, sweep, FakeEngine()).already
    assert store.read_bytes() == before


def test_a_sweep_that_an_earlier_version_finished_is_finished(half_done: tuple[Path, Path], mlrtui) -> None:  # type: ignore[no-untyped-def]
    store, sweep = half_done
    as_an_earlier_version_wrote_it(store)
    resumed = mlrtui("resume", "--store", store, "--devices", "fake")
    assert resumed.returncode == 0, resumed.stderr
    again = mlrtui("run", sweep, "--store", store)
    assert (again.returncode, "nothing was trained" in again.stdout) == (0, True)
    other = mlrtui("run", sweep, "--store", store, "--set", "model.bias=true")
    assert other.returncode == 2
    assert "(model.bias: [false] -> [true])" in other.stderr


def test_other_settings_are_another_sweep(half_done: tuple[Path, Path], sweep_file: WriteSweep) -> None:
    store, _ = half_done
    as_an_earlier_version_wrote_it(store)
    with pytest.raises(SweepConflict, match="small search"):
        drive(store, sweep_file(SMALL_SEARCH.replace("epochs = 3", "epochs = 4")), FakeEngine())


def test_other_data_under_the_same_name_is_refused(half_done: tuple[Path, Path]) -> None:
    store, sweep = half_done
    change(store, "UPDATE cell SET data_id = 'other' WHERE position = 1")
    before = rows(store, "SELECT * FROM trial")
    with pytest.raises(BadInput, match=r"data\.name = 'digits': no longer the data .* \(cell 1x32\)"):
        drive(store, sweep, FakeEngine())
    assert rows(store, "SELECT * FROM trial") == before


def test_other_code_is_said_in_the_log(half_done: tuple[Path, Path]) -> None:
    store, sweep = half_done
    warnings = "SELECT text FROM event WHERE level = 'warning' AND text LIKE 'begun by %'"
    change(store, "UPDATE sweep SET code_id = '0.0+old'")
    assert drive(store, sweep, FakeEngine()).status == "done"
    assert str(rows(store, warnings)[0][0]).startswith("begun by 0.0+old, goes on with ")
