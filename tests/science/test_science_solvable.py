"""The solvable model's last rate, bisected, and its time scale: trained at small widths, by the recursion at all."""

from collections.abc import Callable
from math import log
from statistics import fmean, linear_regression

import numpy as np
import pytest

from mlrtui_trainer import theory
from mlrtui_trainer.search import Search, SearchSpec
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

RULES = SearchSpec("loss-below-initial", tolerance=1e-4, eta_min=1e-3, eta_max=1e2)
UNIT = Dataset("unit", "regression", np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1, np.int64))
BUDGET = TrainSpec("mse", 1, 300, 1, dtype="float64", success="loss-below-initial")


def bisected(start: float, verdict: Callable[[float], str]) -> float:
    """η* and the failure above it, as the middle of their bracket."""
    search = Search(RULES, start)
    while wanted := search.ask():
        for eta in wanted:
            search.tell(eta, verdict(eta))
    low, high = search.boundary().bracket
    assert low is not None
    assert high is not None
    return (low * high) ** 0.5


def start(width: int, seed: int) -> tuple[float, float]:
    """f₀ and λ₀ of a net."""
    random = np.random.default_rng((seed, width))
    u, v = random.standard_normal(width), random.standard_normal(width)
    return theory.two_layer_output(u, v), theory.two_layer_ntk(u, v)


@pytest.mark.parametrize("width", [4, 16, 64, 256, 1024, 4096])
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_the_largest_rate_of_the_recursion_is_four_over_lambda(width, seed):
    f0, lam0 = start(width, seed)

    def verdict(eta: float) -> str:
        f, lam = f0, lam0
        for _ in range(300):
            f, lam = theory.two_layer_step(f, lam, eta, width)
            if abs(f) > 1e4 * width:
                return "diverged"
        return "reached" if abs(f) < abs(f0) else "stalled"

    assert bisected(1.0 / lam0, verdict) * lam0 == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize("width", [4, 64])
def test_the_largest_rate_of_trained_nets_is_four_over_lambda(width):
    net = NetSpec("two-layer-linear", 1, 1, 1, width, activation="linear")
    exact = SharpnessSpec(exact=True)
    probe, _ = run_task(Probe(1, "unit", net, BUDGET, exact, ((1, 101),)), UNIT, "cpu")
    assert isinstance(probe, LambdaAtInit)

    def verdict(eta: float) -> str:
        trial = TrialSpec(1, 1, 101, eta, probe.main)
        messages = run_task(Round(2, "unit", net, BUDGET, exact, (trial,)), UNIT, "cpu")
        return next(message.verdict for message in messages if isinstance(message, Outcome))

    assert bisected(1.0 / probe.main, verdict) * probe.main == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize("c", [2.5, 3.0, 3.5])
def test_the_loss_peaks_after_a_time_in_proportion_to_ln_width(c):
    """Widths to 2²⁰, by the recursion; the same starts at every width, so that only the width moves the peak."""
    starts = np.random.default_rng(101).standard_normal(100)
    widths = [2**k for k in range(4, 21, 2)]
    times = [
        fmean(float(np.argmax(theory.two_layer_curve(f0, 2.0, 0.5 * c, width, 40).loss)) for f0 in starts)
        for width in widths
    ]
    slope, _ = linear_regression([log(width) for width in widths], times)
    assert slope == pytest.approx(0.5 / log(c - 1.0), rel=0.03)
