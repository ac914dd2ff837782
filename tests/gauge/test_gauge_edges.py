"""Edges of torch's optimizers: a quadratic converges when it is trained 2 % below and diverges 2 % above."""

from collections.abc import Callable
from math import isnan
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mlrtui_trainer.gauge import sharpness

EIGENVALUES = torch.tensor([10.0, 3.0, 1.0, 0.1], dtype=torch.float64)


class Quadratic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(4, dtype=torch.float64))


def loss(model: Quadratic, batch: None = None) -> Tensor:
    return 0.5 * (EIGENVALUES * model.w.square()).sum()


SGD: dict[str, dict[str, Any]] = {
    "plain": {},
    "heavy ball": {"momentum": 0.9},
    "dampened": {"momentum": 0.9, "dampening": 0.5},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "coupled decay": {"weight_decay": 2.0},
    "heavy ball with decay": {"momentum": 0.5, "weight_decay": 1.0},
}


@pytest.mark.parametrize("name", SGD)
@pytest.mark.parametrize(("by", "converges"), [(0.98, True), (1.02, False)])
def test_the_edge_of_sgd_is_where_training_turns(name: str, by: float, converges: bool) -> None:
    model = Quadratic()
    probe = sharpness(model, loss, None, optimizer=torch.optim.SGD(model.parameters(), lr=1.0, **SGD[name]))
    rate = by * probe.edge / probe.value  # the edge is proportional to 1/η
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, **SGD[name])
    assert sharpness(model, loss, None, optimizer=optimizer).ratio == pytest.approx(by, rel=1e-6)
    assert shrinks(model, optimizer, 1500) == converges


ADAPTIVE: dict[str, tuple[Callable[..., torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"betas": (0.5, 0.999)}),
    "adamw": (torch.optim.AdamW, {"betas": (0.9, 0.999), "weight_decay": 0.3}),
    "adam, coupled decay": (torch.optim.Adam, {"betas": (0.9, 0.999), "weight_decay": 2.0}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "rmsprop with momentum": (torch.optim.RMSprop, {"momentum": 0.5}),
}


@pytest.mark.parametrize("name", ADAPTIVE)
@pytest.mark.parametrize(("by", "converges"), [(0.98, True), (1.02, False)])
def test_the_edge_of_adaptive_optimizers_is_where_training_turns(name: str, by: float, converges: bool) -> None:
    """With the second moment frozen: it is what the statement is about, and it would follow the growth otherwise."""
    kind, settings = ADAPTIVE[name]
    model = Quadratic()

    def made(rate: float) -> torch.optim.Optimizer:
        optimizer = kind(model.parameters(), lr=rate, **settings)
        for p in model.parameters():
            square = torch.tensor([0.5, 2.0, 1.0, 0.2], dtype=torch.float64)
            optimizer.state[p] = {"step": torch.tensor(1e18), "square_avg": square.clone()}
            optimizer.state[p] |= {"exp_avg": torch.zeros_like(p), "exp_avg_sq": square.clone()}
            optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
        for group in optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (group["betas"][0], 1.0 - 1e-16)  # as good as frozen
            else:
                group["alpha"] = 1.0
        return optimizer

    rate = 1e-3
    for _ in range(40):  # the edge with decoupled decay is not proportional to 1/η
        rate *= by / sharpness(model, loss, None, optimizer=made(rate)).ratio
    optimizer = made(rate)
    for p in model.parameters():
        optimizer.state[p]["step"] = torch.tensor(1e18)
    found = sharpness(model, loss, None, optimizer=optimizer, tolerance=1e-9)
    assert found.ratio == pytest.approx(by, rel=1e-6)
    assert shrinks(model, optimizer, 6000) == converges


def shrinks(model: Quadratic, optimizer: torch.optim.Optimizer, steps: int) -> bool:
    """Whether the largest weight is smaller at the end than in the middle; it is not let grow beyond any number."""
    middle = 0.0
    for step in range(steps):
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
        size = float(model.w.detach().abs().max())
        if size > 1e5:
            return False
        if step == steps // 2:
            middle = size
    return float(model.w.detach().abs().max()) < middle or middle == 0.0


def test_groups_with_other_rates_enter_by_their_ratio() -> None:
    model = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    x = torch.ones(1, 3, dtype=torch.float64)
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1].parameters(), "lr": 0.4}]
    found = sharpness(
        model, lambda m, b: 0.5 * m(b).square().sum(), x, optimizer=torch.optim.SGD(groups), tolerance=1e-9
    )
    w = [p.detach().reshape(-1) for p in model.parameters()]
    size = torch.cat([w[1] * torch.ones(3, dtype=torch.float64), 2.0 * w[0].sum()[None]])
    j = size  # of the output by the weights, each times the root of its rate's ratio
    f = float(w[1] * w[0].sum())
    h = torch.outer(j, j)
    cross = torch.zeros(4, 4, dtype=torch.float64)
    cross[:3, 3] = cross[3, :3] = 2.0 * f
    assert found.value == pytest.approx(float(torch.linalg.eigvalsh(h + cross)[-1]), rel=1e-6)
    assert found.edge == pytest.approx(2.0 / 0.1)


def test_an_optimizer_without_an_edge_says_why_and_leaves_the_raw_value() -> None:
    model = Quadratic()
    raw = sharpness(model, loss, None)
    found = sharpness(model, loss, None, optimizer=torch.optim.Rprop(model.parameters()))
    assert (found.value, isnan(found.edge)) == (raw.value, True)
    assert found.note == "Rprop has no linear edge that is known here"
    fresh = sharpness(model, loss, None, optimizer=torch.optim.Adam(model.parameters()))
    assert (isnan(fresh.edge), fresh.note) == (True, "it has no state for w before its first step")


def test_a_velocity_that_never_decays_has_no_edge() -> None:
    model = Quadratic()
    found = sharpness(model, loss, None, optimizer=torch.optim.SGD(model.parameters(), lr=0.1, momentum=1.0))
    assert (isnan(found.edge), found.note) == (True, "its momentum is not below 1")
