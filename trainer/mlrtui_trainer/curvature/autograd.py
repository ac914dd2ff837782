"""The same operators by automatic differentiation: for models without a derivation by hand, and as their check.

Lanes share no parameters, so differentiating the sum of their losses twice gives every lane's own product.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["AutogradCurvature"]


@dataclass(frozen=True)
class AutogradCurvature:
    """Hessian or Gauss-Newton of ``loss(model(flat))`` at ``flat`` [lanes, size]; that of half squares is the NTK.

    model: [lanes, size] → f [lanes, samples, outputs]; loss: f → [lanes], the mean over samples of each lane.
    """

    model: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor], Tensor]
    flat: Tensor
    gauss_newton: bool

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
        with torch.enable_grad():
            flat = self.flat.detach().clone().requires_grad_()
            f = self.model(flat)
            if not self.gauss_newton:
                (grad,) = torch.autograd.grad(self.loss(f).sum(), flat, create_graph=True)
                return torch.autograd.grad(grad, flat, v)[0]
            # Jv as the derivative by u of <Jᵀu, v>: two backward passes instead of a forward-mode rule per operation
            u = torch.zeros_like(f, requires_grad=True)
            (pulled,) = torch.autograd.grad(f, flat, u, create_graph=True)
            (tangent,) = torch.autograd.grad(pulled, u, v, retain_graph=True)  # [lanes, samples, outputs]
            detached = f.detach().requires_grad_()
            (signal,) = torch.autograd.grad(self.loss(detached).sum(), detached, create_graph=True)
            (curved,) = torch.autograd.grad(signal, detached, tangent)
            return torch.autograd.grad(f, flat, curved)[0]

    def select(self, keep: Tensor) -> "AutogradCurvature":
        """Not offered: a model may close over data of its own lanes. Raises NotImplementedError."""
        raise NotImplementedError("build the operator again for fewer lanes")
