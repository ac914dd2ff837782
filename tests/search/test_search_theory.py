"""Closed forms of `mlrtui_trainer.theory` against brute force in float64."""

from itertools import pairwise

import numpy as np
import pytest

from mlrtui_trainer import theory

CASES = [(1.0, 0.0), (1.0, 1.5), (0.7, -2.0), (-1.3, 0.4)]


def start(width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.standard_normal(width), random.standard_normal(width)


def dense_hessian(u: np.ndarray, v: np.ndarray, x: float, y: float) -> np.ndarray:
    """Of ½ (v·u x/√n − y)² over (u, v), term by term: gradient of f squared plus residual times curvature of f."""
    n = len(u)
    root = x / np.sqrt(n)
    gradient = root * np.concatenate([v, u])  # [2n]
    curvature = root * np.block([[np.zeros((n, n)), np.eye(n)], [np.eye(n), np.zeros((n, n))]])  # [2n, 2n]
    return np.outer(gradient, gradient) + (root * (v @ u) - y) * curvature


@pytest.mark.parametrize("width", [1, 2, 7, 64])
@pytest.mark.parametrize(("x", "y"), CASES)
@pytest.mark.parametrize("c", [0.5, 1.9, 3.0])
def test_two_layer_recursion_is_gradient_descent(width, x, y, c):
    u, v = start(width, seed=width)
    eta = c / theory.two_layer_ntk(u, v, x)
    steps = 20
    curve = theory.two_layer_curve(
        theory.two_layer_output(u, v, x), theory.two_layer_ntk(u, v, x), eta, width, steps, x, y
    )
    # Small or labelled nets may diverge at these rates; rounding then grows with them, so look while they are moderate.
    moderate = np.abs(curve.output) < 1e3  # [steps + 1]
    shown = steps + 1 if moderate.all() else int(np.argmin(moderate))
    assert shown >= 2
    size = max(1.0, float(np.max(np.abs(curve.output[:shown]))))
    for t in range(shown):
        f = theory.two_layer_output(u, v, x)
        assert curve.output[t] == pytest.approx(f, abs=1e-12 * size)
        assert curve.loss[t] == pytest.approx(0.5 * (f - y) ** 2, abs=1e-12 * size**2)
        assert curve.ntk[t] == pytest.approx(theory.two_layer_ntk(u, v, x), rel=1e-11)
        assert curve.hessian[t] == pytest.approx(np.linalg.eigvalsh(dense_hessian(u, v, x, y))[-1], rel=1e-10)
        pull = eta * (f - y) * x / np.sqrt(width)
        u, v = u - pull * v, v - pull * u


def test_dense_hessian_of_the_test_is_that_of_finite_differences():
    u, v = start(3)
    theta = np.concatenate([u, v])

    def loss(weights: np.ndarray) -> float:
        return 0.5 * (theory.two_layer_output(weights[:3], weights[3:], 0.7) - 1.2) ** 2

    step = 1e-4
    shifts = step * np.eye(6)
    numeric = np.array(
        [
            [loss(theta + a + b) - loss(theta + a - b) - loss(theta - a + b) + loss(theta - a - b) for b in shifts]
            for a in shifts
        ]
    ) / (4 * step**2)
    np.testing.assert_allclose(dense_hessian(u, v, 0.7, 1.2), numeric, atol=1e-6)


def test_parallel_weights_do_not_make_a_negative_root():
    u = np.full(5, 0.3)
    f, lam = theory.two_layer_output(u, u), theory.two_layer_ntk(u, u)
    assert theory.two_layer_hessian_top(f, lam, 5) == pytest.approx(
        np.linalg.eigvalsh(dense_hessian(u, u, 1.0, 0.0))[-1], rel=1e-12
    )


@pytest.mark.parametrize("width", [16, 512, 65_536])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_phases_of_the_solvable_model(width, seed):
    u, v = start(width, seed)
    f, lam = theory.two_layer_output(u, v), theory.two_layer_ntk(u, v)
    lazy_end, catapult_end = theory.catapult_edges(lam)

    lazy = theory.two_layer_curve(f, lam, 0.95 * lazy_end, width, 300)
    assert np.all(np.diff(lazy.loss) <= 0.0)
    assert np.all(np.diff(lazy.ntk) <= 0.0)

    catapult = theory.two_layer_curve(f, lam, 0.95 * catapult_end, width, 2000)
    assert np.all(np.diff(catapult.ntk) <= 0.0)
    assert catapult.loss[-1] < 1e-6 * catapult.loss[0]
    assert 0.95 * catapult_end * catapult.ntk[-1] < 2.0
    assert np.max(catapult.loss) > 2.0 * catapult.loss[0]

    divergent = theory.two_layer_curve(f, lam, 1.05 * catapult_end, width, 400)
    assert not np.all(divergent.loss < 1e12)


def test_a_diverged_recursion_ends_without_an_error():
    curve = theory.two_layer_curve(1.0, 2.0, 1e3, 4, 60, y=0.5)
    assert not np.isfinite(curve.loss[-1])
    assert np.isfinite(curve.loss[0])


@pytest.mark.parametrize("layers", [1, 2, 3, 6])
@pytest.mark.parametrize(("weight", "y"), [(0.8, 0.0), (1.1, 3.0), (0.5, -2.0), (0.6, 4.0)])
def test_scalar_chain(layers, weight, y):
    gradient = np.full(layers, weight ** (layers - 1))
    off_diagonal = np.ones((layers, layers)) - np.eye(layers)
    curvature = (weight ** (layers - 2) if layers > 1 else 0.0) * off_diagonal
    dense = np.outer(gradient, gradient) + (weight**layers - y) * curvature
    top = np.linalg.eigvalsh(dense)[-1]
    assert theory.scalar_chain_hessian_top(weight, layers, y) == pytest.approx(top, rel=1e-12)


def ntk_diagonal(weights: list[np.ndarray], x: np.ndarray, input_lr: float) -> float:
    """Squared gradient of a one-output bias-free ReLU net, layer by layer by hand."""
    hidden = [x]
    for w in weights[:-1]:
        hidden.append(np.maximum(w @ hidden[-1], 0.0))  # [width]
    total, back = 0.0, np.ones(1)
    for layer in range(len(weights) - 1, -1, -1):
        rate = input_lr if layer == 0 else 1.0
        total += rate * float(hidden[layer] @ hidden[layer]) * float(back @ back)
        back = weights[layer].T @ back * (hidden[layer] > 0.0)
    return total


@pytest.mark.parametrize(("depth", "input_lr"), [(1, 1.0), (2, 0.1), (3, 1.0)])
def test_infinite_width_lambda0_is_the_mean_ntk_diagonal(depth, input_lr):
    random = np.random.default_rng(5)
    width, inputs = 256, 40
    sizes = [inputs, *[width] * depth, 1]
    x = random.standard_normal(inputs)
    values = [
        ntk_diagonal(
            [random.standard_normal((b, a)) * np.sqrt(2.0 / a) for a, b in pairwise(sizes)],
            x,
            input_lr,
        )
        for _ in range(150)
    ]
    line = theory.infinite_width_lambda0(float(x @ x) / inputs, depth, width, inputs, input_lr)
    error = np.std(values) / np.sqrt(len(values))
    assert error < 0.05 * line
    assert np.mean(values) == pytest.approx(line, abs=4.0 * error)
