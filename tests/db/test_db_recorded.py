"""Cells, trials and measures of trainings that are not ours."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import db_samples as samples
import db_versions
import pytest

from mlrtui_db import invariants
from mlrtui_db.own import Own, own_cell, own_settings, own_values
from mlrtui_db.reader import Reader
from mlrtui_db.records import MeasureRow, NetRecord, SweepRecord, TrialRecord
from mlrtui_db.store import Store, bring_up_to_date

NET = NetRecord(0, "hessian", "own", "the batch of each step", "every 10 steps")
MEASURES = [
    MeasureRow(0, "critical", 4.0, 20.0, low=3.5, high=4.5, forwards=7, status="found", seconds=0.25),
    MeasureRow(0, "batch", 3.0, 2.0, edge_high=38.0, products=1, status="found"),
    MeasureRow(2, "critical", float("nan"), 10.0, status="no-descent", note="dropout"),
]


def recorded(path: Path, own: Own, name: str = "run", etas: tuple[float, ...] = (0.1, 0.3, 0.2)) -> int:
    """A recorded run, still open; returns its trial."""
    spec = json.dumps({"name": name})
    sweep = SweepRecord(name, samples.sha(spec), spec, "recorded", "script", (own_cell(own, [NET], n_params=42),))
    with Store.open(path, host="here") as store:
        with store.transaction():
            sweep_id = store.add_sweep(sweep)
            (net_id,) = samples.net_ids(store, sweep_id)
            store.open_net(net_id, None)
            (trial_id,) = store.add_trials([TrialRecord(net_id, samples.sha(name), etas[0], None, 0, 0)])
            store.open_attempts([trial_id], "script", "cpu", {})
        with store.transaction():
            rows = samples.steps(trial_id, [2.0, 1.0, 0.5])
            store.append_steps(replace(rows, eta=etas, measures=MEASURES))
            store.raise_eta(trial_id, max(etas))
            store.show_life(trial_id)
    return trial_id


def rows(path: Path, view: str) -> list[dict[str, object]]:
    with Reader.open(path) as reader:
        names, found = reader.query(view)
        return [dict(zip(names, row, strict=True)) for row in found]


def test_what_is_not_known_of_a_cell_is_null_and_its_own_settings_are_in_every_view(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    recorded(path, {"width": 64, "heads": 4, "momentum": 0.9, "loss": "lm", "rope": True, "decay": None})
    first = rows(path, "curves")[0]
    assert (first["depth"], first["width"], first["momentum"], first["training_loss"]) == (None, 64, 0.9, "lm")
    assert all(first[name] is None for name in ("data", "samples", "model", "activation", "batch", "max_steps", "bias"))
    assert own_values(first["own"]) == {"width": 64.0, "heads": 4.0, "momentum": 0.9, "loss": "lm", "rope": 1.0}
    assert first["cell"] == "width=64 heads=4 momentum=0.9 loss=lm rope=yes decay=None"
    assert [row["step_eta"] for row in rows(path, "curves")] == [0.1, 0.3, 0.2]
    assert {row["eta"] for row in rows(path, "curves")} == {0.3}  # the peak
    assert all(row["sharpness_ratio"] is None for row in rows(path, "curves"))
    with Reader.open(path) as reader:
        snapshot = reader.live()
        assert snapshot is not None
        assert snapshot.sweep.mode == "recorded"
        assert (snapshot.cells[0].depth, snapshot.cells[0].width) == (None, 64)
        assert snapshot.cells[0].size == snapshot.cells[0].label == snapshot.cells[0].variant
        details = reader.trial_details(1)
        assert details is not None
        assert dict(details.cell)["n_params"] == 42


def test_a_measure_keeps_its_edges_bounds_and_status(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    trial_id = recorded(path, {})
    found = {(row["step"], row["measure"]): row for row in rows(path, "measures")}
    critical, batch, lost = found[0, "critical"], found[0, "batch"], found[2, "critical"]
    assert [critical[name] for name in ("value", "edge", "low", "high", "forwards", "status", "seconds")] == [
        *(4.0, 20.0, 3.5, 4.5, 7, "found", 0.25)
    ]
    assert (critical["value_ratio"], critical["residual"], critical["products"]) == (0.2, None, None)
    assert (batch["edge"], batch["edge_high"], batch["products"]) == (2.0, 38.0, 1)
    assert (lost["value"], lost["status"], lost["note"]) == (None, "no-descent", "dropout")
    with Reader.open(path) as reader:
        assert reader.measures(trial_id) == ("batch", "critical", "learning rate")
        (rates,) = reader.measure_curve(trial_id, "learning rate", after_step=0).parts.values()
        assert (list(rates.step), list(rates.value)) == ([1, 2], [0.3, 0.2])
        (curve,) = reader.measure_curve(trial_id, "batch").parts.values()
        assert (list(curve.value), list(curve.edge), list(curve.edge_high)) == ([3.0], [2.0], [38.0])


def test_two_runs_of_one_rate_are_two_trials(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    assert recorded(path, {"lr": 0.1}, "one") != recorded(path, {"lr": 0.1}, "two")
    with Reader.open(path) as reader:
        assert {sweep.name: sweep.trials for sweep in reader.sweeps()} == {"one": 1, "two": 1}


def test_a_run_whose_writer_died_has_failed_and_does_not_wait_to_be_trained(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    trial_id = recorded(path, {})
    with Store.open(path) as store:
        assert store.recovered == 1
    with Reader.open(path) as reader:
        trial = reader.trial(trial_id)
        assert trial is not None
        assert (trial.status, trial.verdict, trial.n_steps) == ("failed", "failed", 3)
        assert reader.sweeps()[0].status == "stopped"
        details = reader.trial_details(trial_id)
        assert details is not None
        assert dict(details.attempt)["outcome"] == "lost"
    assert invariants.check(path) == []


def test_a_run_that_ends_is_done_once(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    spec = json.dumps({"name": "run"})
    with Store.open(path) as store:
        with store.transaction():
            store.add_sweep(SweepRecord("run", samples.sha(spec), spec, "recorded", "script", (own_cell({}, [NET]),)))
            (trial_id,) = store.add_trials([TrialRecord(1, samples.sha("run"), 0.1, None, 0, 0)])
            store.open_attempts([trial_id], "script", "cpu", {})
            store.append_steps(samples.steps(trial_id, [2.0, 3.0, 1.0], accuracy=[0.25, 0.75, 0.5]))
        with store.transaction():
            assert store.finish_recording(trial_id)
            assert not store.finish_recording(trial_id, "lost", "again")
    with Reader.open(path) as reader:
        (sweep,) = reader.sweeps()
        assert (sweep.status, sweep.trials_done, sweep.nets_done, sweep.trials_failed) == ("done", 1, 1, 0)
        assert [row["verdict"] for row in rows(path, "phases")] == ["finished"]
        names = ("loss_initial", "loss_final", "best_accuracy", "final_accuracy", "peak_ratio", "peak_step")
        details = reader.trial_details(trial_id)
        assert details is not None
        assert [dict(details.trial)[name] for name in names] == [2.0, 1.0, 0.75, 0.5, 1.5, 1]
        assert reader.live().cells[0].label == "run"  # type: ignore[union-attr]
    assert invariants.check(path) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"layers": [1, 2]}, r"settings.layers is \[1, 2\]: use a number, a text"),
        ({"lr": float("nan")}, "settings.lr is nan: use a finite number"),
        ({3: 4}, "settings: '3' is no name"),
        ({"": 4}, "settings: '' is no name"),
        ({"n": 2**60}, "settings.n is 1152921504606846976: use a number"),
    ],
)
def test_settings_that_cannot_be_kept_are_refused_in_one_line(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        own_settings(settings)


@pytest.mark.parametrize("dump", db_versions.DUMPS, ids=lambda dump: dump.stem)
def test_a_store_of_an_earlier_version_takes_recorded_runs_once_it_is_brought_up_to_date(
    tmp_path: Path, dump: Path
) -> None:
    path = db_versions.restore(dump, tmp_path / "old.db")
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("SELECT depth, width, bias, batch, loss FROM cell ORDER BY cell_id").fetchall()
    bring_up_to_date(path)
    recorded(path, {"heads": 4})
    with closing(sqlite3.connect(path)) as connection:
        after = connection.execute("SELECT depth, width, bias, batch, loss FROM cell ORDER BY cell_id").fetchall()
        assert after == [*before, (None,) * 5]
        assert connection.execute("SELECT DISTINCT mode FROM sweep WHERE name = 'run'").fetchall() == [("recorded",)]
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            connection.execute("UPDATE sweep SET mode = 'other'")
    assert [row for row in invariants.check(path) if "bar" not in row] == []
