"""Edges of stability, measured by running the optimizers' own iterations on quadratics."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mlrtui_trainer.curvature.edges import edge
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import Preconditioned, preconditioned

STEPS = 4000


def grows(matrix: np.ndarray, move: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> bool:
    """Whether w ← w − move(gradient of ½ wᵀ A w, state) grows in the long run; state starts at zero."""
    w = np.ones(len(matrix))
    state = np.zeros(len(matrix))
    sizes = []
    for t in range(STEPS):
        w = w - move(matrix @ w, state, t)
        sizes.append(np.abs(w).max())
        if not sizes[-1] < 1e100:
            return True
    return bool(max(sizes[-20:]) > max(sizes[STEPS // 2 - 20 : STEPS // 2]))


def heavy_ball(eta: float, beta: float) -> Callable[[np.ndarray, np.ndarray, int], np.ndarray]:
    def move(gradient: np.ndarray, v: np.ndarray, t: int) -> np.ndarray:
        v *= beta
        v += gradient
        return eta * v

    return move


def frozen_adam(eta: float, beta: float, scale: np.ndarray) -> Callable[[np.ndarray, np.ndarray, int], np.ndarray]:
    """Adam whose second moment stands still: steps η D m̂ with D = 1/(√v̂ + ε) fixed."""

    def move(gradient: np.ndarray, m: np.ndarray, t: int) -> np.ndarray:
        m *= beta
        m += (1 - beta) * gradient
        return eta * scale * m / (1 - beta ** (t + 1))

    return move


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("lam", [0.3, 7.0])
def test_the_edge_of_momentum(beta: float, lam: float) -> None:
    matrix = np.diag([lam, 0.4 * lam])
    at = edge("momentum", beta) / lam
    assert not grows(matrix, heavy_ball(0.995 * at, beta))
    assert grows(matrix, heavy_ball(1.005 * at, beta))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_edge_of_frozen_adam_is_that_of_the_effective_sharpness(beta: float) -> None:
    gen = np.random.default_rng(3)
    basis, _ = np.linalg.qr(gen.standard_normal((6, 6)))
    matrix = basis @ np.diag([5.0, 3.0, 2.0, 1.0, 0.5, 0.2]) @ basis.T
    scale = np.exp(gen.standard_normal(6))
    effective = np.linalg.eigvals(scale[:, None] * matrix).real.max()
    at = edge("adam", beta) / effective
    assert not grows(matrix, frozen_adam(0.995 * at, beta, scale))
    assert grows(matrix, frozen_adam(1.005 * at, beta, scale))


def test_the_values_that_papers_quote() -> None:
    assert edge("sgd") == edge("momentum") == edge("adam") == 2.0
    assert edge("momentum", 0.9) == pytest.approx(3.8)
    assert edge("adam", 0.9) == pytest.approx(38.0)


@pytest.mark.parametrize(("optimizer", "beta", "words"), [("lion", 0.0, "lion"), ("adam", 1.0, "below 1")])
def test_what_has_no_edge_is_refused(optimizer: str, beta: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        edge(optimizer, beta)


class Stacked:
    """Symmetric matrices [lanes, size, size]."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix = matrix
        self.lanes, self.size = matrix.shape[:2]

    def apply(self, v: torch.Tensor) -> torch.Tensor:
        return (self.matrix * v[:, None]).sum(-1)

    def select(self, keep: torch.Tensor) -> "Stacked":
        return Stacked(self.matrix[keep])


def test_every_lane_has_its_own_diagonal() -> None:
    gen = torch.Generator().manual_seed(1)
    half = torch.randn(3, 20, 20, generator=gen, dtype=torch.float64)
    matrix, scale = half @ half.mT, torch.rand(3, 20, generator=gen, dtype=torch.float64) * 3
    scale[1, 4] = 0.0
    operator = preconditioned(Stacked(matrix), scale)
    assert isinstance(operator, Preconditioned)
    start = start_vectors([0, 1, 2], 20, torch.float64, "cpu")
    expected = [torch.linalg.eigvals(scale[i, :, None] * matrix[i]).real.max().item() for i in range(3)]
    assert largest(operator, start, 1e-9, 20).value.tolist() == pytest.approx(expected, rel=1e-10)
    keep = torch.tensor([2, 0])
    some = largest(operator.select(keep), start[keep], 1e-9, 20)
    assert some.value.tolist() == pytest.approx([expected[2], expected[0]], rel=1e-10)
