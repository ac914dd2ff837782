"""λ under every preconditioner against dense matrices in double precision, made from the optimizer's own state."""

from collections.abc import Callable
from typing import Any

import gauge_nets
import pytest
import torch
from gauge_nets import Case
from torch import Tensor

from mlrtui_trainer.gauge import closure, products, sharpness

F64 = torch.float64

NETS: dict[str, Callable[[], Case]] = {
    "mlp": lambda: gauge_nets.mlp(1, F64),
    "cnn, eval": lambda: gauge_nets.cnn(2, train=False, dtype=F64),
    "cnn, train": lambda: gauge_nets.cnn(2, train=True, dtype=F64),
    "gpt": lambda: gauge_nets.gpt(4, F64),
}

RATE = 1e-2
BETA1, BETA2, EPS = 0.9, 0.99, 1e-6

Formula = Callable[[dict[str, Any], int], Tensor | float]
"""From an optimizer's state of one parameter, and the steps it has made, to the diagonal of P for its entries."""


def adam(state: dict[str, Any], steps: int) -> Tensor:
    """Kingma and Ba (2015): m̂/(√v̂ + ε) with m̂ = m/(1 − β₁ᵗ), for a step that is dearer by 1/(1 − β₁ᵗ)."""
    v: Tensor = state["exp_avg_sq"]
    return 1.0 / ((1.0 - BETA1**steps) * ((v / (1.0 - BETA2**steps)).sqrt() + EPS))


def amsgrad(state: dict[str, Any], steps: int) -> Tensor:
    return adam({"exp_avg_sq": state["max_exp_avg_sq"]}, steps)


def rmsprop(state: dict[str, Any], steps: int) -> Tensor:
    root: Tensor = state["square_avg"].sqrt()
    return 1.0 / (root + EPS)


def centred(state: dict[str, Any], steps: int) -> Tensor:
    root: Tensor = (state["square_avg"] - state["grad_avg"] ** 2).sqrt()
    return 1.0 / (root + EPS)


ADAM: dict[str, Any] = {"lr": RATE, "betas": (BETA1, BETA2), "eps": EPS}
EDGE_OF_ADAM = 2.0 * (1.0 + BETA1) / (1.0 - BETA1) / RATE

OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any], Formula, float, float]] = {
    # class, settings, P, coupled decay, edge
    "sgd": (torch.optim.SGD, {"lr": RATE}, lambda s, n: 1.0, 0.0, 2.0 / RATE),
    "heavy ball": (torch.optim.SGD, {"lr": RATE, "momentum": 0.9}, lambda s, n: 1.0, 0.0, 3.8 / RATE),
    "nesterov": (
        torch.optim.SGD,
        {"lr": RATE, "momentum": 0.9, "nesterov": True},
        lambda s, n: 1.0,
        0.0,
        3.8 / 2.8 / RATE,
    ),
    "sgd, decay": (torch.optim.SGD, {"lr": RATE, "weight_decay": 0.3}, lambda s, n: 1.0, 0.3, 2.0 / RATE),
    "adam": (torch.optim.Adam, ADAM, adam, 0.0, EDGE_OF_ADAM),
    "adam, amsgrad": (torch.optim.Adam, {**ADAM, "amsgrad": True}, amsgrad, 0.0, EDGE_OF_ADAM),
    "adam, decay": (torch.optim.Adam, {**ADAM, "weight_decay": 0.3}, adam, 0.3, EDGE_OF_ADAM),
    "adamw": (torch.optim.AdamW, {**ADAM, "weight_decay": 0.3}, adam, 0.0, EDGE_OF_ADAM - 0.3 * 1.9 / 0.1),
    "rmsprop": (torch.optim.RMSprop, {"lr": RATE, "eps": EPS}, rmsprop, 0.0, 2.0 / RATE),
    "rmsprop, centred": (
        torch.optim.RMSprop,
        {"lr": RATE, "eps": EPS, "centered": True, "momentum": 0.5},
        centred,
        0.0,
        3.0 / RATE,
    ),
}


@pytest.mark.parametrize("optimizer_name", OPTIMIZERS)
@pytest.mark.parametrize("net", NETS)
def test_the_preconditioned_value_is_that_of_the_dense_matrix(net: str, optimizer_name: str) -> None:
    case = NETS[net]()
    parameters = list(case.model.parameters())
    kind, settings, diagonal, decay, edge = OPTIMIZERS[optimizer_name]
    optimizer = kind(parameters, **settings)
    steps = 4
    for _ in range(steps):
        optimizer.zero_grad()
        case.loss(case.model, case.batch).backward()
        optimizer.step()
    found = sharpness(case.model, case.loss, case.batch, optimizer=optimizer, top=2, tolerance=1e-7)
    parts = [torch.ones_like(p) * diagonal(dict(optimizer.state[p]), steps) for p in parameters]
    root = torch.cat([part.reshape(-1) for part in parts]).detach().sqrt()
    dense = gauge_nets.dense(case)
    matrix = root[:, None] * (dense + decay * torch.eye(len(dense), dtype=F64)) * root
    right = torch.linalg.eigvalsh(matrix).flip(0)[:2].tolist()
    assert found.values == pytest.approx(right, rel=1e-5)
    assert found.edge == pytest.approx(edge, rel=1e-9)
    assert found.ratio == pytest.approx(right[0] / edge, rel=1e-5)


@pytest.mark.parametrize("net", NETS)
def test_single_precision_products_are_within_its_rounding(net: str) -> None:
    """Against the columns of the dense matrix in double precision, at the same weights: 5e-6, ReLU too."""
    case = NETS[net]()
    case.model.float()
    batch = case.batch if isinstance(case.batch, dict) else (case.batch[0].float(), case.batch[1])
    case.model.double()  # the weights that single precision can hold
    double = Case(case.model, case.loss, batch if isinstance(batch, dict) else (batch[0].double(), batch[1]))
    dense = gauge_nets.dense(double)
    case.model.float()
    hessian = products.Products(closure.Closure(case.model, case.loss, batch))
    top = torch.linalg.eigh(dense).eigenvectors[:, -1]
    torch.manual_seed(0)
    for v in (top, torch.nn.functional.normalize(torch.randn(len(dense), dtype=F64), dim=0)):
        found = hessian.apply(v.float()[None])[0].double()
        right = dense @ v.float().double()
        assert float((found - right).norm() / right.norm()) <= 5e-6
