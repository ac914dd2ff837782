"""Convolutional nets and transformers against torch's own modules, and the same bits alone and in company."""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian
from torch.nn.attention import SDPBackend, sdpa_kernel
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer.curvature.operators import OPERATORS, curvature
from mlrtui_trainer.models import general
from mlrtui_trainer.models.base import flatten
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.kinds import forward_work, n_params
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

F64 = torch.float64
IMAGES = {"shape": (1, 8, 8)}
CNN = NetSpec("cnn", 64, 10, 3, 4, **IMAGES)
CNN_TANH = NetSpec("cnn", 64, 10, 2, 3, "tanh", True, **IMAGES)
TRANSFORMER = NetSpec("transformer", 64, 10, 2, 64, "gelu", **IMAGES)
SMALL = replace(TRANSFORMER, width=4, depth=1)
SAMPLES = 6


class Convolutions(nn.Module):
    """What a cnn must be, made of torch's layers: 8x8, then 4x4, then 4x4."""

    def __init__(self, net: NetSpec) -> None:
        super().__init__()
        channels = (1, *([net.width] * net.depth))
        strides = (1, 2, 1)[: net.depth]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride, 1, bias=net.bias)
            for a, b, stride in zip(channels[:-1], channels[1:], strides, strict=True)
        )
        self.head = nn.Linear(net.width, net.outputs, bias=net.bias)
        self.phi = torch.relu if net.activation == "relu" else torch.tanh

    def forward(self, x: Tensor) -> Tensor:
        h = x.view(-1, 1, 8, 8)
        for layer in self.layers:
            h = self.phi(layer(h))
        return self.head(nn.functional.adaptive_avg_pool2d(h, 1).flatten(1))


class Encoder(nn.Module):
    """What a transformer must be, made of torch's layers."""

    def __init__(self, net: NetSpec) -> None:
        super().__init__()
        d = net.width
        self.embedding, self.positions = nn.Linear(8, d, bias=False), nn.Parameter(torch.empty(8, d))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                d, max(1, d // 32), 4 * d, 0.0, "gelu", batch_first=True, norm_first=True, bias=False
            )
            for _ in range(net.depth)
        )
        self.norm, self.head = nn.LayerNorm(d, elementwise_affine=False), nn.Linear(d, net.outputs, bias=False)
        for block in self.blocks:
            for norm in (block.norm1, block.norm2):
                del norm.weight
                norm.weight = torch.ones(d, dtype=F64)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedding(x.view(-1, 8, 8)) + self.positions
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h).mean(1))


class Case:
    """One net of seed 1 in double precision, and torch's own module with the same parameters."""

    def __init__(self, net: NetSpec, lanes: int = 1) -> None:
        self.model, self.net = build(net), net
        self.weights = self.model.initial_weights(list(range(1, lanes + 1)), F64, "cpu")
        data = digits(SAMPLES)
        self.x, self.y, self.labels = (torch.from_numpy(a) for a in (data.x, data.y, data.labels))
        self.module = (Convolutions if net.kind == "cnn" else Encoder)(net).to(F64)
        names = [name for name, _ in self.module.named_parameters()]
        if net.kind == "transformer":
            names.remove("positions")
            names.insert(1, "positions")
        self.names = names

    def outputs(self, flat: Tensor) -> Tensor:
        """torch's module at a flat vector of parameters."""
        parameters, at = dict(self.module.named_parameters()), 0
        named = {}
        for name in self.names:
            size = parameters[name].numel()
            named[name] = flat[at : at + size].view(parameters[name].shape)
            at += size
        assert at == flat.numel()
        return torch.func.functional_call(self.module, named, (self.x,))

    def loss(self, f: Tensor, loss: str) -> Tensor:
        if loss == "ce":
            return nn.functional.cross_entropy(f, self.labels)
        return 0.5 * ((f - self.y) ** 2).sum() / SAMPLES

    def dense(self, flat: Tensor, loss: str, operator: str) -> Tensor:
        if operator == "hessian":
            with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
                return hessian(lambda p: self.loss(self.outputs(p), loss), flat)
        by_parameters = jacobian(self.outputs, flat).reshape(-1, flat.numel())
        f = self.outputs(flat)
        curve = torch.eye(f.numel(), dtype=F64) / SAMPLES
        if operator == "gauss-newton":
            curve = hessian(lambda g: self.loss(g.view_as(f), loss), f.flatten())
        return by_parameters.T @ curve @ by_parameters


@pytest.mark.parametrize("net", [CNN, CNN_TANH, TRANSFORMER], ids=["relu", "tanh", "transformer"])
def test_outputs_and_descent_are_those_of_torchs_layers(net: NetSpec) -> None:
    case = Case(net, lanes=2)
    before = flatten(case.weights).clone()
    trace = case.model.forward(case.weights, case.x[None])
    delta = torch.randn(trace.f.shape, generator=torch.Generator().manual_seed(3), dtype=F64)
    case.model.descend_(case.weights, trace, delta)
    for lane in (0, 1):
        flat = before[lane].requires_grad_()
        f = case.outputs(flat)
        torch.testing.assert_close(trace.f[lane], f.detach(), rtol=1e-10, atol=1e-12)
        (pulled,) = torch.autograd.grad(f, flat, delta[lane])
        moved = flatten(case.weights)[lane] - before[lane].detach()
        torch.testing.assert_close(moved, pulled, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("net", "loss"), [(CNN, "ce"), (CNN_TANH, "mse"), (SMALL, "ce")], ids=["relu", "tanh", "transformer"]
)
def test_products_are_those_of_the_dense_matrix(net: NetSpec, loss: str) -> None:
    case = Case(net, lanes=2)
    flat = flatten(case.weights)
    v = torch.randn(flat.shape, generator=torch.Generator().manual_seed(4), dtype=F64)
    for operator in OPERATORS:
        with torch.inference_mode():  # as λ is measured
            one = curvature(case.model, case.weights, case.x, case.y, loss, operator)
            products, second = one.apply(v), one.select(torch.tensor([1])).apply(v[1:])
        assert torch.equal(products[1:], second)
        for lane in (0, 1):
            dense = case.dense(flat[lane], loss, operator)
            torch.testing.assert_close(products[lane], dense @ v[lane], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("operator", OPERATORS)
def test_samples_in_pieces_give_the_same_products(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(CNN, lanes=2)
    v = torch.randn(2, case.model.n_params, generator=torch.Generator().manual_seed(4), dtype=F64)
    whole = curvature(case.model, case.weights, case.x, case.y, "ce", operator).apply(v)
    monkeypatch.setattr(general, "PIECE_BYTES", 4 * 8 * case.model.units)  # four samples, then the other two
    pieces = curvature(case.model, case.weights, case.x, case.y, "ce", operator)
    torch.testing.assert_close(pieces.apply(v), whole, rtol=1e-11, atol=1e-13)
    assert torch.equal(pieces.select(torch.tensor([1])).apply(v[1:]), pieces.apply(v)[1:])


@pytest.mark.parametrize("net", [CNN, TRANSFORMER], ids=["cnn", "transformer"])
def test_one_batched_program_does_the_same_as_lane_by_lane(net: NetSpec) -> None:
    case = Case(net, lanes=3)
    own = torch.stack([case.x, 2.0 * case.x, case.x - 1.0])
    for x, dim in ((own, 0), (case.x, None)):
        batched, _ = torch.func.vmap(case.model.network, in_dims=(0, dim))(case.weights.w, x)
        alone = case.model.forward(case.weights, x if dim == 0 else x[None]).f
        torch.testing.assert_close(batched, alone, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("net", "batch"), [(CNN, 16), (CNN, 40), (SMALL, 16)], ids=["cnn", "cnn full batch", "transformer"]
)
def test_bits_do_not_depend_on_company(net: NetSpec, batch: int) -> None:
    data, spec = digits(40), TrainSpec("ce", batch, 5, 40 // batch)
    mine, how = trial(500, 0.02), SharpnessSpec("hessian", 2)
    alone = run_trials(data, net, spec, [mine], how=how).bits(500)
    company = [trial(1, 0.04), mine, trial(2, 1e4), trial(3, 0.02, seed=5)]
    assert run_trials(data, net, spec, company, how=how).bits(500) == alone


def test_a_larger_rate_leaves_the_plateau_where_lambda_says() -> None:
    run = train(digits(64), CNN, TrainSpec("mse", 64, 60, 1), [0.01, 1e3], every=20)
    calm, wild = (run.columns[i] for i in (0, 1))
    assert calm["loss"][-1] < calm["loss"][0]
    assert (calm["sharpness"][:1] > 0).all()
    assert run.outcomes[1].verdict in {"diverged", "dead"}
    assert len(wild["loss"]) < len(calm["loss"])


def test_roles_have_rates_of_their_own() -> None:
    model = build(replace(CNN, layer_lr=(0.0, 1.0, 0.5)))
    weights = model.initial_weights([1], F64, "cpu")
    x = torch.from_numpy(digits(4).x)[None]
    before = [w.clone() for w in weights.w]
    ones = torch.ones(1, 4, 10, dtype=F64)
    full = model.gradient(weights, model.forward(weights, x), ones)
    model.descend_(weights, model.forward(weights, x), ones)
    moved = [w - old for w, old in zip(weights.w, before, strict=True)]
    for change, pulled, rate in zip(moved, full.w, (0.0, 1.0, 1.0, 0.5), strict=True):
        torch.testing.assert_close(change, rate * pulled, rtol=1e-9, atol=1e-12)
    assert full.w[0].abs().max() > 0
    sizes = [w[0].numel() for w in weights.w]
    assert model.rate_vector(F64, "cpu").tolist() == [0.0] * sizes[0] + [1.0] * (sizes[1] + sizes[2]) + [0.5] * sizes[3]


def test_a_net_whose_last_layer_is_zero_everywhere_is_dead() -> None:
    case = Case(CNN, lanes=2)
    case.weights.w[2][1] = -case.weights.w[2][1].abs()  # after a ReLU: nothing positive can come out
    trace = case.model.forward(case.weights, case.x[None])
    assert case.model.dead(trace).tolist() == [0.0, 1.0]
    smooth = Case(CNN_TANH)
    assert smooth.model.dead(smooth.model.forward(smooth.weights, smooth.x[None])).tolist() == [0.0]


@pytest.mark.parametrize(
    ("kind", "shape", "depth", "width"),
    [
        ("cnn", (1, 8, 8), 2, 64),
        ("cnn", (1, 28, 28), 4, 32),
        ("cnn", (3, 32, 32), 3, 16),
        ("transformer", (3, 32, 32), 2, 96),
    ],
)
def test_parameters_are_counted_and_spread_as_documented(
    kind: str, shape: tuple[int, int, int], depth: int, width: int
) -> None:
    inputs = shape[0] * shape[1] * shape[2]
    net = NetSpec(kind, inputs, 10, depth, width, shape=shape)
    model = build(net)
    weights = model.initial_weights([3], F64, "cpu")
    assert model.n_params == n_params(net) == flatten(weights).shape[1] < forward_work(net)
    assert model.forward(weights, torch.zeros(1, 2, inputs, dtype=F64)).f.shape == (1, 2, 10)
    thin = 1.0 / sqrt(2.0 * depth)
    block = [1.0 / sqrt(width), thin / sqrt(width), sqrt(2.0 / width), thin / sqrt(4.0 * width)]
    expected = (
        [sqrt(2.0 / (9 * shape[0])), *[sqrt(2.0 / (9 * width))] * (depth - 1), sqrt(2.0 / width)]
        if kind == "cnn"
        else [1.0 / sqrt(shape[0] * shape[2]), 0.02, *(block * depth), 1.0 / sqrt(width)]
    )
    for w, std in zip(weights.w, expected, strict=True):
        assert float(w.std()) == pytest.approx(std, rel=4.0 / sqrt(2.0 * w.numel()))


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_the_products_that_were_derived_by_hand(loss: str) -> None:
    case, net = Case(CNN), NetSpec("mlp", 64, 10, 1, 8, "tanh")
    by_hand = build(net)

    def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x @ parameters[0].T)
        return h @ parameters[1].T, h

    by_torch = general.General(network, ((8, 64), (10, 8)), (1.0, 1.0), lambda seed: [], 100, dies=False)
    weights = by_hand.initial_weights([1], F64, "cpu")
    v = torch.randn(1, n_params(net), generator=torch.Generator().manual_seed(4), dtype=F64)
    for operator in OPERATORS:
        mine, other = (curvature(model, weights, case.x, case.y, loss, operator) for model in (by_torch, by_hand))
        torch.testing.assert_close(mine.apply(v), other.apply(v), rtol=1e-10, atol=1e-12)
