"""Hessian-vector products of a closure by double backward, and whether they can be trusted."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from mlrtui_trainer.curvature.double_backward import (
    ALARM,
    ROUNDED,
    STEP,
    InDouble,
    custom_functions,
    relative,
    uncompiled,
    with_second_derivatives,
    wrong_layer,
)
from mlrtui_trainer.curvature.lanczos import start_vectors
from mlrtui_trainer.gauge.closure import Closure
from mlrtui_trainer.gauge.errors import AsymmetricCurvature, MeasureError, NotTwiceDifferentiable, WrongBatch

__all__ = ["Products", "joined", "split", "verified"]

ASYMMETRIC = 1e-3
"""Relative asymmetry of two products beyond which they are wrong; right ones stay below 2e-6 in single precision."""

SMALL = 2_000_000
"""Parameters up to which a model is compared with differences in double precision, whatever its graph holds."""

NEARER = 100.0
"""By this factor gradients are nearer to each other when a difference is taken again."""

REMEDY = (
    "write its backward pass with differentiable operations that start from saved inputs, or use torch's own functions"
)


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """One real vector of all numbers; complex ones as pairs."""
    return torch.cat([_real(t).reshape(-1) for t in tensors])


def split(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """The inverse of `joined`, in the shapes of ``like``."""
    parts, at = [], 0
    for one in like:
        shape = _real(one).shape
        piece = flat[at : at + shape.numel()].reshape(shape)
        at += shape.numel()
        parts.append(torch.view_as_complex(piece.contiguous()) if one.is_complex() else piece)
    return parts


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


class Products:
    """H v of the closure's loss at the present weights, from one graph that is kept. One lane of `Operator`."""

    lanes = 1

    def __init__(self, closure: Closure) -> None:
        """Raises NotTwiceDifferentiable, WrongBatch."""
        self.closure, self.size, self.count = closure, closure.size, 0
        loss = closure.graph()
        if not loss.requires_grad:
            raise WrongBatch("the loss does not depend on any parameter (is it detached, or computed under no_grad?)")
        self.functions = custom_functions(loss)
        if "CheckpointFunction" in self.functions:
            raise NotTwiceDifferentiable(
                "torch.utils.checkpoint with use_reentrant=True cannot be differentiated twice; use use_reentrant=False"
            )
        self.loss = float(loss.detach())
        try:
            self._grads = torch.autograd.grad(loss, closure.parameters, create_graph=True, allow_unused=True)
        except RuntimeError as error:
            raise _not_twice(error) from error
        if all(g is None for g in self._grads):
            raise WrongBatch("the loss reaches no parameter of the model")
        if any(_is_once(g) for g in self._grads if g is not None):
            raise NotTwiceDifferentiable(f"{self._culprit()} is once_differentiable: no second derivatives; {REMEDY}")

    @property
    def gradient(self) -> Tensor:
        """∇ loss, [size]; zero for parameters that the loss does not use."""
        pairs = zip(self._grads, self.closure.parameters, strict=True)
        return joined([torch.zeros_like(p) if g is None else g.detach() for g, p in pairs])

    def apply(self, v: Tensor) -> Tensor:
        """H v: [1, size] → [1, size]."""
        self.count += 1
        parts = split(v[0], self.closure.parameters)
        used = [(g, one) for g, one in zip(self._grads, parts, strict=True) if g is not None and g.requires_grad]
        if not used:
            return torch.zeros_like(v)
        try:
            found = torch.autograd.grad(
                [g for g, _ in used],
                self.closure.parameters,
                [one.to(g.dtype) for g, one in used],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        except RuntimeError as error:
            raise _not_twice(error) from error
        return joined([one.detach() for one in found])[None].to(v.dtype)

    def select(self, keep: Tensor) -> "Products":
        """There is one lane."""
        return self

    def _culprit(self) -> str:
        return self.functions[0] if self.functions else "an operation of the model"


def verified(closure: Closure, products: Products) -> str:
    """How the products were checked, in words; once in the life of a model for each set of custom Functions.

    Raises:
        AsymmetricCurvature: two products are not those of a symmetric matrix.
        NotTwiceDifferentiable: they differ from differences of gradients in double precision.
    """
    key = (tuple(products.functions), closure.mode, tuple(closure.names))
    known = _checked.setdefault(closure.model, {})
    if key not in known:
        known[key] = _verify(closure, products)
    return known[key]


_checked: "WeakKeyDictionary[nn.Module, dict[object, str]]" = WeakKeyDictionary()


def _verify(closure: Closure, products: Products) -> str:
    u, v = (_unit(closure.size, index, products.gradient) for index in range(2))
    a, b = float(u @ products.apply(v[None])[0]), float(v @ products.apply(u[None])[0])
    size = max(abs(a), abs(b))
    asymmetry = abs(a - b) / size if size else 0.0
    if asymmetry > ASYMMETRIC and size > 1e-6 * float(products.gradient.norm()):
        where = _place(closure, products)
        raise AsymmetricCurvature(f"products of {where} are asymmetric by {asymmetry:.1g}: {REMEDY}")
    if any(type(part).__name__ == "_SpectralNorm" and part.training for part in closure.model.modules()):
        # its power iteration is not differentiated: gradients and products agree with each other, not with the loss
        return f"symmetric to {asymmetry:.0e}; spectral_norm in train mode holds its vectors constant"
    if closure.size > SMALL and not products.functions:
        return f"symmetric to {asymmetry:.0e}"
    try:
        error = _error_in_double(closure, STEP)
        if error > ALARM:  # a kink of a ReLU between two gradients looks the same, but not from so near
            error = min(error, _error_in_double(closure, STEP / NEARER))
    except (MemoryError, torch.OutOfMemoryError):
        return f"symmetric to {asymmetry:.0e}; too large for differences in double precision"
    except MeasureError:
        raise
    except Exception as error_:
        return f"symmetric to {asymmetry:.0e}; does not run in double precision ({type(error_).__name__})"
    if error > ALARM:
        raise NotTwiceDifferentiable(
            f"second derivatives of {_place(closure, products)} are wrong by {error:.1g}, by differences of gradients "
            f"in double precision; {REMEDY}"
        )
    return f"differences of gradients in double precision, {error:.0e}"


class _Caller(nn.Module):
    """The loss as a module of which `functional_call` can replace every tensor of the model."""

    def __init__(self, closure: Closure) -> None:
        super().__init__()
        self.model, self._closure = closure.model, (closure,)

    def forward(self, batch: Any) -> Tensor:
        (closure,) = self._closure
        loss: Tensor = closure.loss_fn(self.model, batch)
        return loss


def _error_in_double(closure: Closure, step: float) -> float:
    """The larger relative error of H v and ∇ loss against central differences, along two directions."""
    caller = _Caller(closure)
    batch = _doubled(closure.batch)
    fixed = {
        f"model.{name}": _doubled(t.detach())
        for name, t in [*closure.model.named_parameters(), *closure.model.named_buffers()]
    }
    names = [f"model.{name}" for name in closure.names]
    at = joined([fixed[name] for name in names])
    shapes = [fixed[name] for name in names]

    def loss(flat: Tensor) -> Tensor:
        tensors = fixed | dict(zip(names, split(flat, shapes), strict=True))
        closure.restore()
        try:
            with torch.enable_grad(), with_second_derivatives(), InDouble(), uncompiled():
                buffers = {name: t.clone() for name, t in tensors.items() if name not in names}
                value: Tensor = torch.func.functional_call(caller, tensors | buffers, (batch,))
                scalar: Tensor = value.reshape(())
                return scalar
        finally:
            closure.restore()

    def slope(flat: Tensor, *, again: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        leaf = flat.detach().clone().requires_grad_()
        value = loss(leaf)
        if value.dtype != torch.float64:
            raise TypeError("the loss is not in double precision")
        (g,) = torch.autograd.grad(value, leaf, create_graph=again)
        return leaf, value.detach(), g

    leaf, _, g = slope(at, again=True)
    directions = [_unit(closure.size, 2, at)]
    if float(g.detach().norm()) > 0:
        directions.append(g.detach() / g.detach().norm())
    worst = 0.0
    for v in directions:
        (_, above, up), (_, below, down) = slope(at + step * v), slope(at - step * v)
        hv = torch.zeros_like(v)
        if g.requires_grad:
            (hv,) = torch.autograd.grad(g, leaf, v, retain_graph=True, materialize_grads=True)
        rounded = ROUNDED * STEP / step
        worst = max(worst, relative(hv, (up - down) / (2 * step), rounded * float(g.detach().norm())))
        first = torch.dot(g.detach(), v)[None]
        worst = max(worst, relative(first, ((above - below) / (2 * step))[None], rounded * float(above.abs())))
    return worst


def _doubled(value: Any) -> Any:
    """Every floating-point tensor within in double precision; structures of tuples, lists and dicts are kept."""
    if isinstance(value, Tensor):
        return value.to(torch.complex128 if value.is_complex() else torch.float64) if _is_inexact(value) else value
    if isinstance(value, dict):
        return type(value)({key: _doubled(one) for key, one in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_doubled, value))
    if isinstance(value, list | tuple):
        return type(value)(map(_doubled, value))
    return value


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _unit(size: int, index: int, like: Tensor) -> Tensor:
    """A random direction, other than that which a solve starts with."""
    return start_vectors([0], size, like.dtype, str(like.device), draw=1 + index)[0]


def _place(closure: Closure, products: Products) -> str:
    """The first layer whose own derivatives are wrong, else the first custom Function, for people."""
    try:
        fine = deepcopy(closure.model).double()
        with InDouble():
            found = wrong_layer(fine, lambda: closure.loss_fn(fine, _doubled(closure.batch)))
    except Exception:
        found = None
    finally:
        closure.restore()
    if found is None:
        return products._culprit()
    part, functions = found
    name = next((name for name, one in fine.named_modules() if one is part), "")
    kind = type(part).__name__
    return f"{kind} {name!r}" + (f" ({functions[0]})" if functions else "")


def _is_once(gradient: Tensor) -> bool:
    """Whether something in the graph of a gradient says that it cannot be differentiated again."""
    waiting, seen = [gradient.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "torch::autograd::Error":
            return True
        waiting += [parent for parent, _ in node.next_functions]
    return False


def _not_twice(error: RuntimeError) -> NotTwiceDifferentiable:
    text = " ".join(str(error).split())
    if "scaled_dot_product" in text or "flash" in text:
        return NotTwiceDifferentiable(
            f"a fused attention kernel that the model chooses itself has no second derivative ({text[:120]}); leave "
            "the choice of the kernel to torch, or measure critical sharpness, which needs forwards only"
        )
    return NotTwiceDifferentiable(f"torch cannot differentiate it twice: {text[:200]}")
