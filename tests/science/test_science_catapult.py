"""Lazy, catapult and divergent runs on real digits: one hidden ReLU layer, parity target, full batch, mse."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mlrtui_trainer.spec import (
    FLAG_SHARPNESS_NOT_CONVERGED,
    Dataset,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

CS = (0.5, 1.5, 1.9, 2.1, 2.3, 2.6, 3.0, 4.5)
NET, SPEC = NetSpec("mlp", 64, 1, 1, 512), TrainSpec("mse", 128, 120, 1)


@pytest.fixture(scope="module")
def scan():
    digits = load_digits()
    order = np.random.RandomState(0).permutation(len(digits.target))[:128]
    x, t = digits.data[order] - digits.data[order].mean(0), digits.target[order]
    y = np.where(t % 2 == 1, 1.0, -1.0)[:, None]
    data = Dataset("digits", "sign", x / x.std(), y, np.zeros(128, np.int64))
    seed = 11
    probe, _ = run_task(Probe(1, "digits", NET, SPEC, SharpnessSpec(), ((1, seed),)), data, "cpu")
    assert isinstance(probe, LambdaAtInit)
    trials = tuple(TrialSpec(i, 1, seed, c / probe.main, probe.main) for i, c in enumerate(CS))
    messages = list(run_task(Round(2, "digits", NET, SPEC, SharpnessSpec(every=10), trials), data, "cpu"))
    return probe, {CS[m.trial_id]: m for m in messages if isinstance(m, Outcome)}, messages


def test_lambda_at_init(scan):
    probe, _, _ = scan
    assert 155 < probe.main < 190
    assert probe.hessian == pytest.approx(probe.gauss_newton, rel=0.01)


def test_phases(scan):
    _, outcomes, _ = scan
    assert [outcomes[c].phase for c in CS] == ["lazy"] * 3 + ["catapult"] * 4 + ["divergent"]


def test_peaks_and_where_they_stand(scan):
    _, outcomes, _ = scan
    for c, low, high, first, last in ((2.1, 8, 30, 25, 55), (2.3, 80, 250, 12, 25), (3.0, 800, 2500, 5, 10)):
        assert low < outcomes[c].peak_ratio < high
        assert first <= outcomes[c].peak_step <= last
    assert outcomes[1.9].peak_ratio == 1.0


def test_where_training_ends(scan):
    """η·λ ends below 2, the flatter the larger the rate."""
    probe, outcomes, _ = scan
    ends = {c: outcomes[c].final_sharpness * c / probe.main for c in CS[:-1]}
    for c, value, band in ((0.5, 0.5, 0.01), (1.9, 1.9, 0.01), (2.1, 1.9, 0.03), (2.3, 1.66, 0.05), (2.6, 1.25, 0.08)):
        assert ends[c] == pytest.approx(value, abs=band)
    assert ends[3.0] == pytest.approx(0.78, abs=0.12)
    assert all(outcomes[c].final_accuracy > 0.9 for c in CS[:-1])


def test_every_measured_sharpness_met_the_tolerance(scan):
    """Along a training a tenth of it by the estimated error, for which ten times the tolerance is residual enough."""
    *_, messages = scan
    batches = [m for m in messages if isinstance(m, StepBatch)]
    residuals = np.concatenate([m.sharpness_residual for m in batches])
    measured = residuals[~np.isnan(residuals)]
    assert measured.size >= 7 * 13
    assert measured.max() <= 10 * 1e-3
    assert not any((m.flags & FLAG_SHARPNESS_NOT_CONVERGED).any() for m in batches)
