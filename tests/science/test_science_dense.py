"""Products against dense matrices by automatic differentiation in double precision."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian

from mlrtui_trainer.curvature.autograd import AutogradCurvature
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import OPERATORS, curvature, preconditioned
from mlrtui_trainer.models.mlp import Mlp, Weights, flatten, initial_weights, rate_vector, unflatten
from mlrtui_trainer.spec import NetSpec

F64 = torch.float64
ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "gelu": nn.functional.gelu, "linear": lambda z: z}
SAMPLES, OUTPUTS = 11, 3


class Case:
    """One net with biases off zero, its data, and the same loss written with torch's own functions."""

    def __init__(
        self, activation="relu", loss="ce", bias=False, depth=2, rates=(1.0, 1.0, 1.0), kind="mlp", seeds=(1,)
    ):
        gen = torch.Generator().manual_seed(7)
        inputs, outputs = (1, 1) if kind != "mlp" else (5, OUTPUTS)
        self.mlp = Mlp.of(NetSpec(kind, inputs, outputs, depth, 7, activation, bias, layer_lr=rates))
        self.weights = initial_weights(self.mlp, list(seeds), F64, "cpu")
        for b in self.weights.b:
            b.normal_(generator=gen)
        self.x = torch.randn(SAMPLES, inputs, generator=gen, dtype=F64)
        self.labels = torch.randint(0, outputs, (SAMPLES,), generator=gen)
        self.y = nn.functional.one_hot(self.labels, outputs).to(F64)
        self.loss_name, self.activation = loss, ACTIVATIONS[activation]

    def model(self, flat: Tensor) -> Tensor:
        """[size] → outputs [samples, outputs]."""
        weights = unflatten(self.mlp, flat[None])
        h = self.x
        for layer in range(self.mlp.layers):
            h = self.mlp.scale[layer] * (h @ weights.w[layer][0].T)
            if self.mlp.bias:
                h = h + weights.b[layer][0]
            if layer < self.mlp.layers - 1:
                h = self.activation(h)
        return h

    def loss(self, f: Tensor) -> Tensor:
        if self.loss_name == "ce":
            return nn.functional.cross_entropy(f, self.labels)
        if self.loss_name == "mse-softmax":
            f = torch.softmax(f, dim=-1)
        return 0.5 * ((f - self.y) ** 2).sum() / SAMPLES

    def dense(self, operator: str, lane: int = 0) -> Tensor:
        flat = flatten(self.weights)[lane]
        if operator == "hessian":
            return hessian(lambda p: self.loss(self.model(p)), flat)
        outputs_by_params = jacobian(self.model, flat).reshape(-1, flat.numel())
        f = self.model(flat)
        curve = torch.eye(f.numel(), dtype=F64) / SAMPLES
        if operator == "gauss-newton":
            curve = hessian(lambda g: self.loss(g.view_as(f)), f.flatten())
        return outputs_by_params.T @ curve @ outputs_by_params

    def operator(self, name: str):
        return curvature(self.mlp, self.weights, self.x, self.y, self.loss_name, name)


@pytest.mark.parametrize(
    ("activation", "loss", "bias"), product(ACTIVATIONS, ("ce", "mse", "mse-softmax"), (False, True))
)
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_column_is_that_of_the_dense_matrix(activation, loss, bias, operator):
    case = Case(activation, loss, bias)
    dense = case.dense(operator)
    size = dense.shape[0]
    one = case.operator(operator)
    columns = torch.cat([one.apply(torch.eye(size, dtype=F64)[i : i + 1]) for i in range(size)])
    torch.testing.assert_close(columns, dense, rtol=0, atol=1e-12 * dense.abs().max().item())
    found = largest(one, start_vectors([1], size, F64, "cpu"), 1e-9, size)
    assert found.value[0] == pytest.approx(torch.linalg.eigvalsh(dense)[-1].item(), rel=1e-10)


@pytest.mark.parametrize("depth", [0, 1, 4])
@pytest.mark.parametrize("operator", OPERATORS)
def test_other_depths(depth, operator):
    case = Case("tanh", "ce", True, depth)
    dense = case.dense(operator)
    v = torch.randn(1, dense.shape[0], generator=torch.Generator().manual_seed(2), dtype=F64)
    torch.testing.assert_close(case.operator(operator).apply(v), v @ dense, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("operator", OPERATORS)
def test_forward_multipliers(operator):
    case = Case("linear", "mse", depth=1, kind="two-layer-linear")
    dense = case.dense(operator)
    v = torch.randn(1, dense.shape[0], generator=torch.Generator().manual_seed(2), dtype=F64)
    torch.testing.assert_close(case.operator(operator).apply(v), v @ dense, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("rates", [(0.1, 1.0, 1.0), (0.0, 1.0, 3.0), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize("operator", OPERATORS)
def test_the_preconditioned_operator_has_the_spectrum_of_d_times_a(rates, operator):
    case = Case("gelu", "ce", True, rates=rates)
    rate = rate_vector(case.mlp, F64, "cpu")
    size = rate.numel()
    found = largest(preconditioned(case.operator(operator), rate), start_vectors([1], size, F64, "cpu"), 1e-9, size)
    expected = torch.linalg.eigvals(rate[:, None] * case.dense(operator)).real.max().item()
    assert found.value[0] == pytest.approx(expected, rel=1e-9)


def test_a_frozen_layer_counts_for_nothing():
    """m = 0: λ is that of the other layers' block alone."""
    case = Case("relu", "mse", rates=(0.0, 1.0, 1.0))
    block = case.dense("gauss-newton")[35:, 35:]
    found = largest(
        preconditioned(case.operator("gauss-newton"), rate_vector(case.mlp, F64, "cpu")),
        start_vectors([1], case.mlp.n_params, F64, "cpu"),
        1e-9,
        100,
    )
    assert found.value[0] == pytest.approx(torch.linalg.eigvalsh(block)[-1].item(), rel=1e-10)
    assert found.vector[0, :35].abs().max() < 1e-9


def test_rates_of_one_change_nothing():
    case = Case()
    one = case.operator("hessian")
    assert preconditioned(one, torch.ones(case.mlp.n_params, dtype=F64)) is one


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("loss", ["ce", "mse"])
def test_the_general_route_agrees_on_several_lanes(operator, loss):
    case = Case("gelu", loss, True, depth=3, seeds=(1, 2, 3))
    flat = flatten(case.weights)
    half_squares = lambda f: 0.5 * (f * f).sum((1, 2)) / SAMPLES  # noqa: E731
    general = AutogradCurvature(
        lambda p: torch.stack([case.model(lane) for lane in p]),
        half_squares if operator == "ntk" else lambda f: torch.stack([case.loss(lane) for lane in f]),
        flat,
        gauss_newton=operator != "hessian",
    )
    v = torch.randn(flat.shape, generator=torch.Generator().manual_seed(2), dtype=F64)
    mine = case.operator(operator)
    torch.testing.assert_close(mine.apply(v), general.apply(v), rtol=1e-10, atol=1e-12)
    keep = torch.tensor([2, 0])
    torch.testing.assert_close(mine.select(keep).apply(v[keep]), general.apply(v)[keep], rtol=1e-10, atol=1e-12)
    assert torch.equal(general.select(keep).apply(v[keep]), general.apply(v)[keep])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_products_are_symmetric_and_repeatable(activation):
    case = Case(activation, "ce", True, seeds=(1, 2))
    gen = torch.Generator().manual_seed(2)
    a, b = (torch.randn(2, case.mlp.n_params, generator=gen, dtype=F64) for _ in range(2))
    for name in OPERATORS:
        one = case.operator(name)
        torch.testing.assert_close((a * one.apply(b)).sum(1), (b * one.apply(a)).sum(1), rtol=1e-11, atol=1e-12)
        assert torch.equal(one.apply(a), one.apply(a))


def test_a_lane_that_is_not_finite_changes_nothing_for_the_others():
    for activation in ACTIVATIONS:
        case = Case(activation, "ce", True, seeds=(1, 2, 3))
        start = start_vectors([1, 2, 3], case.mlp.n_params, F64, "cpu")
        clean = largest(case.operator("hessian"), start, 1e-6, 60)
        case.weights.w[1][1, 2, 3] = torch.nan
        found = largest(case.operator("hessian"), start, 1e-6, 60)
        assert found.rule.tolist()[1] == "nonfinite"
        assert found.value[[0, 2]].tolist() == clean.value[[0, 2]].tolist()
        assert torch.equal(found.vector[[0, 2]], clean.vector[[0, 2]])


def test_an_unknown_operator_is_refused_by_name():
    case = Case()
    with pytest.raises(ValueError, match="fisher"):
        case.operator("fisher")


def test_weights_are_not_touched():
    case = Case("tanh", "ce", True)
    before = flatten(case.weights).clone()
    case.operator("hessian").apply(torch.ones(1, case.mlp.n_params, dtype=F64))
    assert torch.equal(flatten(case.weights), before)
    assert isinstance(case.weights, Weights)
