"""From the trainer's rows to the views: what a sweep file asks for arrives in the store."""

from pathlib import Path

import pytest
from conftest import SMALL_SCAN

from mlrtui import data, planning
from mlrtui.config import load_sweep
from mlrtui.driver import conversion
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader
from mlrtui_db.records import TrialRecord
from mlrtui_db.store import Store
from mlrtui_trainer.spec import Outcome, Round, StepBatch, TrialSpec
from mlrtui_trainer.worker import run_task

ASKED = (
    'sharpness.operator=["hessian","ntk"]',
    "sharpness.every=2",
    "sharpness.top=2",
    "sharpness.samples=20",
    "record.layers=true",
)


def trained(plan: planning.Plan, path: Path) -> int:
    """Train one trial of the first cell into a new store, and give its number."""
    cell = plan.cells[0]
    assert isinstance(cell, planning.CellPlan)
    with Store.open(path, host="here") as store:
        with store.transaction():
            sweep_id = store.add_sweep(plan.sweep)
        net = store.sweep_state(sweep_id).nets[0]
        with store.transaction():
            key = planning.trial_key(cell, net.seed, 0.01)
            (trial_id,) = store.add_trials([TrialRecord(net.net_id, key, 0.01, 1.0, 0, cell.train.max_steps)])
            store.open_attempts([trial_id], "driver", "cpu", {})
        trials = (TrialSpec(trial_id, 1, net.seed, 0.01, float("nan")),)
        task = Round(1, cell.data_id, cell.net, cell.train, cell.sharpness, trials)
        for message in run_task(task, plan.datasets[cell.data_id], "cpu"):
            with store.transaction():
                if isinstance(message, StepBatch):
                    assert store.append_steps(conversion.step_rows(message)).dropped == 0
                elif isinstance(message, Outcome):
                    assert store.finish_trial(conversion.trial_outcome(message))
    assert check(path) == []
    return trial_id


def test_what_is_asked_for_arrives_in_the_views(sweep_file, tmp_path) -> None:  # type: ignore[no-untyped-def]
    plan = planning.plan(load_sweep(sweep_file(SMALL_SCAN), ASKED), data.load)
    cell = plan.cells[0]
    path = tmp_path / "a.db"
    trial_id = trained(plan, path)
    with Reader.open(path) as reader:
        curve = reader.curve(trial_id)
        names, rows = reader.query("spectra")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        names, rows = reader.query("layers")
        layers = [dict(zip(names, row, strict=True)) for row in rows]
        live = reader.live()
    measured = [step for step, value in zip(curve.step, curve.sharpness, strict=True) if value == value]
    assert [(row["step"], row["operator"], row["rank"]) for row in found] == [
        (step, operator, rank) for step in measured for operator in ("hessian", "ntk") for rank in (1, 2)
    ]
    main = {row["step"]: row["value"] for row in found if (row["operator"], row["rank"]) == ("hessian", 1)}
    assert main == {step: curve.sharpness[list(curve.step).index(step)] for step in measured}
    assert all(row["value_ratio"] == pytest.approx(row["value"] * 0.005) for row in found)
    assert [(row["step"], row["role"]) for row in layers] == [
        (step, role) for step in range(11) for role in ("input", "output")
    ]
    assert all(row["activation_rms"] > 0 for row in layers)
    assert all(row["effective_rms"] > 0 for row in layers if row["step"] > 0)
    assert live is not None
    assert live.nets[0].sharpness_samples == f"first 20 of {cell.data.samples}: another loss"


def test_the_last_of_many_layers_is_the_output(sweep_file, tmp_path) -> None:  # type: ignore[no-untyped-def]
    asked = ("record.layers=true", "model.kind=transformer", "model.depth=1")  # whose layers are more than depth + 1
    plan = planning.plan(load_sweep(sweep_file(SMALL_SCAN), asked), data.load)
    trained(plan, tmp_path / "a.db")
    with Reader.open(tmp_path / "a.db") as reader:
        names, rows = reader.query("layers")
        first = [row[names.index("role")] for row in rows if row[names.index("step")] == 0]
    assert first == ["input", *["hidden"] * 4, "output"]


def test_a_scan_stores_the_accuracy_of_samples_that_are_held_out(sweep_file, tmp_path) -> None:  # type: ignore[no-untyped-def]
    found = {}
    for name, asked in (("train", ()), ("validation", ("data.validation=0.25", 'scan.on="validation"'))):
        plan = planning.plan(load_sweep(sweep_file(SMALL_SCAN), asked), data.load)
        trained(plan, tmp_path / f"{name}.db")
        with Reader.open(tmp_path / f"{name}.db") as reader:
            names, rows = reader.query("curves")
            found[name] = [dict(zip(names, row, strict=True)) for row in rows]
        held = plan.datasets[plan.cells[0].data_id].held_out
        counted = held if name == "validation" else plan.cells[0].data.samples
        assert {row["accuracy_on"] for row in found[name]} == {name}
        parts = [row["accuracy"] * counted for row in found[name] if row["accuracy"] is not None]
        assert parts == pytest.approx(list(map(round, parts)))
    assert held > 0
