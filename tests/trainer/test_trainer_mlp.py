"""The hand-written network against torch's own modules and against the definitions."""

from itertools import product
from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from mlrtui_trainer.models.losses import LOSSES, accuracy, mean_loss
from mlrtui_trainer.models.mlp import (
    Mlp,
    Weights,
    descend_,
    draw,
    flatten,
    forward,
    initial_weights,
    rate_vector,
    unflatten,
)
from mlrtui_trainer.spec import NetSpec

MODULES = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "linear": nn.Identity}


def net(depth=2, width=8, activation="relu", bias=False, rates=(1.0, 1.0, 1.0)):
    return Mlp.of(NetSpec("mlp", 5, 3, depth, width, activation, bias, layer_lr=rates))


def as_module(mlp: Mlp, weights: Weights, lane: int) -> nn.Sequential:
    """The same net built from torch's parts."""
    parts: list[nn.Module] = []
    for layer, (out, fan_in) in enumerate(mlp.shapes):
        linear = nn.Linear(fan_in, out, bias=mlp.bias, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(weights.w[layer][lane])
            if mlp.bias:
                linear.bias.copy_(weights.b[layer][lane, 0])
        parts += [linear, MODULES[mlp.activation]()]
    return nn.Sequential(*parts[:-1])


def samples():
    gen = torch.Generator().manual_seed(0)
    x = torch.randn(11, 5, generator=gen, dtype=torch.float64)
    labels = torch.randint(0, 3, (11,), generator=gen)
    return x, nn.functional.one_hot(labels, 3).double(), labels


@pytest.mark.parametrize(("activation", "loss", "bias"), product(MODULES, LOSSES, (False, True)))
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_step_is_torchs_step_with_each_lanes_own_rate(activation, loss, bias, depth):
    mlp = net(depth, activation=activation, bias=bias)
    weights = initial_weights(mlp, [1, 2], torch.float64, "cpu")
    for b in weights.b:
        b.normal_(generator=torch.Generator().manual_seed(3))
    x, y, labels = samples()
    modules = [as_module(mlp, weights, lane) for lane in range(2)]
    rates = [0.1, 0.7]
    trace = forward(mlp, weights, x[None])
    e = LOSSES[loss].start(trace.f, y[None])
    losses = mean_loss(LOSSES[loss].per_sample(e, labels[None, :, None]))
    factor = torch.tensor([-eta / 11 for eta in rates], dtype=torch.float64)[:, None, None]
    descend_(mlp, weights, trace, LOSSES[loss].signal(e, y[None]) * factor)
    for lane, (module, eta) in enumerate(zip(modules, rates, strict=True)):
        f = module(x)
        if loss == "ce":
            expected = nn.functional.cross_entropy(f, labels)
        else:
            expected = nn.MSELoss(reduction="sum")(f if loss == "mse" else f.softmax(-1), y) / 22
        expected.backward()
        assert losses[lane].item() == pytest.approx(expected.item(), rel=1e-13)
        torch.optim.SGD(module.parameters(), lr=eta).step()
        after = as_module(mlp, weights, lane)
        for mine, theirs in zip(after.parameters(), module.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-13)


def test_mse_on_the_softmax_keeps_its_digits_where_a_sample_is_fitted():
    f = torch.tensor([[[0.0, 20.0, 3.0], [18.0, 0.0, -4.0]]])
    y = nn.functional.one_hot(torch.tensor([[1, 0]]), 3).float()
    loss = LOSSES["mse-softmax"]
    exact = f.double().requires_grad_()
    value = 0.5 * ((exact.softmax(-1) - y.double()) ** 2).sum(-1)
    (slope,) = torch.autograd.grad(value.sum(), exact, create_graph=True)
    u = torch.tensor([1.0, -2.0, 0.5])
    (bend,) = torch.autograd.grad((slope * u.double()).sum(), exact)
    e = loss.start(f, y)
    torch.testing.assert_close(loss.per_sample(e, y.long()).double(), value.detach(), rtol=1e-5, atol=0)
    torch.testing.assert_close(loss.signal(e, y).double(), slope.detach(), rtol=1e-5, atol=0)
    torch.testing.assert_close(loss.curve(e, u.expand_as(f)).double(), bend, rtol=1e-5, atol=0)


@pytest.mark.parametrize("outputs", [1, 5, 10])
def test_our_mse_is_half_the_outputs_times_torchs(outputs):
    gen = torch.Generator().manual_seed(outputs)
    f, y = torch.randn(2, 7, outputs, generator=gen, dtype=torch.float64)
    ours = mean_loss(LOSSES["mse"].per_sample(LOSSES["mse"].start(f[None], y[None]), torch.zeros(1, 7, 1).long()))
    assert ours.item() == pytest.approx(0.5 * outputs * nn.MSELoss()(f, y).item(), rel=1e-14)


def test_relus_slope_at_the_kink_is_zero():
    mlp = Mlp.of(NetSpec("mlp", 1, 1, 1, 2))
    weights = Weights((torch.zeros(1, 2, 1), torch.ones(1, 1, 2)), ())
    trace = forward(mlp, weights, torch.ones(1, 1, 1))
    descend_(mlp, weights, trace, torch.ones(1, 1, 1))
    assert not weights.w[0].any()


def test_weights_have_the_variance_of_their_activation():
    for activation, gain in (("relu", 2), ("tanh", 2), ("gelu", 2), ("linear", 1)):
        drawn = draw(Mlp.of(NetSpec("mlp", 200, 3, 2, 300, activation)), 5)
        for w, fan_in in zip(drawn, (200, 300, 300), strict=True):
            assert w.std() * sqrt(fan_in / gain) == pytest.approx(1.0, abs=4 / sqrt(2 * w.size))


def test_the_solvable_model_is_standard_normal_and_divides_by_the_root_of_its_width():
    mlp = Mlp.of(NetSpec("two-layer-linear", 1, 1, 1, 400, "linear"))
    u, v = draw(mlp, 0)
    assert u.std() == pytest.approx(1.0, abs=0.15)
    f = forward(mlp, initial_weights(mlp, [0], torch.float64, "cpu"), torch.ones(1, 1, 1, dtype=torch.float64)).f
    assert f.item() == pytest.approx((v @ u).item() / 20.0, rel=1e-13)


def test_a_net_depends_on_its_seed_only():
    mlp = net(bias=True)
    several = initial_weights(mlp, [4, 9, 4], torch.float32, "cpu")
    alone = initial_weights(mlp, [9], torch.float64, "cpu")
    assert torch.equal(flatten(several)[0], flatten(several)[2])
    assert torch.equal(flatten(several)[1], flatten(alone)[0].float())
    assert not torch.equal(flatten(several)[0], flatten(several)[1])


def test_flat_vectors_are_laid_out_as_documented_and_come_back():
    mlp = net(bias=True)
    weights = initial_weights(mlp, [1, 2], torch.float64, "cpu")
    weights.b[0].fill_(7.0)
    flat = flatten(weights)
    assert flat.shape == (2, mlp.n_params)
    assert torch.equal(flat[1, :40].view(8, 5), weights.w[0][1])
    assert torch.equal(flat[1, 40:48], torch.full((8,), 7.0, dtype=torch.float64))
    assert torch.equal(flatten(unflatten(mlp, flat)), flat)


def test_multipliers_belong_to_layer_roles():
    assert net(3, rates=(0.1, 0.5, 2.0)).rate == (0.1, 0.5, 0.5, 2.0)
    assert net(1, rates=(0.1, 0.5, 2.0)).rate == (0.1, 2.0)
    assert net(0, rates=(0.1, 0.5, 2.0)).rate == (2.0,)
    vector = rate_vector(net(1, bias=True, rates=(0.1, 1.0, 2.0)), torch.float64, "cpu")
    assert vector.tolist() == [0.1] * 48 + [2.0] * 27


def test_a_frozen_layer_stays_and_the_others_move():
    mlp = net(rates=(0.0, 1.0, 1.0))
    weights = initial_weights(mlp, [1], torch.float64, "cpu")
    before = [w.clone() for w in weights.w]
    x, y, _ = samples()
    trace = forward(mlp, weights, x[None])
    descend_(mlp, weights, trace, (trace.f - y) * -0.1)
    assert [torch.equal(a, b) for a, b in zip(before, weights.w, strict=True)] == [True, False, False]


def test_accuracy_never_counts_what_is_not_a_number():
    f = torch.tensor([[[1.0, 0.0], [torch.nan, 0.0], [torch.inf, 0.0], [0.0, 1.0]]])
    labels = torch.tensor([[[0], [0], [0], [0]]])
    assert accuracy(f, f, labels, "classes").tolist() == [0.25]
    signs = torch.tensor([[[0.3], [-0.2], [0.0], [torch.nan]]])
    assert accuracy(signs, torch.tensor([[[1.0], [1.0], [1.0], [1.0]]]), labels, "sign").tolist() == [0.25]
    assert np.isnan(accuracy(f, f, labels, "regression").item())


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        (NetSpec("cnn", 4, 2, 1, 4), "kind"),
        (NetSpec("mlp", 4, 2, 1, 4, "swish"), "activation"),
        (NetSpec("mlp", 4, 2, 1, 4, parametrization="xp"), "parametrization"),
        (NetSpec("two-layer-linear", 4, 2, 2, 4, "linear"), "two-layer-linear"),
    ],
)
def test_what_is_not_built_is_refused_by_name(spec, word):
    with pytest.raises(ValueError, match=word):
        Mlp.of(spec)
