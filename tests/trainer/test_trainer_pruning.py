"""Bars of a round: who is no better ends there, by every route, and what was trained until then is as in full."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import FULL
from trainer_runs import digits, run_trials, trial

from mlrtui_trainer import lanes
from mlrtui_trainer.spec import NetSpec, PruningThreshold, TrainSpec

MLP = NetSpec("mlp", 64, 10, 2, 16)
CNN = NetSpec("cnn", 64, 10, 2, 4, shape=(1, 8, 8))
ETAS = (0.2, 1e-6)  # one that learns, and one that does not move


class Never:
    """Stands for a machine without the extra."""

    @staticmethod
    def of(*_: object) -> None:
        return None


WAYS = [(MLP, True), (MLP, False), (CNN, False)]  # a net, and whether the compiled steps take it


@pytest.mark.parametrize(
    ("net", "compiled", "batch", "every"),
    [
        (net, compiled, batch, every)
        for net, compiled in WAYS
        for batch, every in ((32, 0), (32, 3), (128, 0), (128, 3))
        if FULL or net is MLP or (batch == 32) == (every == 0)
    ],
)
def test_who_is_no_better_than_a_bar_ends_there(
    compiled: bool, net: NetSpec, batch: int, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(lanes, "CompiledSteps", Never)
    data, per_epoch = digits(128), 128 // batch
    spec = TrainSpec("ce", batch, 40 * per_epoch, per_epoch, success="accuracy", threshold=2.0)
    trials = [trial(i, eta) for i, eta in enumerate(ETAS)]
    full = run_trials(data, net, spec, trials, every)
    at = {
        i: dict(zip(rows["step"].tolist(), rows["accuracy"].tolist(), strict=True)) for i, rows in full.columns.items()
    }
    thresholds = [PruningThreshold(30 * per_epoch, at[1][30 * per_epoch])]
    assert at[0][30 * per_epoch] > thresholds[0].accuracy
    cut = run_trials(data, net, spec, trials, every, thresholds=thresholds)
    assert cut.bits(0) == full.bits(0)
    assert cut.outcomes[0].given_up_epoch is None
    outcome, rows, whole = cut.outcomes[1], cut.columns[1], full.columns[1]
    assert outcome.given_up_epoch == 30
    assert outcome.verdict in ("not-reached", "stalled")
    assert (outcome.verdict == "not-reached") == (outcome.loss_final < outcome.loss_initial)
    assert outcome.reached_epoch is None
    assert outcome.final_accuracy == thresholds[0].accuracy
    assert rows["step"].tolist() == whole["step"][: len(rows["step"])].tolist()
    assert rows["step"][-1] == 30 * per_epoch
    for name in ("loss", "accuracy"):
        assert np.array_equal(rows[name][:-1], whole[name][: len(rows[name]) - 1], equal_nan=True)
    assert np.isnan(rows["sharpness"][-1]) == (every == 0)  # as for every other end


def test_a_bar_at_the_end_at_the_start_or_between_evaluations_ends_nothing() -> None:
    data, spec = digits(128), TrainSpec("ce", 32, 16, 4, success="accuracy", threshold=0.95)
    nowhere = [PruningThreshold(0, 1.0), PruningThreshold(6, 1.0), PruningThreshold(16, 1.0)]
    full, cut = (run_trials(data, MLP, spec, [trial(0, 1e-6)], thresholds=thresholds) for thresholds in ((), nowhere))
    assert cut.bits(0) == full.bits(0)


def test_success_divergence_and_death_come_before_pruning() -> None:
    data, spec = digits(128), TrainSpec("ce", 32, 200, 4, success="accuracy", threshold=0.5)
    everywhere = [PruningThreshold(step, 1.0) for step in range(4, 200, 4)]
    trials = [trial(i, 2.0 * 2 ** (i % 4), seed=i) for i in range(12)] + [trial(12, 1e4), trial(13, 0.3)]
    full = run_trials(data, replace(MLP, depth=1), spec, trials)
    cut = run_trials(data, replace(MLP, depth=1), spec, trials, thresholds=everywhere)
    verdicts = {outcome.verdict for outcome in cut.outcomes.values()}
    assert {"diverged", "reached"} <= verdicts
    for i, outcome in cut.outcomes.items():
        if outcome.given_up_epoch is None:
            assert outcome == full.outcomes[i]
        else:
            assert outcome.verdict in ("not-reached", "stalled")
            assert outcome.given_up_epoch == 1


def test_held_out_samples_decide_where_they_judge() -> None:
    whole = digits(128)
    split = replace(whole, held_out=32, labels=np.where(np.arange(128) < 96, whole.labels, (whole.labels + 1) % 10))
    spec = TrainSpec("ce", 32, 60, 3, success="accuracy", threshold=0.9, on="validation")
    run = run_trials(split, MLP, spec, [trial(0, 0.2)], thresholds=[PruningThreshold(30, 0.5)])
    assert run.outcomes[0].given_up_epoch == 10
