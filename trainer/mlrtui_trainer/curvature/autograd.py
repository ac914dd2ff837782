"""The same operators by automatic differentiation: for models without a derivation by hand, and as their check.

Lanes share no parameters, so differentiating the sum of their losses twice gives every lane's own product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

__all__ = ["AutogradCurvature", "PieceByPiece"]


@dataclass(frozen=True)
class AutogradCurvature:
    """Hessian or Gauss-Newton of ``loss(model(flat))`` at ``flat`` [lanes, size]; that of half squares is the NTK.

    model: [lanes, size] → f [lanes, samples, outputs]; loss: f → [lanes], the mean over samples of each lane. Both take
    any number of lanes, and treat all alike. Where there are ``nets``, the model takes those of its lanes as second
    argument.
    """

    model: Callable[..., Tensor]
    loss: Callable[[Tensor], Tensor]
    flat: Tensor
    gauss_newton: bool
    keeps: bool = True  # what no product changes, in memory; else it is computed again for each
    nets: tuple[Any, ...] = ()  # what lanes differ in beside parameters (`General.keys`)
    repeats: bool = False  # whether products may be recorded as a CUDA graph: nothing in them depends on the host

    @property
    def lanes(self) -> int:
        """Number of stacked lanes."""
        return self.flat.shape[0]

    @property
    def size(self) -> int:
        """Parameters of one lane."""
        return self.flat.shape[1]

    def apply(self, v: Tensor) -> Tensor:
        """A v per lane: [lanes, size] → [lanes, size]."""
        with torch.inference_mode(False), torch.enable_grad():
            flat, f, u, pulled = self._graph if self.keeps else self._recorded()
            if not self.gauss_newton:
                return torch.autograd.grad(pulled, flat, v, retain_graph=True)[0]
            tangent = _tangent(pulled, u, v)
            detached = f.detach().requires_grad_()
            (signal,) = torch.autograd.grad(self.loss(detached).sum(), detached, create_graph=True)
            (curved,) = torch.autograd.grad(signal, detached, tangent)
            return torch.autograd.grad(f, flat, curved, retain_graph=True)[0]

    def outputs(self, flat: Tensor) -> Tensor:
        """f at these parameters, [lanes, samples, outputs]."""
        with torch.inference_mode(False), torch.enable_grad():
            return self._model(flat.detach().clone()).detach()

    def gradient(self, flat: Tensor) -> Tensor:
        """The gradient of the mean loss at these parameters, [lanes, size]."""
        with torch.inference_mode(False), torch.enable_grad():
            at = flat.detach().clone().requires_grad_()
            return torch.autograd.grad(self.loss(self._model(at)).sum(), at)[0]

    def tangent(self, v: Tensor) -> Tensor:
        """J v as Gauss-Newton products find it, [lanes, samples, outputs]; of a Gauss-Newton operator only."""
        with torch.inference_mode(False), torch.enable_grad():
            _, _, u, pulled = self._graph
            return _tangent(pulled, u, v)

    def pulled_back(self, u: Tensor) -> Tensor:
        """Jᵀ u, [lanes, size]."""
        with torch.inference_mode(False), torch.enable_grad():
            flat, f, _, _ = self._graph
            return torch.autograd.grad(f, flat, u, retain_graph=True)[0]

    def prepare(self) -> None:
        """Find what all products share now, where it is kept; else the first product does."""
        if self.keeps:
            self.recorded()

    def recorded(self) -> Tensor:
        """What products differentiate once more: the gradient (Hessian) or Jᵀu, with its graph."""
        with torch.inference_mode(False), torch.enable_grad():
            return self._graph[3]

    def _model(self, flat: Tensor) -> Tensor:
        return self.model(flat, self.nets) if self.nets else self.model(flat)

    @cached_property
    def _graph(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self._recorded()

    def _recorded(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What no product changes, recorded: flat, f, u, and Jᵀu (Gauss-Newton) or the gradient (Hessian)."""
        flat = self.flat.detach().clone().requires_grad_()
        f = self._model(flat)
        u = torch.zeros_like(f, requires_grad=True)
        of, by = (f, u) if self.gauss_newton else (self.loss(f).sum(), None)
        (pulled,) = torch.autograd.grad(of, flat, by, create_graph=True)
        return flat, f, u, pulled

    def select(self, keep: Tensor) -> "AutogradCurvature":
        """The operator of the lanes with these numbers."""
        nets = tuple(self.nets[i] for i in keep.cpu().tolist()) if self.nets else ()
        return replace(self, flat=self.flat[keep], nets=nets)


def _tangent(pulled: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Jv as the derivative by u of <Jᵀu, v>: two backward passes instead of a forward-mode rule per operation."""
    return torch.autograd.grad(pulled, u, v, retain_graph=True)[0]  # [lanes, samples, outputs]


@dataclass(frozen=True)
class PieceByPiece:
    """The curvature of a mean over more samples than are looked at in one go: that of each piece, by its share."""

    parts: Sequence[AutogradCurvature]
    shares: Sequence[float]

    @property
    def lanes(self) -> int:
        """Number of stacked lanes."""
        return self.parts[0].lanes

    @property
    def size(self) -> int:
        """Parameters of one lane."""
        return self.parts[0].size

    def apply(self, v: Tensor) -> Tensor:
        """A v per lane: [lanes, size] → [lanes, size]."""
        total = torch.zeros_like(v)
        for part, share in zip(self.parts, self.shares, strict=True):
            total += part.apply(v).mul_(share)
        return total

    def select(self, keep: Tensor) -> "PieceByPiece":
        """The operator of the lanes with these numbers."""
        return replace(self, parts=[part.select(keep) for part in self.parts])
