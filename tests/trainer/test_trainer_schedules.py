"""Schedules against torch's own, and the rate that ratios to the edge are taken with."""

from dataclasses import replace
from math import cos, pi, sqrt

import numpy as np
import pytest
import torch
from torch import nn
from trainer_runs import digits, lambda_at_init, run_trials, trial

from mlrtui_trainer.curvature.edges import edge_of
from mlrtui_trainer.registry import UnknownNameError
from mlrtui_trainer.schedules import SCHEDULES, rate_at, rate_of
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

FACTORS = {
    "constant": lambda warmup, steps, t: 1.0,
    "linear-warmup": lambda warmup, steps, t: min(1.0, (t + 1) / warmup),
    "cosine": lambda warmup, steps, t: (
        (t + 1) / warmup if t < warmup else (1 + cos(pi * (t - warmup) / (steps - warmup))) / 2
    ),
    "inverse-root": lambda warmup, steps, t: min((t + 1) / warmup, sqrt(warmup / (t + 1))),
}
REGRESSION = NetSpec("mlp", 64, 10, 0, 1, "linear")


@pytest.mark.parametrize("name", SCHEDULES.ours)
def test_a_schedule_peaks_at_one_and_ends_with_its_last_step(name: str) -> None:
    warmup, steps = 5, 40
    rates = [rate_at(name, warmup, steps, t) for t in range(steps + 3)]
    assert rates[:steps] == pytest.approx([FACTORS[name](warmup, steps, t) for t in range(steps)])
    assert max(rates) == pytest.approx(1.0)
    assert min(rates) > 0.0
    assert set(rates[steps:]) == {rates[steps - 1]}
    assert all(0.0 < rate_at(name, 0, 1, t) <= 1.0 for t in range(3))


def test_a_schedule_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(UnknownNameError, match="'step' is not known"):
        rate_of(TrainSpec("ce", 1, 1, 1, schedule="step"), 0)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("name", [name for name in SCHEDULES.ours if name != "constant"])
def test_steps_are_those_of_torch_with_that_rate(name: str, optimizer: str) -> None:
    data, eta = digits(64), 0.2 if optimizer == "sgd" else 0.01
    train = TrainSpec("ce", 64, 25, 1, "float64", optimizer, weight_decay=0.1, schedule=name, warmup_steps=6)
    train = replace(train, weight_decay=0.0) if optimizer == "sgd" else train
    mine = run_trials(data, REGRESSION, train, [trial(0, eta)]).columns[0]["loss"]
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    from mlrtui_trainer.models.mlp import Mlp, initial_weights

    w = nn.Parameter(initial_weights(Mlp.of(REGRESSION), [1], torch.float64, "cpu").w[0][0])
    steps: torch.optim.Optimizer = torch.optim.SGD([w], lr=eta)
    if optimizer == "adamw":
        steps = torch.optim.AdamW([w], lr=eta, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(steps, lambda t: FACTORS[name](6, 25, t))
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(x @ w.T, labels)
        steps.zero_grad()
        loss.backward()
        steps.step()
        schedule.step()
        losses.append(loss.item())
    assert mine[:25].tolist() == pytest.approx(losses, rel=1e-12)


def test_ratios_to_the_edge_have_the_rate_of_their_step() -> None:
    data = digits(64)
    train = TrainSpec("mse", 64, 20, 1, "float64", schedule="linear-warmup", warmup_steps=10)
    peak = 0.9 * (edge_of(train) or 0.0) / lambda_at_init(data, REGRESSION, train).main
    run = run_trials(data, REGRESSION, train, [trial(0, peak)], how=SharpnessSpec(every=1))
    lam, outcome = run.columns[0]["sharpness"], run.outcomes[0]
    assert lam == pytest.approx(np.full(21, lam[0]), rel=1e-3)  # of linear regression λ is constant
    assert (outcome.ratio_first, outcome.ratio_last) == pytest.approx((0.09, 0.9), rel=5e-3)
    assert (outcome.ratio_low, outcome.ratio_before_peak) == pytest.approx((0.09, 0.09), rel=5e-3)
    assert outcome.phase == "lazy"
