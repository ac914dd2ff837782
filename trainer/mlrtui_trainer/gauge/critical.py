"""Critical sharpness (Kalra et al. 2026): how far the loss of a batch goes down along an update before it rises.

Forward passes only: it works with fused attention and compiled models, and asks for no second derivative.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Any

import torch
from torch import Tensor, nn

from mlrtui_trainer.gauge.closure import Closure, LossFunction, local, undisturbed

__all__ = ["CriticalSharpness", "critical_sharpness", "directions"]

DOUBLINGS = 40
ROUNDING = 0.02
"""Relative error of the moved weights, by rounding, beyond which a step is not the one that was asked for."""


@dataclass(frozen=True)
class CriticalSharpness:
    """2/η_c, with η_c the smallest multiple of the direction at which the loss exceeds that of the present weights."""

    value: float
    """2/√(η_low·η_high); NaN where nothing was found."""

    low: float
    """2/η_high."""

    high: float
    """2/η_low: no smaller step that was tried raised the loss. Infinite where the loss rises at once."""

    forwards: int
    """Forward passes of the search."""

    status: str
    """"found" · "no-descent" (the direction does not lower the loss to first order) · "never-rises" (``high`` is a
    bound, nothing else is known) · "direction-lost" (weights round the steps away) · "budget" · "nonfinite"."""

    loss: float
    """Of the batch, at the present weights."""

    @property
    def eta_low(self) -> float:
        """The largest tried step below which no tried step raised the loss."""
        return 2.0 / self.high

    @property
    def eta_high(self) -> float:
        """The smallest tried step that raised it."""
        return 2.0 / self.low


def critical_sharpness(
    model: nn.Module,
    loss_fn: LossFunction,
    batch: Any,
    direction: Mapping[str, Tensor] | Iterable[Tensor],
    *,
    start: float = 1e-3,
    tolerance: float = 0.1,
    max_forwards: int = 60,
    gradient: Iterable[Tensor | None] | None = None,
) -> CriticalSharpness:
    """Search along θ − η·direction for the η at which ``loss_fn(model, batch)`` first exceeds its value at θ.

        c = mlrtui.critical_sharpness(model, loss_fn, batch, [p.grad for p in model.parameters()])
        c.value, c.low, c.high

    Doubles η from ``start`` while the loss does not rise (or halves it while it does), then bisects. NaN and infinity
    count as a rise. Weights are put back by copy, to the bit; buffers, modes and random states too. Of a model that is
    sharded by FSDP all processes call this together, each with its share of the batch: the loss is the mean over them.

    Args:
        model, loss_fn, batch: as for `sharpness`.
        direction: d of the update θ' = θ − η d, for every trained parameter: in the order of ``model.parameters()``,
            or by name. For plain gradient descent it is the gradient.
        start: η at which the search begins: the present learning rate, or the last η_c.
        tolerance: the bracket is closed when η_high/η_low ≤ 1 + tolerance.
        max_forwards: the budget.
        gradient: of the same loss; with it, a direction that does not descend is told without a forward pass.

    Raises:
        MeasureError: as for `sharpness`, but for second derivatives.
        ValueError: the direction is zero, or does not fit the parameters.
    """
    if not (start > 0.0 and isfinite(start) and tolerance > 0.0 and max_forwards >= 2):
        raise ValueError("start and tolerance must be above 0, and max_forwards at least 2")
    with undisturbed(model), torch.no_grad():
        closure = Closure(model, loss_fn, batch, sharded=True)
        along = [local(d) for d in directions(closure, direction)]
        if not closure.summed(float(any(bool(d.any()) for d in along))):
            raise ValueError("the direction is zero")
        if gradient is not None and _descent(closure, gradient, along) <= 0.0:
            return CriticalSharpness(nan, nan, nan, 0, "no-descent", nan)
        loss = closure.check_reproducible(finite=False)
        if not isfinite(loss):
            return CriticalSharpness(nan, nan, nan, 0, "nonfinite", loss)
        search = _Search(closure, along, loss, max_forwards)
        try:
            low, high, status = search.run(start, tolerance)
        finally:
            search.back()
    both = low > 0.0 and isfinite(high)
    value = 2.0 / (low * high) ** 0.5 if both else nan
    bound_low = 2.0 / high if isfinite(high) else 0.0
    bound_high = 2.0 / low if low > 0.0 else inf
    if status in ("direction-lost", "no-descent"):
        value = bound_low = bound_high = nan
    return CriticalSharpness(value, bound_low, bound_high, search.forwards, status, loss)


class _Search:
    """Losses along one ray, and a bracket of where they exceed that of its start."""

    def __init__(self, closure: Closure, along: list[Tensor], loss: float, budget: int) -> None:
        self._closure, self._along, self._loss, self._budget = closure, along, loss, budget
        self._moved = [local(p.detach()) for p in closure.parameters]
        self._there = [p.clone() for p in self._moved]
        self.forwards = 0

    def run(self, eta: float, tolerance: float) -> tuple[float, float, str]:
        """(η_low, η_high, status); η_low 0: every tried step raises the loss; η_high infinite: none does."""
        low, high = 0.0, inf
        tried = 0
        while not (low > 0.0 and high < inf):
            if self._lost(eta):
                return low, high, "direction-lost"
            if self.forwards >= self._budget:
                return low, high, "budget"
            if tried > DOUBLINGS:
                return low, high, "never-rises" if high == inf else "no-descent"
            tried += 1
            if self._rises(eta):
                high, eta = eta, eta / 2.0
            else:
                low, eta = eta, eta * 2.0
        while high > low * (1.0 + tolerance):
            if self.forwards >= self._budget:
                return low, high, "budget"
            middle = (low * high) ** 0.5
            if self._rises(middle):
                high = middle
            else:
                low = middle
        return low, high, "found"

    def back(self) -> None:
        """The weights as they were, to the bit."""
        for p, there in zip(self._moved, self._there, strict=True):
            p.copy_(there)

    def _rises(self, eta: float) -> bool:
        for p, there, d in zip(self._moved, self._there, self._along, strict=True):
            torch.add(there, d, alpha=-eta, out=p)
        self.forwards += 1
        loss = self._closure.value()
        return not loss <= self._loss

    def _lost(self, eta: float) -> bool:
        """Whether rounding of the moved weights is a large part of the step."""
        error = size = 0.0
        for there, d in zip(self._there, self._along, strict=True):
            moved = (there - eta * d) - there
            error += float((moved + eta * d).abs().double().square().sum())
            size += float((eta * d).abs().double().square().sum())
        return self._closure.summed(error) > ROUNDING**2 * self._closure.summed(size)


def directions(closure: Closure, direction: Mapping[str, Tensor] | Iterable[Tensor | None]) -> list[Tensor]:
    """One tensor for each trained parameter; None is zero."""
    if isinstance(direction, Mapping):
        missing = [name for name in closure.names if name not in direction]
        if missing:
            raise ValueError(f"the direction has no entry for {missing[0]}")
        given: list[Tensor | None] = [direction[name] for name in closure.names]
    else:
        given = list(direction)
        every = list(closure.model.parameters())
        if len(given) == len(every) != len(closure.parameters):
            given = [d for d, p in zip(given, every, strict=True) if p.requires_grad]
    if len(given) != len(closure.parameters):
        raise ValueError(f"the direction has {len(given)} tensors, but {len(closure.parameters)} are trained")
    found = []
    for name, p, d in zip(closure.names, closure.parameters, given, strict=True):
        if d is not None and d.shape != p.shape:
            raise ValueError(f"the direction of {name} has shape {list(d.shape)}, not {list(p.shape)}")
        found.append(torch.zeros_like(p) if d is None else d.detach().to(p).clone())
    return found


def _descent(closure: Closure, gradient: Iterable[Tensor | None], along: list[Tensor]) -> float:
    pairs = zip(directions(closure, gradient), along, strict=True)
    return closure.summed(sum(float((local(g).conj() * d).real.double().sum()) for g, d in pairs))
