"""The view `onsets` on trials made for it: what exceeds its start, what is survived, and what the scan cannot tell."""

from pathlib import Path
from typing import Any

import db_samples as samples

from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

NET = 1


def onsets(path: Path, trials: list[dict[str, Any]]) -> dict[str, object]:
    """Rows of one net with λ₀ = 4 and trials at c / 4; each trial names its c, curves and outcome."""
    with Store.open(path) as store, store.transaction():
        sweep_id = store.add_sweep(samples.sweep(mode="scan", cells=[samples.cell(0, 2, 64, (0,), loss="mse")]))
        assert store.sweep_state(sweep_id).nets[0].net_id == NET
        store.set_lambdas(samples.lambdas(NET))
        store.open_net(NET, None)
        ids = store.add_trials([samples.trial(NET, trial["c"] / 4.0) for trial in trials])
        store.open_attempts(ids, "driver", "cpu", {})
        for trial_id, trial in zip(ids, trials, strict=True):
            sharpness = trial.get("sharpness")
            store.append_steps(samples.steps(trial_id, trial["loss"], sharpness=sharpness))
            told = {"loss_initial": 1.0, "peak_ratio": max(trial["loss"]), "phase": trial.get("phase", "lazy")}
            told |= {"verdict": trial.get("verdict", "finished"), "bad_step": trial.get("bad_step")}
            told |= {"bad_kind": None if trial.get("bad_step") is None else "threshold"}
            store.finish_trial(samples.outcome(trial_id, **told, final_accuracy=trial.get("accuracy")))
    with Reader.open(path) as reader:
        columns, rows = reader.query("onsets")
        (row,) = rows
        return dict(zip(columns, row, strict=True))


LAZY = {"c": 1.0, "loss": [1.0, 0.9, 0.8], "sharpness": [4.0, 4.0, 4.001], "accuracy": 0.5}
RISEN = {"c": 2.5, "loss": [1.0, 3.0, 0.5], "sharpness": [4.0, 3.0, 2.0], "phase": "catapult", "accuracy": 0.9}
SHARPER = {"c": 3.5, "loss": [1.0, 9.0, 0.4], "sharpness": [4.0, 4.3, 2.0], "phase": "catapult", "accuracy": 0.8}
LOST = {
    "c": 5.0, "loss": [1.0, 50.0, 9e5], "sharpness": [4.0, 80.0, None], "phase": "divergent", "verdict": "diverged",
    "bad_step": 2, "accuracy": 0.1,
}  # fmt: skip


def test_the_three_onsets_of_a_scan_with_their_neighbours(tmp_path: Path) -> None:
    row = onsets(tmp_path / "a.db", [LOST, SHARPER, LAZY, RISEN])
    assert [row[name] for name in ("c_loss_above", "c_loss")] == [1.0, 2.5]
    assert [row[name] for name in ("c_sharp_above", "c_sharp")] == [2.5, 3.5]
    assert [row[name] for name in ("c_max", "c_max_below")] == [3.5, 5.0]
    assert (row["ordered"], row["trials"], row["lambda0_preconditioned"]) == (1, 4, 4.0)


def test_the_grid_rule_takes_the_first_bad_rate_above_the_best(tmp_path: Path) -> None:
    too_slow = {**LAZY, "c": 0.5, "accuracy": 0.1}
    row = onsets(tmp_path / "a.db", [too_slow, LAZY, RISEN, SHARPER, LOST])
    assert (row["accuracy_best"], row["eta_best"], row["eta_unstable"]) == (0.9, 2.5 / 4, 5.0 / 4)


def test_where_a_scan_ends_too_early_there_is_no_neighbour(tmp_path: Path) -> None:
    row = onsets(tmp_path / "a.db", [SHARPER, {**SHARPER, "c": 4.0}])
    assert (row["c_loss"], row["c_loss_above"]) == (3.5, None)
    assert (row["c_sharp"], row["c_sharp_above"]) == (3.5, None)
    assert (row["c_max"], row["c_max_below"]) == (4.0, None)
    assert row["eta_unstable"] is None


def test_what_never_happens_is_null(tmp_path: Path) -> None:
    unmeasured = {**LAZY, "sharpness": None, "accuracy": None}
    row = onsets(tmp_path / "a.db", [unmeasured])
    assert [row[name] for name in ("c_loss", "c_sharp", "ordered", "eta_best")] == [None] * 4
    assert row["c_max"] == 1.0


def test_another_order_is_said(tmp_path: Path) -> None:
    early = {**LAZY, "c": 1.5, "sharpness": [4.0, 4.2, 4.0]}
    row = onsets(tmp_path / "a.db", [LAZY, early, RISEN, LOST])
    assert (row["c_sharp"], row["c_loss"], row["ordered"]) == (1.5, 2.5, 0)
