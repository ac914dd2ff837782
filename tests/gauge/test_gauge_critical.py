"""Critical sharpness: the closed form on quadratics, a fine scan of the loss on nets, and its statuses."""

from math import isinf, isnan

import gauge_nets
import pytest
import torch
from torch import Tensor, nn

from mlrtui_trainer.gauge import critical_sharpness, sharpness


class Point(nn.Module):
    def __init__(self, *values: float, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(values, dtype=dtype))


def parabola(model: Point, curvatures: Tensor) -> Tensor:
    return 0.5 * (curvatures * model.w.square()).sum()


@pytest.mark.parametrize("start", [1e-6, 0.1, 50.0])
@pytest.mark.parametrize("tolerance", [0.1, 0.001])
def test_of_a_parabola_it_is_its_curvature_along_the_gradient(start: float, tolerance: float) -> None:
    model, curvatures = Point(1.0, 2.0), torch.tensor([4.0, 1.0], dtype=torch.float64)
    gradient = curvatures * model.w.detach()
    found = critical_sharpness(model, parabola, curvatures, [gradient], start=start, tolerance=tolerance)
    right = float((curvatures * gradient.square()).sum() / gradient.square().sum())  # gᵀHg/gᵀg
    assert found.status == "found"
    assert found.low <= right <= found.high
    assert found.high / found.low <= 1.0 + tolerance + 1e-12
    assert found.value == pytest.approx(right, rel=tolerance)
    assert torch.equal(model.w.detach(), torch.tensor([1.0, 2.0], dtype=torch.float64))


@pytest.mark.parametrize("net", ["mlp", "cnn", "gpt"])
def test_of_nets_it_is_where_a_fine_scan_first_rises(net: str) -> None:
    case = {
        "mlp": lambda: gauge_nets.mlp(1),
        "cnn": lambda: gauge_nets.cnn(2, train=True, dropout=0.2),
        "gpt": lambda: gauge_nets.gpt(4),
    }[net]()
    parameters = list(case.model.parameters())
    torch.manual_seed(0)
    loss = case.loss(case.model, case.batch)
    gradient = torch.autograd.grad(loss, parameters)
    torch.manual_seed(7)
    found = critical_sharpness(case.model, case.loss, case.batch, gradient, start=0.05, tolerance=0.02)
    assert found.status == "found"
    there = [p.detach().clone() for p in parameters]

    def at(eta: float) -> float:
        with torch.no_grad():
            for p, t, g in zip(parameters, there, gradient, strict=True):
                p.copy_(t - eta * g)
            torch.manual_seed(7)
            return float(case.loss(case.model, case.batch))

    assert not at(found.eta_low) > at(0.0)
    assert at(found.eta_high) > at(0.0)
    etas = torch.linspace(0.0, found.eta_low * 0.97, 60)[1:].tolist()
    assert all(at(eta) <= at(0.0) + 1e-6 for eta in etas)  # nothing rises before


def test_gradient_descent_at_the_edge_has_both_sharpnesses_near_it() -> None:
    """`any-loop` acceptance: full batch, tanh, η = 0.15: λ_c·η/2 near 1 while λ_max·η/2 is a little above."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))
    x = torch.randn(40, 4)
    batch = (x, 3.0 * torch.sin(3.0 * x[:, :1]))

    def mse(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return (model(batch[0]) - batch[1]).square().mean()

    rate, critical, largest = 0.15, [], []
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for step in range(1600):
        optimizer.zero_grad()
        mse(model, batch).backward()
        if step >= 1300 and step % 10 == 0:
            gradient = [p.grad for p in model.parameters()]
            found = critical_sharpness(model, mse, batch, [g for g in gradient if g is not None], start=rate)
            assert found.forwards <= 10
            critical.append(found.value * rate / 2)
            largest.append(sharpness(model, mse, batch, optimizer=optimizer).ratio)
        optimizer.step()
    assert 0.9 <= sorted(critical)[len(critical) // 2] <= 1.1
    assert 0.95 <= sorted(largest)[len(largest) // 2] <= 1.2


def test_what_does_not_descend_is_told_before_any_forward() -> None:
    model, curvatures = Point(1.0), torch.tensor([4.0], dtype=torch.float64)
    gradient = curvatures * model.w.detach()
    found = critical_sharpness(model, parabola, curvatures, [-gradient], gradient=[gradient])
    assert (found.status, found.forwards, isnan(found.value)) == ("no-descent", 0, True)
    assert critical_sharpness(model, parabola, curvatures, [-gradient]).status in ("no-descent", "direction-lost")


def test_a_loss_that_never_rises_is_a_bound_and_no_number() -> None:
    model = Point(1.0)
    found = critical_sharpness(model, lambda m, b: m.w.sum(), None, [torch.ones(1, dtype=torch.float64)])
    assert (found.status, isnan(found.value), found.low) == ("never-rises", True, 0.0)
    assert 0.0 < found.high < 1e-8


def test_steps_that_rounding_swallows_are_told() -> None:
    model = Point(1.0, dtype=torch.float32)
    curvature = torch.tensor([4.0])
    found = critical_sharpness(model, parabola, curvature, [torch.tensor([4.0])], start=1e-9)
    assert (found.status, isnan(found.value)) == ("direction-lost", True)
    fine = critical_sharpness(model, parabola, curvature, [torch.tensor([4.0])], start=0.1)
    assert fine.value == pytest.approx(4.0, rel=0.1)


def test_a_budget_that_ends_leaves_the_bracket() -> None:
    model, curvatures = Point(1.0), torch.tensor([4.0], dtype=torch.float64)
    found = critical_sharpness(model, parabola, curvatures, [torch.tensor([4.0])], start=1e-5, max_forwards=4)
    assert (found.status, found.forwards, isinf(found.high), found.low) == ("budget", 4, False, 0.0)


def test_a_direction_that_does_not_fit_is_named() -> None:
    case = gauge_nets.mlp(1)
    with pytest.raises(ValueError, match="the direction has 1 tensors, but 6 are trained"):
        critical_sharpness(case.model, case.loss, case.batch, [torch.ones(3)])
    shapes = {name: torch.ones_like(p) for name, p in case.model.named_parameters()}
    with pytest.raises(ValueError, match=r"the direction of 0.weight has shape \[2\], not \[8, 6\]"):
        critical_sharpness(case.model, case.loss, case.batch, shapes | {"0.weight": torch.ones(2)})
    with pytest.raises(ValueError, match="the direction is zero"):
        critical_sharpness(case.model, case.loss, case.batch, {name: 0 * d for name, d in shapes.items()})


def test_a_loss_that_is_nan_is_told() -> None:
    case = gauge_nets.mlp(1)
    shapes = {name: torch.ones_like(p) for name, p in case.model.named_parameters()}
    found = critical_sharpness(case.model, lambda m, b: m(b[0]).sum() * float("nan"), case.batch, shapes)
    assert (found.status, found.forwards, isnan(found.value)) == ("nonfinite", 0, True)
