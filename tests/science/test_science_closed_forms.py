"""Sharpness and training against results that are known on paper."""

from math import sqrt

import numpy as np
import pytest
import torch
from torch.autograd.functional import hessian

from mlrtui_trainer import theory
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.mlp import Mlp, Weights, draw
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

F64 = torch.float64


def top(mlp, weights, x, y, loss, operator, seed=3):
    """λ to near machine precision."""
    matrix = curvature(mlp, weights, x, y, loss, operator)
    return largest(matrix, start_vectors([seed] * weights.lanes, mlp.n_params, F64, "cpu"), 1e-9, 300).value


def gaussian(samples, inputs, seed=0):
    return torch.randn(samples, inputs, generator=torch.Generator().manual_seed(seed), dtype=F64)


def spectral_top(x):
    return torch.linalg.eigvalsh(x.T @ x / x.shape[0])[-1].item()


@pytest.mark.parametrize("operator", ["gauss-newton", "hessian"])
@pytest.mark.parametrize("outputs", [1, 4])
def test_linear_regression_has_the_top_of_the_covariance(operator, outputs):
    mlp = Mlp.of(NetSpec("mlp", 7, outputs, 0, 1, "linear"))
    x, y = gaussian(40, 7), gaussian(40, outputs, 1)
    weights = Weights((gaussian(outputs, 7, 2)[None],), ())
    assert top(mlp, weights, x, y, "mse", operator)[0] == pytest.approx(spectral_top(x), rel=1e-12)


def test_a_bias_is_one_more_input_that_is_always_one():
    mlp = Mlp.of(NetSpec("mlp", 7, 2, 0, 1, "linear", bias=True))
    x = gaussian(40, 7)
    weights = Weights((gaussian(2, 7, 2)[None],), (gaussian(1, 2, 4)[None],))
    with_one = torch.cat([x, torch.ones(40, 1, dtype=F64)], dim=1)
    assert top(mlp, weights, x, gaussian(40, 2, 1), "mse", "hessian")[0] == pytest.approx(
        spectral_top(with_one), rel=1e-12
    )


@pytest.mark.parametrize("outputs", [2, 5])
@pytest.mark.parametrize("operator", ["gauss-newton", "hessian"])
def test_softmax_regression_at_zero_has_the_covariance_over_the_classes(outputs, operator):
    mlp = Mlp.of(NetSpec("mlp", 7, outputs, 0, 1, "linear"))
    x = gaussian(40, 7)
    y = torch.eye(outputs, dtype=F64)[torch.arange(40) % outputs]
    found = top(mlp, Weights((torch.zeros(1, outputs, 7, dtype=F64),), ()), x, y, "ce", operator)
    assert found[0] == pytest.approx(spectral_top(x) / outputs, rel=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_orthogonal_deep_linear_nets_have_layers_times_the_covariance(depth):
    mlp = Mlp.of(NetSpec("mlp", 6, 6, depth, 6, "linear"))
    layers = [torch.linalg.qr(gaussian(6, 6, seed))[0] for seed in range(depth + 1)]
    x = gaussian(30, 6, 9)
    found = top(mlp, Weights(tuple(w[None] for w in layers), ()), x, gaussian(30, 6, 1), "mse", "gauss-newton")
    assert found[0] == pytest.approx((depth + 1) * spectral_top(x), rel=1e-12)


@pytest.mark.parametrize("layers", [2, 3, 6])
@pytest.mark.parametrize("weight", [0.7, -0.9, 1.3])
def test_the_hessian_of_a_chain_of_equal_weights(layers, weight):
    mlp = Mlp.of(NetSpec("mlp", 1, 1, layers - 1, 1, "linear"))
    chain = Weights(tuple(torch.full((1, 1, 1), weight, dtype=F64) for _ in range(layers)), ())
    for target in (-0.8, 0.0, 0.4):
        chi = weight**layers - target
        expected = max(
            layers * weight ** (2 * layers - 2) + (layers - 1) * chi * weight ** (layers - 2),
            -chi * weight ** (layers - 2),
        )
        found = top(mlp, chain, torch.ones(1, 1, dtype=F64), torch.full((1, 1), target, dtype=F64), "mse", "hessian")
        assert found[0] == pytest.approx(expected, rel=1e-11)
        assert theory.scalar_chain_hessian_top(weight, layers, target) == pytest.approx(expected, rel=1e-11)


def test_gauss_newton_under_mse_is_the_tangent_kernel():
    """λ of JᵀJ/N and of JJᵀ/N, the second from per-sample gradients by autograd."""
    mlp = Mlp.of(NetSpec("mlp", 5, 2, 2, 9, "tanh"))
    x = gaussian(12, 5)
    weights = [torch.from_numpy(w).requires_grad_() for w in draw(mlp, 4)]
    f = x
    for w in weights[:-1]:
        f = torch.tanh(f @ w.T)
    f = f @ weights[-1].T
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(one, weights, retain_graph=True)]) for one in f.flatten()
    ]
    jacobian = torch.stack(rows)
    kernel = torch.linalg.eigvalsh(jacobian @ jacobian.T / 12)[-1].item()
    stacked = Weights(tuple(w.detach()[None] for w in weights), ())
    found = top(mlp, stacked, x, gaussian(12, 2, 1), "mse", "gauss-newton")
    assert found[0] == pytest.approx(kernel, rel=1e-12)


UNIT = Dataset("unit", "regression", np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1, np.int64))


def solvable(width, cs, steps, operator, seed=2):
    """Train the two-layer linear model at η = c/λ₀; per c the rows and the closed form from the same start."""
    net = NetSpec("two-layer-linear", 1, 1, 1, width, "linear")
    u, v = (w.ravel() for w in draw(Mlp.of(net), seed))
    f0, lam0 = float(v @ u) / sqrt(width), float(u @ u + v @ v) / width
    spec = TrainSpec("mse", 1, steps, 1, "float64")
    trials = tuple(TrialSpec(i, 1, seed, c / lam0, lam0) for i, c in enumerate(cs))
    messages = list(run_task(Round(1, "unit", net, spec, SharpnessSpec(operator, 1, 1e-6), trials), UNIT, "cpu"))
    rows: dict[int, list[tuple[float, float]]] = {i: [] for i in range(len(cs))}
    for message in messages:
        if isinstance(message, StepBatch):
            for s in message.segments:
                columns = zip(message.loss[s.start : s.stop], message.sharpness[s.start : s.stop], strict=True)
                rows[s.trial_id] += list(columns)
    outcomes = {m.trial_id: m for m in messages if isinstance(m, Outcome)}
    closed = [theory.two_layer_curve(f0, lam0, c / lam0, width, steps) for c in cs]
    return rows, outcomes, closed, lam0


@pytest.mark.parametrize("width", [16, 128, 1024])
@pytest.mark.parametrize("operator", ["gauss-newton", "hessian"])
def test_trained_lanes_follow_the_recursion_through_a_catapult(width, operator):
    cs = (0.5, 1.5, 2.5, 3.5, 3.9)
    rows, outcomes, closed, lam0 = solvable(width, cs, 60, operator)
    for i, curve in enumerate(closed):
        loss, lam = np.array(rows[i]).T
        assert outcomes[i].verdict == "finished"
        assert np.abs(np.sqrt(2 * loss) - np.abs(curve.output)).max() <= 1e-12 * np.abs(curve.output).max()
        exact = curve.ntk if operator == "gauss-newton" else curve.hessian
        assert np.abs(lam - exact).max() <= 1e-6 * lam0  # the solver's tolerance, not the training's


def test_the_exact_hessian_along_a_catapult_is_the_top_of_a_2_by_2():
    """Here the 2×2 itself, from the weights, not from f and λ alone."""
    width, eta = 32, 0.0
    net = NetSpec("two-layer-linear", 1, 1, 1, width, "linear")
    mlp = Mlp.of(net)
    u, v = (w.ravel().copy() for w in draw(mlp, 5))
    eta = 2.6 * width / float(u @ u + v @ v)
    for _ in range(25):
        f = float(v @ u) / sqrt(width)
        kappa = f / sqrt(width)
        a, b = np.linalg.norm(u + v) / sqrt(2), np.linalg.norm(u - v) / sqrt(2)
        small = np.array([[kappa + a * a / width, a * b / width], [a * b / width, -kappa + b * b / width]])
        expected = max(abs(kappa), np.linalg.eigvalsh(small)[-1])
        weights = Weights((torch.from_numpy(u)[None, :, None], torch.from_numpy(v)[None, None, :]), ())
        ones, zero = torch.ones(1, 1, dtype=F64), torch.zeros(1, 1, dtype=F64)
        assert top(mlp, weights, ones, zero, "mse", "hessian")[0] == pytest.approx(expected, rel=1e-12)
        u, v = u - eta * f * v / sqrt(width), v - eta * f * u / sqrt(width)
    assert abs(f) < 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_phases_of_the_solvable_model_are_exact(seed):
    _, outcomes, _, lam0 = solvable(512, (1.0, 1.95, 2.2, 3.0, 3.9, 4.1, 6.0), 200, "gauss-newton", seed)
    assert [outcomes[i].phase for i in range(7)] == ["lazy"] * 2 + ["catapult"] * 3 + ["divergent"] * 2
    for i, c in ((2, 2.2), (3, 3.0), (4, 3.9)):
        assert outcomes[i].final_sharpness * c / lam0 < 2.0


@pytest.mark.parametrize("c", [0.99, 1.01])
def test_the_edge_of_linear_regression_is_two_over_lambda(c):
    x = gaussian(40, 6).numpy()
    y = gaussian(40, 1, 1).numpy()
    data = Dataset("linear", "regression", x, y, np.zeros(40, np.int64))
    net, spec = (
        NetSpec("mlp", 6, 1, 0, 1, "linear"),
        TrainSpec("mse", 40, 3000, 1, "float64", success="loss-below-initial"),
    )
    probe, _ = run_task(Probe(1, "linear", net, spec, SharpnessSpec(tolerance=1e-9), ((1, 0),)), data, "cpu")
    assert isinstance(probe, LambdaAtInit)
    task = Round(1, "linear", net, spec, SharpnessSpec(), (TrialSpec(0, 1, 0, c * 2.0 / probe.main, probe.main),))
    (outcome,) = (m for m in run_task(task, data, "cpu") if isinstance(m, Outcome))
    assert outcome.verdict == ("reached" if c < 1 else "diverged")
    assert np.isnan(outcome.final_accuracy)


@pytest.mark.parametrize("outputs", [1, 3])
def test_lambda_scales_with_the_loss_convention(outputs):
    """torch's mean over samples and outputs gives 2/outputs times our λ; a sum without ½ gives twice."""
    mlp = Mlp.of(NetSpec("mlp", 4, outputs, 1, 5, "tanh"))
    x, y = gaussian(9, 4), gaussian(9, outputs, 1)
    w = [torch.from_numpy(a) for a in draw(mlp, 1)]

    def hessian_top(loss):
        def of_flat(flat):
            a, b = flat[:20].view(5, 4), flat[20:].view(outputs, 5)
            return loss(torch.tanh(x @ a.T) @ b.T)

        flat = torch.cat([a.flatten() for a in w])
        return torch.linalg.eigvalsh(hessian(of_flat, flat))[-1].item()

    weights = Weights(tuple(a[None] for a in w), ())
    ours = top(mlp, weights, x, y, "mse", "hessian")[0]
    assert hessian_top(lambda f: ((f - y) ** 2).mean()) == pytest.approx(ours * 2 / outputs, rel=1e-11)
    assert hessian_top(lambda f: ((f - y) ** 2).sum() / 9) == pytest.approx(ours * 2, rel=1e-11)
    if outputs > 1:
        hot = torch.nn.functional.one_hot(y.argmax(-1), outputs).double()
        ours = top(mlp, weights, x, hot, "mse-softmax", "hessian")[0]
        assert hessian_top(lambda f: ((f.softmax(-1) - hot) ** 2).mean()) == pytest.approx(ours * 2 / outputs, rel=1e-9)
    assert set(LOSSES) == {"ce", "mse", "mse-softmax"}
