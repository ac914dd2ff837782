"""Products with the Hessian, the Gauss-Newton matrix and the NTK; for fully connected nets derived by hand.

One interface: vectors [lanes, n_params] in, vectors out; lanes share nothing, so the operator is block-diagonal.
Everything that does not depend on the vector is computed once per weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.gemm import matmul
from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.losses import LOSSES, Loss
from mlrtui_trainer.models.mlp import Mlp, Trace, forward, unflatten

__all__ = [
    "OPERATORS",
    "LaneByLane",
    "MlpCurvature",
    "Operator",
    "Preconditioned",
    "curvature",
    "preconditioned",
]

OPERATORS = ("gauss-newton", "hessian", "ntk")

LARGE_OUTPUT = 1e3
"""Outputs of single precision beyond this have errors that a softmax turns into errors of its probabilities."""


class Operator(Protocol):
    """A symmetric matrix per lane, known by its products."""

    @property
    def lanes(self) -> int:
        """Number of stacked lanes."""

    @property
    def size(self) -> int:
        """Rows of each lane's matrix."""

    def apply(self, v: Tensor) -> Tensor:
        """A v per lane: [lanes, size] → [lanes, size]."""

    def select(self, keep: Tensor) -> "Operator":
        """The operator of the lanes with these numbers."""


def curvature(model: Model, weights: Weights, x: Tensor, y: Tensor, loss: str, operator: str) -> Operator:
    """The operator of the mean loss over samples x [samples, inputs], y [samples, outputs] at these weights.

    "gauss-newton" is Jᵀ H J / samples with H the loss's second derivative by the outputs; "hessian" adds the term of
    the network's own second derivative (zero at ReLU's kinks). "ntk" is Jᵀ J / samples, whose non-zero eigenvalues are
    those of the tangent kernel J Jᵀ / samples: under mse, whose H is the identity, it is the Gauss-Newton matrix; under
    ce, whose H is at most ½, it is at least twice as large and no curvature of the loss. Raises ValueError for another
    name, TypeError for a model without products.
    """
    if operator not in OPERATORS:
        raise ValueError(f"operator {operator!r} is not built: use one of {', '.join(OPERATORS)}")
    full, of = operator == "hessian", LOSSES["mse" if operator == "ntk" else loss]
    if isinstance(model, General):
        return model.curvature(weights, x, y, of, full)
    if not isinstance(model, Mlp):
        raise TypeError(f"products are not known for {type(model).__name__}")
    if weights.lanes == 1 or x.device.type != "cpu" or model.runs_together(x.shape[0], x.element_size()):
        return MlpCurvature(model, weights, x[None], y[None], of, full)
    return LaneByLane([MlpCurvature(model, weights.lane(i), x[None], y[None], of, full) for i in range(weights.lanes)])


def preconditioned(operator: Operator, scale: Tensor) -> Operator:
    """D^½ A D^½ with D = diag(scale): its 2/λ is the edge when parameter i has rate η·scale_i.

    scale ≥ 0 is [size], the same for all lanes (rates of layers), or [lanes, size] (an adaptive optimizer's diagonal).
    """
    if scale.device.type == "cpu" and bool((scale == 1.0).all()):  # elsewhere a look is a wait
        return operator
    return Preconditioned(operator, scale.sqrt())


@dataclass(frozen=True)
class Preconditioned:
    """R A R with R = diag(root)."""

    inner: Operator
    root: Tensor  # [size] or [lanes, size]

    @property
    def lanes(self) -> int:
        """Number of stacked lanes."""
        return self.inner.lanes

    @property
    def size(self) -> int:
        """Rows of each lane's matrix."""
        return self.inner.size

    def apply(self, v: Tensor) -> Tensor:
        """R A R v per lane: [lanes, size] → [lanes, size]."""
        return self.inner.apply(v * self.root).mul_(self.root)

    def select(self, keep: Tensor) -> "Preconditioned":
        """The operator of the lanes with these numbers."""
        return replace(self, inner=self.inner.select(keep), root=self.root[keep] if self.root.ndim == 2 else self.root)


@dataclass(frozen=True)
class LaneByLane:
    """Lanes whose matrices would start on different boundaries: each alone, so that each gets its own bits."""

    parts: Sequence["MlpCurvature"]

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return len(self.parts)

    @property
    def size(self) -> int:
        """Rows of each lane's matrix."""
        return self.parts[0].size

    def apply(self, v: Tensor) -> Tensor:
        """A v per lane: [lanes, size] → [lanes, size]."""
        return torch.cat([part.apply(v[i : i + 1]) for i, part in enumerate(self.parts)])

    def select(self, keep: Tensor) -> "LaneByLane":
        """The lanes with these numbers."""
        return LaneByLane([self.parts[i] for i in keep.tolist()])


@dataclass(frozen=True)
class Passes:
    """What all products with a net at its weights share."""

    h: tuple[Tensor, ...]  # hidden layers [lanes, samples, units]
    z: tuple[Tensor, ...]
    e: Tensor  # [lanes, samples, outputs]
    delta: tuple[Tensor, ...]  # per layer d loss / d z, [lanes, samples, out]; empty: Gauss-Newton
    back: tuple[Tensor, ...]  # per hidden layer d loss / d h, where the activation is curved

    def select(self, keep: Tensor) -> "Passes":
        """Those of the lanes with these numbers."""
        h = tuple(h[keep] for h in self.h)
        z = h if self.z is self.h else tuple(z[keep] for z in self.z)
        delta, back = (tuple(t[keep] for t in part) for part in (self.delta, self.back))
        return Passes(h, z, self.e[keep], delta, back)


@dataclass(frozen=True)
class MlpCurvature:
    """The R-operator (Pearlmutter 1994) and the Gauss-Newton product (Schraudolph 2002) of one net at its weights."""

    mlp: Mlp
    weights: Weights
    x: Tensor  # [1, samples, inputs], shared by all lanes
    y: Tensor  # [1, samples, outputs]
    loss: Loss
    full: bool  # the Hessian, else the Gauss-Newton matrix

    @cached_property
    def passes(self) -> Passes:
        """Forward pass and signals, found when they are first asked for: the compiled route finds its own."""
        return self._passes(*_started(self.mlp, self.weights, self.x, self.y, self.loss))

    def at_once(self) -> tuple["MlpCurvature", Tensor]:
        """The same with its passes found now, all in its own precision; and which lanes needed more, [lanes].

        Nothing of it waits for a device.
        """
        trace = forward(self.mlp, self.weights, self.x)
        part = replace(self)
        part.__dict__["passes"] = self._passes(trace, self.loss.start(trace.f, self.y))
        if self.x.dtype == torch.float64:
            return part, torch.zeros(self.lanes, dtype=torch.bool, device=self.x.device)
        return part, _has_large_outputs(trace)

    def _passes(self, trace: Trace, e: Tensor) -> Passes:
        h, z = trace.h[1:], trace.z if self.mlp.phi.keeps_z else trace.h[1:]
        if not self.full:
            return Passes(h, z, e, (), ())
        signal = self.loss.signal(e, self.y) / self.x.shape[1]
        return Passes(h, z, e, *_signals(self.mlp, self.weights, trace, signal))

    @property
    def lanes(self) -> int:
        """Number of stacked lanes."""
        return self.weights.lanes

    @property
    def size(self) -> int:
        """Rows of each lane's matrix."""
        return self.mlp.n_params

    def select(self, keep: Tensor) -> "MlpCurvature":
        """The operator of the lanes with these numbers."""
        part = replace(self, weights=self.weights.select(keep))
        if "passes" in self.__dict__:
            part.__dict__["passes"] = self.passes.select(keep)
        return part

    def apply(self, v: Tensor) -> Tensor:
        """A v per lane: [lanes, size] → [lanes, size]."""
        direction = unflatten(self.mlp, v)
        dots = self._tangents(direction)
        u = self.loss.curve(self.passes.e, dots[-1]) / self.x.shape[1]  # [lanes, samples, outputs]
        return self._pull_back(u, direction, dots)

    def _inputs(self, layer: int) -> Tensor:
        return self.x.expand(self.lanes, -1, -1) if layer == 0 else self.passes.h[layer - 1]

    def _tangents(self, direction: Weights) -> list[Tensor]:
        """ż of every layer along ``direction``; the last is ḟ = J v."""
        mlp, phi, dots = self.mlp, self.mlp.phi, []
        h_dot: Tensor | None = None
        for layer in range(mlp.layers):
            z_dot = matmul(self._inputs(layer), direction.w[layer].mT)  # [lanes, samples, out]
            if h_dot is not None:
                z_dot += matmul(h_dot, self.weights.w[layer].mT)
            if mlp.scale[layer] != 1.0:
                z_dot.mul_(mlp.scale[layer])
            if mlp.bias:
                z_dot.add_(direction.b[layer])
            dots.append(z_dot)
            if layer < mlp.layers - 1:
                h_dot = phi.pull(z_dot, self.passes.h[layer], self.passes.z[layer])
        return dots

    def _pull_back(self, u: Tensor, direction: Weights, dots: list[Tensor]) -> Tensor:
        """Jᵀ u, and for the Hessian the derivative of the back-propagated signals along the direction."""
        mlp, phi, at = self.mlp, self.mlp.phi, self.passes
        parts: list[Tensor] = []  # from the output layer to the input layer
        for layer in reversed(range(mlp.layers)):
            scale = mlp.scale[layer]
            if mlp.bias:
                parts.append(u.sum(1))
            push = u if scale == 1.0 else u * scale  # [lanes, samples, out]
            grad = matmul(push.mT, self._inputs(layer))  # [lanes, out, in]
            if layer == 0:
                parts.append(grad.flatten(1))
                break
            below = layer - 1
            pulled = matmul(push, self.weights.w[layer])  # [lanes, samples, in]
            if at.delta:
                signal = at.delta[layer] if scale == 1.0 else at.delta[layer] * scale
                h_dot = phi.pull(dots[below], at.h[below], at.z[below])
                grad += matmul(signal.mT, h_dot)
                pulled += matmul(signal, direction.w[layer])
            parts.append(grad.flatten(1))
            u = phi.pull(pulled, at.h[below], at.z[below])
            if at.delta and phi.bend is not None:
                u = u + phi.bend(at.h[below], at.z[below]) * dots[below] * at.back[below]
        return torch.cat(parts[::-1], dim=1)


def _started(mlp: Mlp, weights: Weights, x: Tensor, y: Tensor, loss: Loss) -> tuple[Trace, Tensor]:
    """The forward pass and the loss's ``e``; for lanes with large outputs done in double precision, then rounded.

    The softmax of outputs of 10⁵ knows their differences to 10⁻² only in single precision, and the curvature of a
    saturated net is all in the few samples between two classes.
    """
    trace = forward(mlp, weights, x)
    e = loss.start(trace.f, y)  # [lanes, samples, outputs]
    large = _has_large_outputs(trace)[:, None, None]  # [lanes, 1, 1]
    if x.dtype == torch.float64 or not bool(large.any()):
        return trace, e
    double = forward(mlp, weights.to(torch.float64), x.double())

    def better(fine: Sequence[Tensor], rough: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(torch.where(large, a.to(b.dtype), b) for a, b in zip(fine, rough, strict=True))

    h = (trace.h[0], *better(double.h[1:], trace.h[1:]))
    z = better(double.z, trace.z) if mlp.phi.keeps_z else h[1:]
    return Trace(h, z, trace.f), better((loss.start(double.f, y.double()),), (e,))[0]


def _has_large_outputs(trace: Trace) -> Tensor:
    """Which lanes have outputs beyond `LARGE_OUTPUT`, [lanes]."""
    return trace.f.abs().amax((1, 2)) > LARGE_OUTPUT


def _signals(mlp: Mlp, weights: Weights, trace: Trace, top: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Back-propagate d loss / d f: d loss / d z of every layer and d loss / d h of every hidden layer."""
    deltas: list[Tensor] = [top]  # [lanes, samples, out]
    backs: list[Tensor] = []  # [lanes, samples, in]
    for layer in reversed(range(1, mlp.layers)):
        back = matmul(deltas[0] * mlp.scale[layer], weights.w[layer])
        deltas.insert(0, mlp.phi.pull(back, trace.h[layer], trace.z[layer - 1]))
        backs.insert(0, back)
    return tuple(deltas), tuple(backs) if mlp.phi.bend is not None else ()
