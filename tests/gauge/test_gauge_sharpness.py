"""λ of users' models: against dense Hessians in double precision, under every kind of net; wrong ones are refused."""

from collections.abc import Callable
from typing import Any

import gauge_nets
import pytest
import torch
from gauge_nets import Case
from torch import Tensor, nn

import mlrtui_trainer.gauge as gauge
from mlrtui_trainer.gauge import sharpness

F64 = torch.float64

NETS: dict[str, Callable[[torch.dtype], Case]] = {
    "mlp": lambda dtype: gauge_nets.mlp(1, dtype),
    "cnn, eval": lambda dtype: gauge_nets.cnn(2, train=False, dtype=dtype),
    "cnn, train": lambda dtype: gauge_nets.cnn(2, train=True, dtype=dtype),
    "cnn, dropout": lambda dtype: gauge_nets.cnn(3, train=True, dropout=0.3, dtype=dtype),
    "gpt": lambda dtype: gauge_nets.gpt(4, dtype),
}


@pytest.mark.parametrize("name", NETS)
def test_values_are_those_of_the_dense_matrix(name: str) -> None:
    case = NETS[name](F64)
    found = sharpness(case.model, case.loss, case.batch, top=3, tolerance=1e-8)
    right = torch.linalg.eigvalsh(gauge_nets.dense(case)).flip(0)[:3].tolist()
    assert found.values == pytest.approx(right, rel=1e-6)
    assert found.converged
    assert max(found.residuals) <= 1e-8
    assert found.checked.startswith("differences of gradients in double precision")


@pytest.mark.parametrize("name", NETS)
def test_single_precision_is_as_good_as_its_rounding(name: str) -> None:
    single, double = NETS[name](torch.float32), NETS[name](F64)
    double.model.load_state_dict(single.model.state_dict())
    batch = single.batch if isinstance(single.batch, dict) else (single.batch[0].to(F64), single.batch[1])
    found = sharpness(single.model, single.loss, single.batch, tolerance=1e-4)
    if "dropout" not in name:  # masks of another precision are other masks
        assert found.value == pytest.approx(sharpness(double.model, double.loss, batch, tolerance=1e-8).value, rel=1e-4)
    assert found.residual <= 1e-4


def test_train_and_eval_mode_differ_and_are_told() -> None:
    train, evaluated = (sharpness(c.model, c.loss, c.batch) for c in (NETS["cnn, train"](F64), NETS["cnn, eval"](F64)))
    assert (train.mode, evaluated.mode) == ("train", "eval")
    assert train.value != pytest.approx(evaluated.value, rel=0.05)


def test_tied_parameters_count_once_and_frozen_ones_never() -> None:
    case = gauge_nets.gpt(4, F64)
    case.model.position.requires_grad_(False)
    found = sharpness(case.model, case.loss, case.batch, tolerance=1e-8)
    assert found.vector is not None
    assert found.vector.shape == (sum(p.numel() for p in case.model.parameters() if p.requires_grad),)
    assert found.value == pytest.approx(float(torch.linalg.eigvalsh(gauge_nets.dense(case))[-1]), rel=1e-6)


class ComplexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.w = nn.Parameter(torch.randn(4, 3, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(self.w.dtype) @ self.w).abs().square()


def test_complex_parameters_count_as_pairs() -> None:
    model = ComplexNet()
    x = torch.randn(10, 4)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return model(batch).mean()

    found = sharpness(model, loss, x, tolerance=1e-5)
    # mean |x w|² is quadratic: its Hessian in (re, im) is 2 xᵀx / 30 for each column, twice
    right = 2.0 * float(torch.linalg.eigvalsh((x.T @ x).double())[-1]) / 30
    assert found.value == pytest.approx(right, rel=1e-4)


def test_a_warm_start_saves_products() -> None:
    case = gauge_nets.mlp(1)
    cold = sharpness(case.model, case.loss, case.batch)
    warm = sharpness(case.model, case.loss, case.batch, start=cold.vector)
    assert warm.value == pytest.approx(cold.value, rel=1e-3)
    assert warm.products < cold.products


def test_what_is_not_converged_says_so() -> None:
    case = gauge_nets.mlp(1)
    found = sharpness(case.model, case.loss, case.batch, tolerance=1e-7, max_products=3)
    assert not found.converged
    assert found.products == 3
    assert "NOT CONVERGED" in repr(found)


# Wrong second derivatives ---------------------------------------------------------------------------------------------


class Square(torch.autograd.Function):
    """Right: its backward pass is made of differentiable operations on what it saved."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Once(Square):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Kept(Square):
    """Wrong and symmetric: what it keeps hides how the derivative depends on x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.slope = (2 * x).detach()
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        slope: Tensor = ctx.slope
        return slope * g


class NoGrad(Square):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        with torch.no_grad():
            return 2 * x * g


class Custom(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.function.apply(x)
        return found


def with_function(function: Any) -> Case:
    case = gauge_nets.mlp(1)
    model = nn.Sequential(*list(case.model)[:2], Custom(function), *list(case.model)[2:])
    return Case(model, case.loss, case.batch)


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (Once, gauge.NotTwiceDifferentiable, "Once is once_differentiable"),
        (Kept, gauge.NotTwiceDifferentiable, r"Custom '2' \(Kept\) are wrong by"),
        (NoGrad, gauge.NotTwiceDifferentiable, "NoGrad"),
    ],
)
def test_wrong_second_derivatives_are_refused_by_name(
    function: Any, kind: type[gauge.MeasureError], words: str
) -> None:
    case = with_function(function)
    with pytest.raises(kind, match=words) as refused:
        sharpness(case.model, case.loss, case.batch)
    assert "\n" not in str(refused.value)


def test_right_custom_functions_and_kinks_are_no_false_alarms() -> None:
    case = with_function(Square)
    found = sharpness(case.model, case.loss, case.batch, tolerance=1e-6)
    assert found.checked.startswith("differences of gradients")


class InSingle(nn.Module):
    """A norm as language models write it: in single precision, whatever the model is in."""

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.float32)
        scaled: Tensor = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)
        return torch.softmax(scaled.float(), -1, dtype=torch.float32).to(x.dtype)


@pytest.mark.parametrize("function", [None, Kept])
def test_casts_to_single_precision_do_not_disturb_the_check(function: Any) -> None:
    case = gauge_nets.mlp(1)
    layers: list[nn.Module] = list(case.model)
    layers[2:2] = [InSingle()] if function is None else [InSingle(), Custom(function)]
    model = nn.Sequential(*layers)
    if function is None:
        found = sharpness(model, case.loss, case.batch)
        assert found.checked.startswith("differences of gradients in double precision")
        assert torch.get_default_dtype() == torch.float32
    else:
        with pytest.raises(gauge.NotTwiceDifferentiable, match=r"Custom '3' \(Kept\) are wrong by"):
            sharpness(model, case.loss, case.batch)


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.spectral_norm, nn.utils.parametrizations.weight_norm])
def test_normalised_weights(norm: Any) -> None:
    torch.manual_seed(5)
    model = nn.Sequential(norm(nn.Linear(6, 8)), nn.Tanh(), nn.Linear(8, 3))
    batch = (torch.randn(20, 6), torch.arange(20) % 3)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    found = sharpness(model, gauge_nets.cross_entropy, batch)
    assert found.value > 0
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_reentrant_checkpoints_are_refused_and_the_others_measured() -> None:
    from torch.utils.checkpoint import checkpoint

    case = gauge_nets.mlp(1)
    plain = sharpness(case.model, case.loss, case.batch, tolerance=1e-6)

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor], *, reentrant: bool) -> Tensor:
        x, y = batch
        hidden = checkpoint(model[:2], x.requires_grad_(reentrant), use_reentrant=reentrant)
        return nn.functional.cross_entropy(model[2:](hidden), y)

    found = sharpness(case.model, lambda m, b: loss(m, b, reentrant=False), case.batch, tolerance=1e-6)
    assert found.value == pytest.approx(plain.value, rel=1e-5)
    with pytest.raises(gauge.NotTwiceDifferentiable, match="use_reentrant=False"):
        sharpness(case.model, lambda m, b: loss(m, b, reentrant=True), case.batch)


# Losses that are no functions -----------------------------------------------------------------------------------------


def test_a_loss_that_keeps_state_is_refused() -> None:
    case, calls = gauge_nets.mlp(1), []

    def loss(model: nn.Module, batch: Any) -> Tensor:
        calls.append(1)
        return case.loss(model, batch) * (1.0 + 0.1 * len(calls))

    with pytest.raises(gauge.NotReproducible, match="the same weights"):
        sharpness(case.model, loss, case.batch)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda model, batch: model(batch[0]), r"scalar tensor, not a tensor of shape \[20, 3\]"),
        (lambda model, batch: 1.0, "scalar tensor, not float"),
        (lambda model, batch: model(batch[0]).detach().sum(), "does not depend on any parameter"),
        (lambda model, batch: model(batch[0]).sum() * float("nan"), "the loss of this batch is nan"),
    ],
)
def test_what_is_no_loss_is_refused(loss: Any, words: str) -> None:
    case = gauge_nets.mlp(1)
    with pytest.raises(gauge.WrongBatch, match=words):
        sharpness(case.model, loss, case.batch)


def test_wrong_arguments_are_named() -> None:
    case = gauge_nets.mlp(1)
    with pytest.raises(ValueError, match="operator 'fisher' is not known: use one of hessian"):
        sharpness(case.model, case.loss, case.batch, operator="fisher")
    with pytest.raises(ValueError, match="top"):
        sharpness(case.model, case.loss, case.batch, top=0)
    with pytest.raises(ValueError, match="of another model"):
        sharpness(case.model, case.loss, case.batch, start=torch.ones(3))
