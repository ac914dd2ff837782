"""Every optimizer against torch's own, its bits in company, and the operator that its edge is of."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from trainer_runs import digits, lambda_at_init, run_trials, trial

from mlrtui_trainer.curvature.edges import edge_of
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature, preconditioned
from mlrtui_trainer.models.mlp import Mlp, Weights, flatten, forward, gradient, initial_weights
from mlrtui_trainer.optimizers.stepping import optimizer_of
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import FLAG_ALL_SAMPLES, Dataset, NetSpec, SharpnessSpec, TrainSpec

ETAS = {
    "sgd": 0.02,
    "momentum": 0.005,
    "adam": 0.002,
    "nesterov": 0.005,
    "adamw": 0.002,
    "rmsprop": 0.0005,
    "muon": 0.01,
}
RATES = (0.25, 1.0, 2.0)


def module_of(mlp: Mlp, weights: Weights) -> nn.Sequential:
    """One lane built from torch's parts."""
    parts: list[nn.Module] = []
    for layer, (out, fan_in) in enumerate(mlp.shapes):
        linear = nn.Linear(fan_in, out, bias=mlp.bias, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(weights.w[layer][0])
            if mlp.bias:
                linear.bias.copy_(weights.b[layer][0, 0])
        parts += [linear, nn.Tanh()]
    return nn.Sequential(*parts[:-1])


def torchs(train: TrainSpec, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    decay, betas = train.weight_decay, (train.beta1, train.beta2)
    made: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(groups, weight_decay=decay),
        "momentum": lambda: torch.optim.SGD(groups, momentum=train.momentum, weight_decay=decay),
        "nesterov": lambda: torch.optim.SGD(groups, momentum=train.momentum, weight_decay=decay, nesterov=True),
        "adam": lambda: torch.optim.Adam(groups, betas=betas, eps=train.eps, weight_decay=decay),
        "adamw": lambda: torch.optim.AdamW(groups, betas=betas, eps=train.eps, weight_decay=decay),
        "rmsprop": lambda: torch.optim.RMSprop(groups, alpha=train.beta2, eps=train.eps, weight_decay=decay),
        "muon": lambda: torch.optim.Muon(groups, momentum=train.momentum, weight_decay=decay),
    }
    return made[train.optimizer]()


def losses_of_torch(data: Dataset, net: NetSpec, train: TrainSpec, eta: float) -> list[float]:
    """The batch losses of the net with seed 1 in the data order of a sweep."""
    mlp = Mlp.of(net, train.optimizer)
    module = module_of(mlp, initial_weights(mlp, [1], torch.float64, "cpu"))
    layers = [part for part in module if isinstance(part, nn.Linear)]
    groups = [
        {"params": list(layer.parameters()), "lr": eta * rate} for layer, rate in zip(layers, mlp.rate, strict=True)
    ]
    optimizer, losses = torchs(train, groups), []
    x, labels = torch.from_numpy(data.x), torch.from_numpy(data.labels)
    for step in range(train.max_steps):
        epoch, place = divmod(step, train.steps_per_epoch)
        rows = generator(1, "order", epoch).permutation(len(labels))[place * train.batch : (place + 1) * train.batch]
        loss = nn.functional.cross_entropy(module(x[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", ETAS)
def test_every_step_is_torchs(optimizer, decay, monkeypatch):
    if optimizer == "muon":
        if not hasattr(torch.optim, "Muon"):
            pytest.skip("this torch has no Muon")
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)  # torch's iteration in double precision
    data, bias = digits(64), decay > 0.0 and optimizer != "muon"  # torch's takes matrices alone
    net = NetSpec("mlp", 64, 10, 2, 16, "tanh", bias, layer_lr=RATES)
    train = TrainSpec("ce", 16, 30, 4, "float64", optimizer, 0.8, 0.7, 0.95, 1e-6, decay)
    columns = run_trials(data, net, train, [trial(0, ETAS[optimizer])]).columns[0]
    of_batches = columns["flags"] & FLAG_ALL_SAMPLES == 0  # at an epoch's end a row has the loss of all samples
    mine = columns["loss"][of_batches]
    assert len(mine) == train.max_steps - (train.max_steps - 1) // train.steps_per_epoch
    theirs = np.array(losses_of_torch(data, net, train, ETAS[optimizer]))
    assert mine.tolist() == pytest.approx(theirs[columns["step"][of_batches]].tolist(), rel=1e-12)
    assert mine[-1] < 0.9 * mine[0]


def test_a_gradient_is_autograds():
    gen = torch.Generator().manual_seed(0)
    mlp = Mlp.of(NetSpec("mlp", 5, 3, 2, 8, "gelu", bias=True))
    weights = initial_weights(mlp, [1], torch.float64, "cpu")
    x, y = torch.randn(7, 5, generator=gen).double(), torch.randn(7, 3, generator=gen).double()
    trace = forward(mlp, weights, x[None])
    mine = gradient(mlp, weights, trace, (trace.f - y) / 7)
    leaves = [one.requires_grad_() for pair in zip(weights.w, weights.b, strict=True) for one in pair]
    h = x[None]
    for layer in range(3):
        h = h @ weights.w[layer].mT + weights.b[layer]
        h = nn.functional.gelu(h) if layer < 2 else h
    theirs = torch.autograd.grad(0.5 * ((h - y) ** 2).sum() / 7, leaves)
    expected = torch.cat([part.flatten() for part in theirs])
    torch.testing.assert_close(flatten(mine)[0], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("full", "every"), [(False, 0), (False, 3), (True, 1)])
@pytest.mark.parametrize("optimizer", [name for name in ETAS if name != "sgd"])
def test_bits_do_not_depend_on_company(optimizer, full, every):
    data, net = digits(64), NetSpec("mlp", 64, 10, 2, 16)
    batch = 64 if full else 16
    train = TrainSpec("ce", batch, 9, 64 // batch, optimizer=optimizer, weight_decay=0.1 * (every == 3))
    mine = trial(500, ETAS[optimizer])
    alone = run_trials(data, net, train, [mine], every).bits(500)
    for count in (1, 7, 63):
        others = [trial(i, ETAS[optimizer] * (1.0, 3.0, 1e7)[i % 3], seed=(1, 4, 5, 6)[i % 4]) for i in range(count)]
        together = run_trials(data, net, train, [*others[: count // 2], mine, *others[count // 2 :]], every)
        assert together.bits(500) == alone, f"beside {count}"


def test_the_operator_of_adam_has_its_diagonal_and_the_layers_rates():
    data, net = digits(32), NetSpec("mlp", 64, 10, 1, 16, "tanh", layer_lr=RATES)
    train = TrainSpec("ce", 32, 4, 1, "float64", "adam", beta2=0.95)
    how = SharpnessSpec("gauss-newton", 1, exact=True)
    rows = run_trials(data, net, train, [trial(0, 0.01)], how=how).columns[0]
    assert np.isnan(rows["sharpness"]).tolist() == [True, False, False, False, False]  # no second moment at the start
    assert rows["flags"].tolist() == [0] * 5

    mlp = Mlp.of(net, "adam")
    weights = initial_weights(mlp, [1], torch.float64, "cpu")
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    square = torch.zeros(mlp.n_params, dtype=torch.float64)
    mean = torch.zeros_like(square)
    rates = torch.cat([torch.full((w[0].numel(),), rate).double() for w, rate in zip(weights.w, mlp.rate, strict=True)])
    for t in range(1, 4):
        trace = forward(mlp, weights, x[None])
        g = flatten(gradient(mlp, weights, trace, (torch.softmax(trace.f, -1) - y) / 32))[0]
        mean, square = 0.9 * mean + 0.1 * g, 0.95 * square + 0.05 * g * g
        scale = rates / ((square / (1 - 0.95**t)).sqrt() + 1e-8)
        move = 0.01 * scale * mean / (1 - 0.9**t)
        at = 0
        for w in weights.w:
            w -= move[at : at + w[0].numel()].view_as(w)
            at += w[0].numel()
        operator = preconditioned(curvature(mlp, weights, x, y, "ce", "gauss-newton"), scale)
        start = start_vectors([1], mlp.n_params, torch.float64, "cpu")
        assert rows["sharpness"][t] == pytest.approx(largest(operator, start, 1e-9, 200).value[0], rel=1e-7)


def test_one_that_is_not_built_is_refused_by_name():
    mlp = Mlp.of(NetSpec("mlp", 4, 2, 1, 4))
    with pytest.raises(ValueError, match="'lion' is not known"):
        optimizer_of(mlp, replace(TrainSpec("ce", 1, 1, 1), optimizer="lion"), [0.1], torch.float64, "cpu")


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_linear_regression_ends_at_the_edge(optimizer):
    """By running: the loss still falls 2 % below edge/λ, and grows without bound 2 % above."""
    data, net = digits(128), NetSpec("mlp", 64, 10, 0, 1, "linear")
    train = TrainSpec("mse", 128, 300, 1, "float64", optimizer)
    top = edge_of(train) / lambda_at_init(data, net, train).main
    run = run_trials(data, net, train, [trial(0, 0.98 * top), trial(1, 1.02 * top)])
    below, above = run.columns[0]["loss"], run.columns[1]["loss"]
    assert below[-1] <= below[len(below) // 2] < below[0]
    assert above[-1] > 10 * above[len(above) // 2] > 100 * below[len(above) // 2]


def test_adam_trains_at_the_edge_of_its_effective_sharpness():
    """Full batch (Cohen et al. 2022): λ of the operator with Adam's diagonal rises to 38/η and stays."""
    data, net = digits(128), NetSpec("mlp", 64, 10, 2, 32, "tanh")
    train = TrainSpec("mse", 128, 700, 1, optimizer="adam", beta2=0.99)
    run = run_trials(data, net, train, [trial(0, 0.01)], every=25, operator="hessian").columns[0]
    measured = np.flatnonzero(run["products"])
    ratio = run["sharpness"][measured] * 0.01 / edge_of(train)
    assert ratio[0] < 0.1
    assert ratio[-10:].min() > 0.85
    assert np.median(ratio[-10:]) == pytest.approx(1.0, abs=0.1)
    assert ratio[-10:].max() < 1.2
    assert run["loss"][-1] < 1e-2 * run["loss"][0]
