"""Second derivatives of a user's net: kernels that have them, and a test whether they are right.

An operation whose backward pass is not itself differentiable gives wrong products without a word: a custom
autograd.Function marked once_differentiable, or one that keeps an intermediate result, or works under no_grad. In
double precision a central difference with a step of 1e-6 tells (right nets agree to 4e-8, kinks of ReLU included;
wrong ones differ by 5e-3 or more).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

__all__ = [
    "ALARM",
    "STEP",
    "InDouble",
    "can_compile",
    "custom_functions",
    "error_of_scalar",
    "relative",
    "uncompiled",
    "with_second_derivatives",
    "wrong_layer",
]

STEP = 1e-6
"""Length of the step of a central difference, along a unit vector, in double precision."""

ALARM = 1e-4
"""Relative difference beyond which derivatives are wrong."""

ROUNDED = 1e3 * torch.finfo(torch.float64).eps / STEP
"""What rounding does to a central difference, over the size of what is differenced."""


class _Plain(TorchFunctionMode):
    """Weight normalisation by its formula: torch's fused operator has wrong second derivatives."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch._weight_norm:
            return _weight_norm(*args, **kwargs)
        return func(*args, **kwargs)


class InDouble(TorchFunctionMode):
    """Keep a computation in double precision where the code asks for less: ``logits.float()``, ``dtype=float32``.

    Half of it in single precision would be differenced as noise, and a right net be accused.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _CASTS:
            return args[0].double()
        kept = {name: _doubled_type(value) for name, value in (kwargs or {}).items()}
        return func(*map(_doubled_type, args), **kept)


_CASTS = (Tensor.float, Tensor.half, Tensor.bfloat16)
_LESS = (torch.float32, torch.float16, torch.bfloat16)


def _doubled_type(value: Any) -> Any:
    return torch.float64 if isinstance(value, torch.dtype) and value in _LESS else value


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    return v * (g / torch.norm_except_dim(v, 2, dim))


@contextmanager
def with_second_derivatives(recurrent: bool = False) -> Iterator[None]:
    """Around a forward pass that is differentiated twice; ``recurrent``: without cuDNN, whose layers cannot be."""
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(_Plain())
        if recurrent:
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


def can_compile() -> bool:
    """Whether this process has imported torch's compiler, without which nothing in it is compiled."""
    return "torch._dynamo" in sys.modules


def uncompiled() -> AbstractContextManager[object]:
    """Around code of the user's: compiled modules run as they were written.

    Compiled code has no second derivatives, and is compiled anew for every set of parameters. Where nothing can be
    compiled it does nothing: to import torch's compiler takes seconds.
    """
    return torch.compiler.set_stance("force_eager") if can_compile() else nullcontext()


def relative(found: Tensor, right: Tensor, floor: float = 0.0) -> float:
    """‖found − right‖ over the larger of both; 0 where that is more than `ALARM`, but no more than ``floor`` apart."""
    apart, size = float((found - right).norm()), max(float(found.norm()), float(right.norm()))
    if apart == 0.0 or ALARM * size < apart <= floor:
        return 0.0
    return apart / size if apart == apart else float("inf")


def error_of_scalar(scalar: Callable[[Tensor], Tensor], at: Tensor, along: Sequence[Tensor]) -> float:
    """The largest relative error of autograd's first and second derivatives of a scalar, in double precision.

    ``at`` is one vector, ``along`` are unit vectors of its length.
    """

    def slope(point: Tensor, *, create_graph: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        leaf = point.detach().clone().requires_grad_()
        value = scalar(leaf)
        (g,) = torch.autograd.grad(value, leaf, create_graph=create_graph)
        return leaf, value.detach(), g

    worst = 0.0
    leaf, _, g = slope(at, create_graph=True)
    for v in along:
        (_, above, g_above), (_, below, g_below) = slope(at + STEP * v), slope(at - STEP * v)
        floor = ROUNDED * float(above.abs())
        first = relative(torch.dot(g.detach(), v)[None], ((above - below) / (2 * STEP))[None], floor)
        hv = torch.zeros_like(v)
        if g.requires_grad:
            (hv,) = torch.autograd.grad(g, leaf, v, retain_graph=True, materialize_grads=True)
        second = relative(hv, (g_above - g_below) / (2 * STEP), ROUNDED * float(g.detach().norm()))
        worst = max(worst, first, second)
    return worst


def custom_functions(graph: Tensor | None) -> list[str]:
    """Names of the autograd.Functions written in Python in the graph of a tensor."""
    names, waiting, seen = dict[str, None](), [graph.grad_fn if graph is not None else None], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            names[type(node).__name__.removesuffix("Backward")] = None
        waiting += [parent for parent, _ in node.next_functions]
    return list(names)


def wrong_layer(module: nn.Module, run: Callable[[], object]) -> tuple[nn.Module, list[str]] | None:
    """The first layer, in the order of a forward pass, whose own derivatives are wrong, and its custom Functions.

    ``run`` does a pass of the module in double precision. Each layer is tested by itself, as a function of its first
    input and its parameters, at the inputs that it has in that pass. None: no layer by itself is wrong.
    """
    found: list[tuple[nn.Module, list[str]]] = []
    busy = False

    def hook(part: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        nonlocal busy
        if busy or found or not given or not isinstance(given[0], Tensor) or not given[0].is_floating_point():
            return
        busy = True
        try:
            error, functions = _error_of_layer(part, given)
        except Exception:
            error, functions = 0.0, []  # it cannot be tested alone
        finally:
            busy = False
        if error > ALARM:
            found.append((part, functions))

    with ExitStack() as stack:
        for part in module.modules():
            stack.callback(part.register_forward_hook(hook).remove)
        run()
    return found[0] if found else None


def _error_of_layer(part: nn.Module, given: tuple[Any, ...]) -> tuple[float, list[str]]:
    own = {name: one.detach() for name, one in part.named_parameters() if one.is_floating_point()}
    tensors = [given[0].detach(), *own.values()]
    sizes = [one.numel() for one in tensors]
    draw = torch.Generator().manual_seed(0)

    def random(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=draw, dtype=torch.float64).to(like.device)

    made: list[Tensor] = []

    def outputs(flat: Tensor) -> Tensor:
        x, *parameters = [one.reshape(t.shape) for one, t in zip(torch.split(flat, sizes), tensors, strict=True)]
        with with_second_derivatives(), InDouble():
            value = torch.func.functional_call(part, dict(zip(own, parameters, strict=True)), (x, *given[1:]))
        out: Tensor = value[0] if isinstance(value, tuple) else value
        made.append(out)
        return out

    at = torch.cat([one.double().flatten() for one in tensors])
    weights = random(outputs(at))
    v = random(at)
    error = error_of_scalar(lambda flat: (outputs(flat) * weights).sum(), at, [v / v.norm()])
    return error, custom_functions(made[1])
