"""Edges of stability, measured by running the optimizers' own iterations on quadratics."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from mlrtui_trainer.curvature.edges import edge, edge_of
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import Preconditioned, preconditioned
from mlrtui_trainer.models.base import Weights
from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.optimizers.stepping import optimizer_of
from mlrtui_trainer.spec import TrainSpec

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


class Quadratic:
    """The loss ½ wᵀ A w of one vector, in two layers whose rates differ; the signal, which must be 1, plays no part."""

    rate = (1.0, 0.3)

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = torch.from_numpy(matrix)

    def gradient(self, weights: Weights, trace: object, delta: Tensor) -> Weights:
        return Weights(tuple((self.matrix @ torch.cat(weights.w, 1)[0])[None].split(3, 1)))

    def descend_(self, weights: Weights, trace: object, delta: Tensor) -> None:
        gradient = self.gradient(weights, trace, delta)
        for w, g, rate in zip(weights.w, gradient.w, self.rate, strict=True):
            w.add_(g * delta[0] * rate)

    def advance_(self, weights: Weights, trace: object) -> None:
        """It has no state of its own."""


LINEAR = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "nesterov": torch.optim.SGD}
ADAPTIVE = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}


def twin(how: TrainSpec, eta: float, start: Tensor) -> tuple[torch.optim.Optimizer, list[torch.nn.Parameter]]:
    """torch's own optimizer and its parameters, at ``start``, with the layers' rates."""
    layers = [torch.nn.Parameter(part.clone()) for part in start.split(3)]
    groups = [{"params": [w], "lr": eta * rate} for w, rate in zip(layers, Quadratic.rate, strict=True)]
    own: dict[str, object] = {"weight_decay": how.weight_decay}
    if how.optimizer in ADAPTIVE:
        own |= {"eps": how.eps}
        own |= {"alpha": how.beta2} if how.optimizer == "rmsprop" else {"betas": (how.beta1, how.beta2)}
    elif how.optimizer != "sgd":
        own |= {"momentum": how.momentum, "nesterov": how.optimizer == "nesterov"}
    return (LINEAR | ADAPTIVE)[how.optimizer](groups, **own), layers


def sizes_at(how: TrainSpec, matrix: np.ndarray, eta: float, steps: int) -> list[float]:
    """|w| of a training on ½ wᵀ A w, which is torch's step by step."""
    model, start = Quadratic(matrix), 1e-9 * torch.ones(6, dtype=torch.float64)
    optimizer = optimizer_of(model, how, [eta], torch.float64, "cpu")  # type: ignore[arg-type]
    weights = Weights(tuple(part.clone()[None] for part in start.split(3)))
    theirs, layers = twin(how, eta, start)
    sizes = []
    for _ in range(steps):
        optimizer.descend_(weights, None, torch.ones(1, 1, 1, dtype=torch.float64))  # type: ignore[arg-type]
        sizes.append(float(torch.cat(weights.w, 1).norm()))
        if len(sizes) <= 50:
            theirs.zero_grad()
            w = torch.cat(layers)
            (0.5 * w @ model.matrix @ w).backward()
            theirs.step()
            torch.testing.assert_close(torch.cat(weights.w, 1)[0], torch.cat(layers).detach(), rtol=1e-9, atol=1e-24)
    return sizes


@pytest.mark.parametrize("decay", [0.0, 0.4])
@pytest.mark.parametrize("optimizer", [*LINEAR, *ADAPTIVE])
def test_training_is_stable_just_below_the_edge_and_not_just_above(optimizer: str, decay: float) -> None:
    """2 % below and above. Weights are so small that eps, which is 1, is all of an adaptive optimizer's denominator."""
    gen = np.random.default_rng(5)
    basis, _ = np.linalg.qr(gen.standard_normal((6, 6)))
    matrix = basis @ np.diag([5.0, 3.0, 2.0, 1.0, 0.5, 0.2]) @ basis.T
    how = TrainSpec("mse", 1, 1, 1, "float64", optimizer, 0.7, 0.7, 0.9, 1.0, decay)
    coupled = OPTIMIZERS[optimizer].decay == "coupled"
    rates = np.repeat(Quadratic.rate, 3)
    # coupled decay adds to λ; a decoupled one acts without the mean of gradients, (1 + β₁)/(1 − β₁) times as much
    shift = decay * (1.0 if coupled else (1.0 + how.beta1) / (1.0 - how.beta1))
    lam = np.linalg.eigvals(rates[:, None] * (matrix + shift * np.eye(6))).real.max()
    at = edge_of(how)
    assert at is not None
    below, above = (sizes_at(how, matrix, factor * at / lam, 600) for factor in (0.98, 1.02))
    assert max(below[-20:]) < 0.1 * max(below[:20])
    assert max(above[-20:]) > 10 * max(above[:20])


def test_muon_has_no_edge_and_takes_steps_of_one_size() -> None:
    how = TrainSpec("mse", 1, 1, 1, "float64", "muon")
    assert edge_of(how) is None
    gen = torch.Generator().manual_seed(2)
    for shape in ((2, 12, 30), (2, 30, 12), (2, 8, 4, 3, 3), (2, 1, 7)):
        g = torch.randn(shape, generator=gen, dtype=torch.float64)
        steps = []
        for scale in (1e-6, 1e3):
            state = (torch.zeros_like(g),)
            step = OPTIMIZERS["muon"].step
            assert step is not None
            steps.append(step(how, scale * g, state, 1).flatten(2))
        torch.testing.assert_close(steps[0], steps[1], rtol=1e-4, atol=1e-6)
        singular = torch.linalg.svdvals(steps[0]) / max(1.0, steps[0].shape[1] / steps[0].shape[2]) ** 0.5
        assert float(singular.min()) > 0.6
        assert float(singular.max()) < 1.3


def test_the_values_that_papers_quote() -> None:
    assert edge("sgd") == edge("momentum") == edge("adam") == 2.0
    assert edge("momentum", 0.9) == pytest.approx(3.8)
    assert edge("adam", 0.9) == pytest.approx(38.0)
    assert edge("nesterov", 0.9) == pytest.approx(3.8 / 2.8)


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
