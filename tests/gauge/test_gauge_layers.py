"""Layers with right and wrong second derivatives: the right ones raise no alarm, each wrong one is refused."""

from collections.abc import Callable
from typing import Any

import gauge_nets
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from mlrtui_trainer.gauge import AsymmetricCurvature, NotTwiceDifferentiable, closure, products, sharpness

SIZE = 6


class Called(nn.Module):
    """Any function of the hidden layer as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Swish(torch.autograd.Function):
    """x·σ(x), whose backward pass starts from what it was given: right."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * (s + x * s * (1.0 - s))


class Once(Swish):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * (s + x * s * (1.0 - s))


class UnderNoGrad(Swish):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        with torch.no_grad():
            s = torch.sigmoid(x)
            return g * (s + x * s * (1.0 - s))


class SavesActivation(Swish):
    """Saves σ(x), which is then a constant to the second derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        x, s = ctx.saved_tensors
        return g * (s + x * s * (1.0 - s))


class KeepsDerivative(Swish):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        ctx.slope = (s + x * s * (1.0 - s)).detach()
        return x * s

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        slope: Tensor = ctx.slope
        return g * slope


class SavesRms(Swish):
    """A norm that keeps 1/rms."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
        ctx.save_for_backward(x, scale)
        return x * scale

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        x, scale = ctx.saved_tensors
        return scale * (g - x * scale.square() * (g * x).mean(-1, keepdim=True))


class DetachedLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.x, ctx.w = x.detach(), w.detach()
        return x @ w.mT

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return g @ ctx.w, g.mT @ ctx.x


class Rounding(torch.autograd.Function):
    """Straight-through: its gradient is that of another function."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (8.0 * x).round() / 8.0

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return g


class WithDetached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(SIZE, SIZE) / SIZE**0.5)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = DetachedLinear.apply(x, self.w)
        return found


def net(layer: nn.Module) -> gauge_nets.Case:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(5, SIZE), nn.Tanh(), layer, nn.Tanh(), nn.Linear(SIZE, 3))
    return gauge_nets.Case(model, gauge_nets.cross_entropy, (torch.randn(20, 5), torch.arange(20) % 3))


RIGHT: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky relu": nn.LeakyReLU,
    "abs": lambda: Called(torch.abs),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "orthogonal": lambda: nn.utils.parametrizations.orthogonal(nn.Linear(SIZE, SIZE)),
    "custom": lambda: Called(Swish.apply),
    "custom relu": lambda: Called(lambda x: x * (x > 0)),
    "weight norm, written out": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(SIZE, SIZE)),
}

WRONG: dict[str, Callable[[], nn.Module]] = {
    "once differentiable": lambda: Called(Once.apply),
    "under no_grad": lambda: Called(UnderNoGrad.apply),
    "saves its activation": lambda: Called(SavesActivation.apply),
    "keeps its derivative": lambda: Called(KeepsDerivative.apply),
    "saves 1/rms": lambda: Called(SavesRms.apply),
    "detached copies": WithDetached,
    "straight-through": lambda: Called(Rounding.apply),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_raise_no_alarm(name: str) -> None:
    case = net(RIGHT[name]())
    found = sharpness(case.model, case.loss, case.batch, tolerance=1e-4)
    assert found.converged
    assert found.checked.startswith("differences of gradients in double precision")


def test_kinks_near_the_weights_raise_no_alarm() -> None:
    """In a wide ReLU net some unit is always about to switch: here all are, within the step of the difference."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(2e-8 * torch.tensor([1.0, -1.0] * 4))
    batch = (torch.randn(20, 5), torch.arange(20) % 3)
    found = sharpness(model, gauge_nets.cross_entropy, batch)
    assert found.checked.startswith("differences of gradients in double precision")
    assert products._error_in_double(closure.Closure(model, gauge_nets.cross_entropy, batch), 1e-6) > 0.1


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_layer_is_refused(name: str) -> None:
    case = net(WRONG[name]())
    with pytest.raises((NotTwiceDifferentiable, AsymmetricCurvature)) as refused:
        sharpness(case.model, case.loss, case.batch)
    assert "\n" not in str(refused.value)


def test_symmetry_alone_would_miss_half_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why differences are taken: the products of these are symmetric to rounding, and wrong."""
    monkeypatch.setattr(products, "_error_in_double", lambda closure, step: 0.0)
    missed = set()
    for name in WRONG:
        case = net(WRONG[name]())
        try:
            sharpness(case.model, case.loss, case.batch)
        except (NotTwiceDifferentiable, AsymmetricCurvature):
            continue
        missed.add(name)
    assert {"saves its activation", "keeps its derivative", "straight-through"} <= missed
    assert not {"once differentiable", "under no_grad"} & missed


def test_once_differentiable_is_found_in_the_graph_alone() -> None:
    case = net(Called(Once.apply))
    with pytest.raises(NotTwiceDifferentiable, match="Once is once_differentiable"):
        products.Products(closure.Closure(case.model, case.loss, case.batch))


class ForcesFlash(nn.Module):
    """Attention whose kernel the model itself chooses, inside its forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        q = x.reshape(1, 1, *x.shape)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return functional.scaled_dot_product_attention(q, q, q)[0, 0]


def test_a_kernel_that_is_forced_is_named_with_the_remedy() -> None:
    case = net(ForcesFlash())
    with pytest.raises(NotTwiceDifferentiable, match=r"scaled_dot_product.*critical sharpness, which needs forwards"):
        sharpness(case.model, case.loss, case.batch)


@pytest.mark.parametrize("form", ["torch.compile(model)", "model.compile()", "a compiled loss"])
def test_three_forms_of_compilation_give_the_eager_value(form: str) -> None:
    """By the backend whose backward pass cannot be differentiated twice, as inductor's cannot."""
    case = net(nn.GELU())
    eager = sharpness(case.model, case.loss, case.batch, tolerance=1e-6)
    model: Any = case.model
    loss: Any = case.loss
    if form.startswith("torch"):
        model = torch.compile(model, backend="aot_eager")
    elif form.startswith("model"):
        model.compile(backend="aot_eager")
    else:
        loss = torch.compile(loss, backend="aot_eager")
    loss(model, case.batch).backward()  # as a training has done: it is compiled now
    found = sharpness(model, loss, case.batch, tolerance=1e-6)
    assert found.value == pytest.approx(eager.value, rel=1e-6)
