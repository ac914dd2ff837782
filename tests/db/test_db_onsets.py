"""The view `onsets` on trials made for it: what exceeds its start, what is survived, and what the scan cannot tell."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import db_samples as samples
import numpy as np
import pytest

from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

NET = 1


def onsets(
    path: Path, trials: list[dict[str, Any]], *, where: str = "all", edge: float = 2.0, **settings: object
) -> dict[str, object]:
    """Rows of one net with λ₀ = 4 and trials at c / 4; each trial names its c, curves and outcome.

    Full batch, unless ``settings`` of the cell say otherwise; ``where`` λ is measured.
    """
    told_of_cell = {"loss": "mse", "batch": 1024, **settings}
    cell = samples.cell(0, 2, 64, (0,), **told_of_cell)
    cell = replace(cell, edge=edge, nets=(replace(cell.nets[0], sharpness_samples=where),))
    with Store.open(path) as store, store.transaction():
        sweep_id = store.add_sweep(samples.sweep(mode="scan", cells=[cell]))
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
            told |= {"peak_step": int(np.argmax(trial["loss"]))} | trial.get("evidence", {})
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


def second(c: float, phase: str, peak: float, before: float | None = None, **more: Any) -> dict[str, Any]:
    """A trial of the second edition: its phase, smoothed peak, and largest η·λ/edge before it."""
    loss = more.pop("loss", [1.0, max(peak, 0.5), 0.4])
    evidence = {"phase_rule": 2, "phase_basis": "loss", "peak_smoothed": peak, "ratio_before_peak": before, **more}
    sharpness = evidence.pop("sharpness", [4.0, 4.0, 4.0])
    lost = {"bad_step": 2, "verdict": "diverged"} if phase in ("divergent", "catastrophic") else {}
    return {"c": c, "loss": loss, "sharpness": sharpness, "phase": phase, "accuracy": 0.5, "evidence": evidence, **lost}


def test_survival_counts_below_the_first_training_that_is_lost(tmp_path: Path) -> None:
    """Seed 901 of the research note: 15 survives, 18 is unfinished, 22 is lost, and an island lies above."""
    trials = [
        second(8.0, "catapult", 9.0, 4.0),
        second(15.0, "catapult", 9.0, 7.0),
        second(18.0, "unfinished", 9.0, 8.0),
    ]
    lost = [second(22.0, "collapsed", 90.0, 9.0), second(25.0, "catapult", 90.0, 9.0)]
    row = onsets(tmp_path / "a.db", [*trials, *lost])
    names = ("c_max", "c_max_below", "c_max_last", "c_max_open", "phase_rule")
    assert [row[name] for name in names] == [15.0, 18.0, 25.0, 1, 2]
    row = onsets(tmp_path / "b.db", [*trials[:2], *lost])
    assert [row[name] for name in names] == [15.0, 22.0, 25.0, 0, 2]
    row = onsets(tmp_path / "c.db", [second(1.0, "collapsed", 1.0), second(2.0, "edge", 1.0)])
    assert [row[name] for name in names] == [None, None, 2.0, 0, 2]


@pytest.mark.parametrize(
    ("peak", "before", "settings", "rises"),
    [
        (1.00001, 1.2, {}, True),
        (1.0000001, 1.2, {}, False),
        (3.0, 0.99, {}, False),  # λ says that the rate was below the edge
        (1.00001, None, {}, True),  # no λ: the loss decides
        (1.4, 1.2, {"batch": 64}, False),  # noise of the batches
        (1.6, 1.2, {"batch": 64}, True),
        (1.6, None, {"batch": 64}, True),
        (4.2, 0.987, {"optimizer": "momentum", "edge": 3.8}, False),  # heavy ball's transient, up to 7.84
        (8.0, 0.987, {"optimizer": "momentum", "edge": 3.8}, True),
        (4.2, None, {"optimizer": "momentum", "edge": 3.8}, False),
        (1.01, 1.01, {"optimizer": "momentum", "edge": 3.8}, True),
    ],
)
def test_a_loss_rises_by_more_than_noise_or_a_transient(
    tmp_path: Path, peak: float, before: float | None, settings: dict[str, Any], rises: bool
) -> None:
    calm = second(1.0, "lazy", 1.0, 0.5)
    row = onsets(tmp_path / "a.db", [calm, second(2.5, "catapult", peak, before)], **settings)
    assert (row["c_loss"], row["c_loss_above"]) == ((2.5, 1.0) if rises else (None, None))


def test_sharpness_inside_an_explosion_is_no_sharpening(tmp_path: Path) -> None:
    exploded = second(2.5, "catapult", 50.0, 1.2, loss=[1.0, 50.0, 3.0], sharpness=[4.0, 4.0, 90.0])
    before = second(3.0, "catapult", 50.0, 1.2, loss=[1.0, 2.0, 50.0], sharpness=[4.0, 4.1, 3.0])
    row = onsets(tmp_path / "a.db", [exploded, before])
    assert (row["c_sharp"], row["c_sharp_above"], row["c_loss"]) == (3.0, 2.5, 2.5)
    calm = second(1.0, "edge", 1.0, 0.5, loss=[1.0, 0.9, 0.8], sharpness=[4.0, 4.0, 5.0])
    assert onsets(tmp_path / "b.db", [calm, exploded])["c_sharp"] == 1.0
    assert onsets(tmp_path / "c.db", [calm, exploded], where="probe of 64")["c_sharp"] is None


def test_onsets_of_pruned_trials_rest_on_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    trials = [
        second(2.5, "catapult", 9.0, 1.25, sharpness=[4.0, 9.0, 9.0]),
        second(4.0, "catapult", 9.0, 2.2, sharpness=[4.0, 9.0, 9.0]),
    ]
    onsets(path, trials)
    with Store.open(path) as store, store.transaction():
        assert store.prune_steps(1) > 0
    with Reader.open(path) as reader:
        columns, rows = reader.query("onsets")
        (row,) = (dict(zip(columns, row, strict=True)) for row in rows)
    assert (row["c_loss"], row["c_sharp"]) == (2.5, 4.0)  # 2.5/2 = 1.25 is the start's own ratio


def test_one_trial_of_the_first_edition_makes_the_nets_onsets_of_the_first(tmp_path: Path) -> None:
    row = onsets(
        tmp_path / "a.db", [second(1.0, "lazy", 1.0, 0.5), second(9.0, "divergent", 9.0, 4.0), {**RISEN, "c": 12.0}]
    )
    assert (row["phase_rule"], row["c_max"], row["c_max_last"]) == (1, 12.0, 12.0)
