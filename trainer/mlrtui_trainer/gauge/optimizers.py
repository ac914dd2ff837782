"""Of torch's optimizers, by their present state: what preconditions the curvature, and where a linear edge lies."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mlrtui_trainer.curvature.edges import edge as linear_edge
from mlrtui_trainer.gauge.closure import Closure
from mlrtui_trainer.gauge.products import joined

__all__ = ["Preconditioner", "Snapshot", "preconditioner", "snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """What an optimizer was at some step: its kind, its groups and copies of its state."""

    name: str
    param_groups: Sequence[Mapping[str, Any]]
    state: Mapping[Tensor, Mapping[str, Any]]


def snapshot(optimizer: Optimizer, *, state: bool = True) -> Snapshot:
    """Copy groups, and ``state`` where asked for: 2 numbers a parameter for Adam."""
    groups = [dict(group) for group in optimizer.param_groups]
    copied = {
        p: {key: value.detach().clone() if isinstance(value, Tensor) else value for key, value in held.items()}
        for p, held in (optimizer.state.items() if state else ())
    }
    return Snapshot(type(optimizer).__name__, groups, copied)


@dataclass(frozen=True)
class Preconditioner:
    """How an optimizer turns the gradient into a step of its first group's learning rate η.

    Linear dynamics are stable while λ(P^½ (H + W) P^½) stays below ``edge``, with P = ``diagonal`` and W = ``decay``.
    """

    name: str
    eta: float  # learning rate of the first group
    diagonal: Tensor | None  # [size]; None: ones
    decay: Tensor | None  # [size], coupled weight decay; None: none
    edge: float  # NaN: there is no linear edge
    why: str = ""  # why there is none

    @property
    def is_plain(self) -> bool:
        """Whether the matrix is the Hessian itself."""
        return self.diagonal is None and self.decay is None


Diagonal = Callable[[Mapping[str, Any], Mapping[str, Any], Tensor], Tensor | None]


def preconditioner(optimizer: Optimizer | Snapshot, closure: Closure) -> Preconditioner:
    """Read an optimizer's groups and state; never changes them.

    Factors and sources: docs/numerics.md#edges. Groups may differ in their learning rates, which enter P by their ratio
    to the first; where they differ in what sets the edge (momentum, betas), there is none.
    """
    name = optimizer.name if isinstance(optimizer, Snapshot) else type(optimizer).__name__
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    missing = [n for n, p in zip(closure.names, closure.parameters, strict=True) if id(p) not in groups]
    eta = float(optimizer.param_groups[0]["lr"])
    if missing:
        return Preconditioner(name, eta, None, None, nan, f"{missing[0]} is not a parameter of this optimizer")
    if name not in _FACTORS:
        return Preconditioner(name, eta, None, None, nan, f"{name} has no linear edge that is known here")
    used = [groups[id(p)] for p in closure.parameters]
    factors = {_FACTORS[name](group) for group in used}
    if len(factors) > 1:
        return Preconditioner(name, eta, None, None, nan, "its groups have several edges")
    (factor,) = factors
    if isnan(factor):
        return Preconditioner(name, eta, None, None, nan, "its momentum is not below 1")
    if eta <= 0.0:
        return Preconditioner(name, eta, None, None, nan, "the learning rate is 0")
    parts: list[Tensor] = []
    for label, p, group in zip(closure.names, closure.parameters, used, strict=True):
        part = _DIAGONALS[name](group, optimizer.state.get(p, {}), p)
        if part is None:
            return Preconditioner(name, eta, None, None, nan, f"it has no state for {label} before its first step")
        parts.append(part * (float(group["lr"]) / eta))
    decays = [float(group.get("weight_decay", 0.0)) for group in used]
    diagonal = _real_joined(parts, closure.parameters)
    plain = bool((diagonal == 1.0).all())
    edge = factor / eta
    decay = None
    if any(decays):
        if _decoupled(name, used):
            if len(set(decays)) == 1:
                edge -= decays[0] * factor / 2.0
        else:
            filled = [torch.full_like(part, w) for part, w in zip(parts, decays, strict=True)]
            decay = _real_joined(filled, closure.parameters)
    return Preconditioner(name, eta, None if plain else diagonal, decay, edge)


def _real_joined(parts: Sequence[Tensor], like: Iterable[Tensor]) -> Tensor:
    return joined([torch.complex(d, d) if p.is_complex() else d for d, p in zip(parts, like, strict=True)])


def _ones(group: Mapping[str, Any], state: Mapping[str, Any], p: Tensor) -> Tensor:
    return torch.ones_like(p, dtype=p.real.dtype)


def _adam(group: Mapping[str, Any], state: Mapping[str, Any], p: Tensor) -> Tensor | None:
    if "exp_avg_sq" not in state:
        return None
    beta1, beta2 = (float(beta) for beta in group["betas"])
    steps = float(state["step"])
    square = state["max_exp_avg_sq" if group.get("amsgrad") else "exp_avg_sq"]
    assert isinstance(square, Tensor)
    root = (square / (1.0 - beta2**steps)).sqrt()
    diagonal: Tensor = 1.0 / ((1.0 - beta1**steps) * (root + float(group["eps"])))
    return diagonal


def _rmsprop(group: Mapping[str, Any], state: Mapping[str, Any], p: Tensor) -> Tensor | None:
    if "square_avg" not in state:
        return None
    square = state["square_avg"]
    assert isinstance(square, Tensor)
    if group.get("centered"):
        mean = state["grad_avg"]
        assert isinstance(mean, Tensor)
        square = square - mean * mean
    diagonal: Tensor = 1.0 / (square.sqrt() + float(group["eps"]))
    return diagonal


def _linear(name: str, beta: float) -> float:
    """Of optimizers that have an edge; NaN for a momentum whose velocity never decays."""
    found = linear_edge(name, beta) if beta < 1.0 else None
    return nan if found is None else found


def _sgd_factor(group: Mapping[str, Any]) -> float:
    beta = float(group["momentum"])
    if group["nesterov"]:
        return _linear("nesterov", beta)
    return _linear("momentum", beta) / (1.0 - float(group["dampening"])) if beta else _linear("sgd", 0.0)


def _adam_factor(group: Mapping[str, Any]) -> float:
    return _linear("adam", float(group["betas"][0]))


def _decoupled(name: str, groups: Sequence[Mapping[str, Any]]) -> bool:
    return name == "AdamW" or any(bool(group.get("decoupled_weight_decay")) for group in groups)


_DIAGONALS: dict[str, Diagonal] = {"SGD": _ones, "Adam": _adam, "AdamW": _adam, "RMSprop": _rmsprop}
_FACTORS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "SGD": _sgd_factor,
    "Adam": _adam_factor,
    "AdamW": _adam_factor,
    "RMSprop": lambda group: _linear("momentum", float(group["momentum"])),
}
