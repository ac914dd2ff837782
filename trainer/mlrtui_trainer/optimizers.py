"""Optimizers of stacked lanes: what a step does with the loss's signal, and what it keeps for the next one.

Every lane has its own learning rate η, every layer its multiplier. Products and sums are separate operations: fused
ones would round by a number's place in the batch.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from math import sqrt
from typing import Protocol

import torch
from torch import Tensor

from mlrtui_trainer.models.base import Model, Trace, Weights, flatten
from mlrtui_trainer.spec import OPTIMIZER_SETTINGS, TrainSpec

__all__ = ["STATES", "Adam", "HeavyBall", "Optimizer", "Plain", "optimizer_of"]

STATES = dict(zip(OPTIMIZER_SETTINGS, (0, 2, 3), strict=True))
"""Tensors of the weights' size that an optimizer holds during a step, beside the weights themselves."""


class Optimizer(Protocol):
    """How some lanes move. Lanes are numbered as the weights stack them."""

    rates: Tensor
    """What tells lanes apart, [lanes, 1, 1]: the learning rate, by some factor. Where it is zero a lane stays."""

    @property
    def ready(self) -> bool:
        """Whether the operator that decides stability is known before the next step."""

    def descend_(self, weights: Weights, trace: Trace, signal: Tensor) -> None:
        """One step in place; ``signal`` [lanes, samples, outputs] is d loss / d f of each sample of the batch."""

    def diagonal(self) -> Tensor | None:
        """What the curvature is preconditioned by beside the layers' rates, [lanes, n_params]; None: nothing."""

    def memory(self, weights: Weights) -> tuple[Weights, ...]:
        """What it remembers from step to step, for steps that are taken elsewhere and change it in place."""

    def advance(self, steps: int) -> None:
        """Count steps that were taken elsewhere."""

    def clock(self) -> Tensor | None:
        """Count steps in this number on the device from now on; None: no step depends on how many there were."""

    def select(self, keep: Tensor) -> "Optimizer":
        """The optimizer of the lanes with these numbers."""


def optimizer_of(model: Model, train: TrainSpec, etas: Sequence[float], dtype: torch.dtype, device: str) -> Optimizer:
    """The optimizer that a spec names, before its first step. Raises ValueError for one that is not built."""
    if train.optimizer not in STATES:
        raise ValueError(f"optimizer {train.optimizer!r} is not built: use one of {', '.join(STATES)}")
    eta = torch.tensor(list(etas), dtype=torch.float64)[:, None, None]  # [lanes, 1, 1]
    if train.optimizer == "sgd":
        return Plain(model, (-eta / train.batch).to(dtype).to(device))
    eta = eta.to(dtype).to(device)
    if train.optimizer == "momentum":
        return HeavyBall(model, eta, train.batch, train.momentum)
    return Adam(model, eta, train.batch, train.beta1, train.beta2, train.eps)


class Plain:
    """Gradient descent w ← w − η g, without a gradient ever stored."""

    ready = True

    def __init__(self, model: Model, factor: Tensor) -> None:
        self._model = model
        self.rates = factor  # [lanes, 1, 1], -η/batch

    def descend_(self, weights: Weights, trace: Trace, signal: Tensor) -> None:
        """See `Optimizer`."""
        self._model.descend_(weights, trace, signal * self.rates)

    def diagonal(self) -> None:
        """See `Optimizer`."""

    def memory(self, weights: Weights) -> tuple[()]:
        """See `Optimizer`."""
        return ()

    def advance(self, steps: int) -> None:
        """See `Optimizer`."""

    def clock(self) -> None:
        """See `Optimizer`."""

    def select(self, keep: Tensor) -> "Plain":
        """See `Optimizer`."""
        return Plain(self._model, self.rates[keep])


class HeavyBall:
    """Heavy-ball momentum v ← βv + g, w ← w − ηv (Polyak 1964), v zero at the start: torch's, without dampening."""

    ready = True

    def __init__(self, model: Model, eta: Tensor, batch: int, beta: float) -> None:
        self._model, self.rates, self._batch, self._beta = model, eta, batch, beta
        self._velocity: Weights | None = None

    def descend_(self, weights: Weights, trace: Trace, signal: Tensor) -> None:
        """See `Optimizer`."""
        fresh = self._model.gradient(weights, trace, signal / self._batch)
        if self._velocity is None:
            self._velocity = fresh
        else:
            for v, g in _pairs(self._velocity, fresh):
                v.mul_(self._beta).add_(g)
        _move_(self._model, weights, self._velocity, -self.rates)

    def diagonal(self) -> None:
        """See `Optimizer`."""

    def memory(self, weights: Weights) -> tuple[Weights]:
        """See `Optimizer`: the velocity."""
        self._velocity = _mapped(weights, torch.zeros_like) if self._velocity is None else self._velocity
        return (self._velocity,)

    def advance(self, steps: int) -> None:
        """See `Optimizer`."""

    def clock(self) -> None:
        """See `Optimizer`."""

    def select(self, keep: Tensor) -> "HeavyBall":
        """See `Optimizer`."""
        part = copy(self)
        part.rates = self.rates[keep]
        part._velocity = None if self._velocity is None else self._velocity.select(keep)
        return part


class Adam:
    """Adam (Kingma and Ba 2015) with both corrections for the zero start: w ← w − η m̂ / (√v̂ + ε)."""

    def __init__(self, model: Model, eta: Tensor, batch: int, beta1: float, beta2: float, eps: float) -> None:
        self._model, self.rates, self._batch = model, eta, batch
        self._beta1, self._beta2, self._eps = beta1, beta2, eps
        self._steps: int | Tensor = 0
        self._mean: Weights | None = None
        self._square: Weights | None = None

    @property
    def ready(self) -> bool:
        """See `Optimizer`: without any gradient there is no second moment."""
        return bool(self._steps > 0)

    def descend_(self, weights: Weights, trace: Trace, signal: Tensor) -> None:
        """See `Optimizer`."""
        fresh = self._model.gradient(weights, trace, signal / self._batch)
        square = _mapped(fresh, lambda g: g * g)
        self._mean = _averaged(self._mean, fresh, self._beta1)
        self._square = _averaged(self._square, square, self._beta2)
        self._steps += 1
        step = _mapped(self._mean, lambda m: m / (1.0 - self._beta1**self._steps))
        for m, scale in _pairs(step, _mapped(self._square, self._scale)):
            m.mul_(scale)
        _move_(self._model, weights, step, -self.rates)

    def diagonal(self) -> Tensor | None:
        """1/(√v̂ + ε) of the last step: with the layers' rates, the effective sharpness of Cohen et al. (2022)."""
        return None if self._square is None else flatten(_mapped(self._square, self._scale))

    def memory(self, weights: Weights) -> tuple[Weights, Weights]:
        """See `Optimizer`: first and second moment."""
        if self._mean is None or self._square is None:
            self._mean, self._square = (_mapped(weights, torch.zeros_like) for _ in range(2))
        return self._mean, self._square

    def advance(self, steps: int) -> None:
        """See `Optimizer`."""
        self._steps += steps

    def clock(self) -> Tensor:
        """See `Optimizer`."""
        self._steps = torch.tensor(float(self._steps), dtype=torch.float64, device=self.rates.device)
        return self._steps

    def select(self, keep: Tensor) -> "Adam":
        """See `Optimizer`."""
        part = copy(self)
        part.rates = self.rates[keep]
        part._mean = None if self._mean is None else self._mean.select(keep)
        part._square = None if self._square is None else self._square.select(keep)
        return part

    def _scale(self, square: Tensor) -> Tensor:
        part: float | Tensor = 1.0 - self._beta2**self._steps
        root = part.sqrt() if isinstance(part, Tensor) else sqrt(part)
        return square.sqrt().div_(root).add_(self._eps).reciprocal_()


def _averaged(old: Weights | None, new: Weights, beta: float) -> Weights:
    """β·old + (1 − β)·new, in the memory of either."""
    for fresh in (*new.w, *new.b):
        fresh.mul_(1.0 - beta)
    if old is None:
        return new
    for total, fresh in _pairs(old, new):
        total.mul_(beta).add_(fresh)
    return old


def _move_(model: Model, weights: Weights, step: Weights, factor: Tensor) -> None:
    """weights += rate·factor·step, layer by layer; ``factor`` [lanes, 1, 1]. A frozen layer stays."""
    for layer, rate in enumerate(model.rate):
        if rate != 0.0:
            w, by = weights.w[layer], factor * rate
            w.add_(step.w[layer] * by.reshape(-1, *[1] * (w.ndim - 1)))
            if weights.b:
                weights.b[layer].add_(step.b[layer] * by)


def _pairs(a: Weights, b: Weights) -> Iterable[tuple[Tensor, Tensor]]:
    return zip((*a.w, *a.b), (*b.w, *b.b), strict=True)


def _mapped(weights: Weights, function: Callable[[Tensor], Tensor]) -> Weights:
    return Weights(tuple(map(function, weights.w)), tuple(map(function, weights.b)))
