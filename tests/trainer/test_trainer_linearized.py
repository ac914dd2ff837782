"""The mlp's expansion about its initial weights: by automatic differentiation, and trained by the closed form."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from trainer_runs import digits, run_trials, train, trial

from mlrtui_trainer.models.linearized import linearized
from mlrtui_trainer.models.mlp import Mlp, draw
from mlrtui_trainer.spec import NetSpec, SharpnessSpec, TrainSpec

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # torch.func.jvp imports it

ACTIVATIONS = {"relu": torch.relu, "linear": lambda z: z, "tanh": torch.tanh, "gelu": functional.gelu}
NET = NetSpec("mlp-linearized", 64, 10, 2, 16)


def initial(net: NetSpec, seed: int) -> list[Tensor]:
    mlp = Mlp.of(
        NetSpec("mlp", *[getattr(net, name) for name in ("inputs", "outputs", "depth", "width", "activation")])
    )
    parts = [[torch.from_numpy(w), torch.zeros(len(w), dtype=torch.float64)] for w in draw(mlp, seed)]
    return [part for of_layer in parts for part in of_layer[: 1 + net.bias]]


def by_hand(net: NetSpec, parameters: list[Tensor], x: Tensor) -> Tensor:
    h, each = x, 1 + net.bias
    for layer in range(net.depth + 1):
        w, b = parameters[layer * each], parameters[layer * each + 1] if net.bias else None
        h = functional.linear(h, w, b)
        h = ACTIVATIONS[net.activation](h) if layer < net.depth else h
    return h


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("depth", "bias"), [(0, False), (1, True), (3, False), (3, True)])
def test_outputs_are_the_expansion(activation: str, depth: int, bias: bool) -> None:
    net = NetSpec("mlp-linearized", 64, 10, depth, 16, activation, bias)
    model, x = linearized(net), torch.from_numpy(digits(20).x)
    weights = model.initial_weights([3, 4], torch.float64, "cpu")
    gen = torch.Generator().manual_seed(0)
    for lane, seed in enumerate((3, 4)):
        start = initial(net, seed)
        assert all((w[lane] == own).all() for w, own in zip(weights.w, start, strict=True))
        changes = [torch.randn(one.shape, generator=gen, dtype=one.dtype) for one in start]
        f0, moved = torch.func.jvp(lambda *p: by_hand(net, list(p), x), tuple(start), tuple(changes))
        for w, change in zip(weights.w, changes, strict=True):
            w[lane] += change
        torch.testing.assert_close(model.forward(weights, x[None]).f[lane], f0 + moved, rtol=1e-11, atol=1e-11)


def test_it_trains_as_the_recursion_of_its_kernel_says() -> None:
    """r ← (I − η/N · J Jᵀ) r with the net's own Jacobian at the start; λ is that of J Jᵀ/N at every step."""
    data, steps = digits(24), 40
    x, start = torch.from_numpy(data.x), initial(NET, 1)
    jacobians = torch.func.jacrev(lambda p: by_hand(NET, list(p), x))(tuple(start))
    j = torch.cat([one.reshape(240, -1) for one in jacobians], 1).numpy()
    kernel = j @ j.T / 24
    lambda0 = float(np.linalg.eigvalsh(kernel)[-1])
    etas = [1.0 / lambda0, 1.9 / lambda0, 2.1 / lambda0]
    spec = TrainSpec("mse", 24, steps, 1, dtype="float64")
    how = SharpnessSpec(every=1, operator="gauss-newton")
    run = run_trials(data, NET, spec, [trial(i, eta) for i, eta in enumerate(etas)], how=how)
    for i, eta in enumerate(etas):
        r, losses = by_hand(NET, start, x).reshape(-1).numpy() - data.y.reshape(-1), []
        for _ in range(steps + 1):
            losses.append(0.5 * float(r @ r) / 24)
            r = r - eta * kernel @ r
        columns = run.columns[i]
        assert columns["loss"] == pytest.approx(losses[: len(columns["loss"])], rel=1e-9)
        assert columns["sharpness"] == pytest.approx(lambda0, rel=2e-3)
    assert run.columns[2]["loss"][-1] > run.columns[2]["loss"][20]  # above 2/λ it grows in the end
    assert run.columns[1]["loss"][-1] < run.columns[1]["loss"][20]


def test_lanes_have_the_same_bits_in_company() -> None:
    spec = TrainSpec("ce", 24, 6, 1)
    alone = run_trials(digits(24), NET, spec, [trial(5, 0.1, seed=2)], 2)
    company = run_trials(digits(24), NET, spec, [trial(1, 0.2), trial(5, 0.1, seed=2), trial(7, 1e9, seed=3)], 2)
    assert company.bits(5) == alone.bits(5)


def test_a_small_step_is_the_nets_own() -> None:
    """At the start both have the same gradient: the losses after one step differ by the rate squared."""
    data, found = digits(64), {}
    for kind in ("mlp", "mlp-linearized"):
        net = NetSpec(kind, 64, 10, 2, 64, "tanh", bias=True)
        run = train(data, net, TrainSpec("ce", 64, 1, 1, dtype="float64"), [1e-3, 1e-4])
        found[kind] = [run.columns[i]["loss"][1] for i in range(2)]
    gaps = [abs(one - other) for one, other in zip(*found.values(), strict=True)]
    assert gaps[0] / gaps[1] == pytest.approx(100.0, rel=0.2)
