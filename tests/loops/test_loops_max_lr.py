"""η* of trainings that are functions: against the edge of what they train, and what they are told of mistakes."""

import random
from collections.abc import Callable
from math import inf, isnan, log1p, nan
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import mlrtui
from mlrtui_trainer.search import Search, SearchSpec


def quadratic(curvature: float, steps: int = 400) -> Callable[..., None]:
    """Gradient descent on ½ c w²: the loss ends below its start exactly below 2/c."""

    def train(lr: float, report: Any) -> None:
        w = 1.0
        for step in range(steps):
            if not report(step, 0.5 * curvature * w * w):
                return
            w -= lr * curvature * w

    return train


@pytest.mark.parametrize("curvature", [0.01, 1.0, 300.0])
@pytest.mark.parametrize("start", [1e-4, 0.3, 50.0])
def test_a_quadratic_has_its_edge_from_any_start(curvature: float, start: float) -> None:
    edge = mlrtui.find_max_lr(quadratic(curvature), start=start, tolerance=0.02)
    low, high = edge.bracket
    assert low is not None
    assert high is not None
    assert low < 2.0 / curvature <= high <= low * 1.02 * (1 + 1e-9)
    assert low <= edge.eta_star <= high
    assert edge.repeatable is True


def test_it_asks_and_answers_as_the_search_of_a_sweep() -> None:
    edge = mlrtui.find_max_lr(quadratic(3.0), start=0.1, tolerance=0.1, check=False)
    search = Search(SearchSpec("loss-below-initial", 0.1, 1e-8, 1e4), 0.1)
    asked = []
    while not search.closed:
        for eta in search.ask():
            asked.append(eta)
            search.tell(eta, "reached" if eta < 2.0 / 3.0 else "stalled" if eta < 0.69 else "diverged")
    assert [t.lr for t in edge.trials] == asked
    assert edge.boundaries[0] == search.boundary()
    assert edge.repeatable is None


def test_a_net_with_adamw_by_seed(capsys: pytest.CaptureFixture[str]) -> None:
    x = torch.linspace(-1, 1, 24)[:, None]
    seen = []

    def train(lr: float, report: Any, seed: int) -> None:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
        for step in range(20):
            loss = functional.mse_loss(model(x), torch.sin(3 * x))
            if not report(step, loss):  # a tensor will do
                return
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    edge = mlrtui.find_max_lr(train, tolerance=0.3, seeds=[3, 5], progress=seen.append)
    assert set(edge.boundaries) == {3, 5}
    assert tuple(seen) == edge.trials
    assert 1e-2 < edge.eta_star < 1e3
    assert edge.ln_sd >= 0.0
    print(edge, edge.table(), sep="\n")
    said = capsys.readouterr().out
    assert "2 seeds" in said
    assert said.count("\n") == len(edge.trials) + 2


@pytest.mark.parametrize(
    ("success", "threshold", "expected"), [("accuracy", 0.9, 0.25), ("finite", None, 4.0), ("accuracy", 0.7, 0.75)]
)
def test_other_rules_of_success(success: str, threshold: float | None, expected: float) -> None:
    """Accuracy is reached below a rate that depends on the threshold; from 4 on the loss is infinite."""

    def train(lr: float, report: Any, *, seed: int) -> None:
        for step in range(5):
            good = lr < (0.25 if success == "accuracy" and threshold == 0.9 else 0.75)
            if not report(step, inf if lr >= 4.0 else 1.0, 0.95 if good and step == 3 else 0.1):
                return

    edge = mlrtui.find_max_lr(train, success=success, threshold=threshold, tolerance=0.05)
    assert abs(edge.eta_star / expected - 1.0) < log1p(0.05)
    if success == "accuracy":
        assert {t.steps for t in edge.trials if t.success} == {3}  # decided there


def test_a_range_without_an_edge_is_censored_and_says_so() -> None:
    edge = mlrtui.find_max_lr(quadratic(1.0), eta_max=0.5)
    assert isnan(edge.eta_star)
    assert edge.boundaries[0].censored == "at_max"
    assert "seed 0:" in repr(edge)
    nothing = mlrtui.find_max_lr(lambda lr, report: report(0, 1.0), eta_min=1e-3, eta_max=1.0)
    assert nothing.boundaries[0].censored == "at_min"


def test_a_training_that_draws_anew_is_said_to_be_so() -> None:
    def train(lr: float, report: Any) -> None:
        report(0, 1.0)
        report(1, random.random() if lr < 1.0 else 2.0)

    edge = mlrtui.find_max_lr(train)
    assert edge.repeatable is False
    assert "NOT REPEATABLE" in repr(edge)
    assert mlrtui.find_max_lr(lambda lr, report: report(0, nan), eta_max=1.0).repeatable is True


def test_what_a_training_raises_reaches_its_user() -> None:
    def train(lr: float, report: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        mlrtui.find_max_lr(train)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start": 0.0}, "start is 0.0"),
        ({"start": nan}, "start is nan"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"success": "good"}, "success is 'good'"),
        ({"success": "accuracy"}, "threshold"),
        ({"threshold": 0.5}, "threshold"),
        ({"success": "accuracy", "threshold": 90.0}, "threshold is 90.0"),
        ({"seeds": 0}, "seeds is 0"),
        ({"eta_min": 1.0, "eta_max": 0.1}, "eta_min is 1.0"),
        ({"train_fn": "train"}, "train_fn is 'train'"),
        ({"train_fn": lambda lr, report: None}, "reported no loss"),
        ({"success": "accuracy", "threshold": 0.5}, "no accuracy was reported"),
    ],
)
def test_mistakes_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(mlrtui.BadInput, match=words):
        mlrtui.find_max_lr(**({"train_fn": quadratic(1.0, 5)} | arguments))


def test_a_seed_goes_to_what_is_meant_for_it() -> None:
    """By its name, or as a third argument that must be given; an option of the user's own keeps its default."""
    got = []

    def descend(lr: float, report: Any, what: object) -> None:
        got.append(what)
        w = 1.0
        for step in range(20):
            if not report(step, 2.0 * w * w):
                return
            w -= lr * 4.0 * w

    def option(lr: float, report: Any, scale: float = 0.5) -> None:
        descend(lr, report, scale)

    def third(lr: float, report: Any, key: int) -> None:
        descend(lr, report, key)

    def named(lr: float, report: Any, scale: float = 0.5, seed: int = 9) -> None:
        descend(lr, report, (scale, seed))

    for train, expected in ((option, {0.5}), (third, {3, 4}), (named, {(0.5, 3), (0.5, 4)})):
        got.clear()
        mlrtui.find_max_lr(train, tolerance=0.5, seeds=[3, 4])
        assert set(got) == expected
