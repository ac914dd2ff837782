"""Factories of nets whose second derivatives are wrong: `WRONG` says what is said of each."""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from zoo_right import Act, Attention, Swish, between, of


class Once(Swish):
    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return Swish.backward(ctx, g)


class NoGrad(Swish):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        with torch.no_grad():
            return Swish.backward(ctx, g)


class Saved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.x, ctx.s = x, torch.sigmoid(x)
        return x * ctx.s  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * (ctx.s + ctx.x * ctx.s * (1 - ctx.s))  # type: ignore[no-any-return]


class Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        s = torch.sigmoid(x)
        ctx.slope = s + x * s * (1 - s)
        return x * s

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * ctx.slope  # type: ignore[no-any-return]


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(4 * x) / 4

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return -g


class Rms(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.r = (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
        ctx.y = x * ctx.r
        return ctx.y  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return ctx.r * (g - ctx.y * (g * ctx.y).mean(-1, keepdim=True))  # type: ignore[no-any-return]


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.x, ctx.w = x.detach().clone(), w.detach().clone()
        return x @ w.T

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        return g @ ctx.w, g.T @ ctx.x


class Dense(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(outputs, inputs) / sqrt(inputs))

    def forward(self, x: Tensor) -> Tensor:
        return Product.apply(x, self.w)  # type: ignore[no-any-return]


once, no_grad, saved, slope, rounded, turned, rms = (
    of(lambda f=f: Act(f.apply))  # type: ignore[misc]
    for f in (Once, NoGrad, Saved, Slope, Rounded, Reversed, Rms)
)
straight_through = of(lambda: Act(lambda x: x + (torch.round(4 * x) / 4 - x).detach()))
stopped = of(lambda: Act(lambda x: x * torch.sigmoid(x).detach()))
one_of_two = between(lambda width: Act(Swish.apply), lambda width: Act(Saved.apply))


def detached_copies(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return nn.Sequential(Dense(inputs, width), nn.Tanh(), Dense(width, outputs))


class Flash(Attention):
    """Insists on a kernel that has no second derivatives."""

    def forward(self, x: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return super().forward(x)


def flash(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Flash(outputs, width, None)


WRONG = {  # name → what is said of the Hessian, and of Gauss-Newton ("": it is right)
    "once": ("autograd.Function Once in Act '1' is once_differentiable",) * 2,
    "no_grad": ("autograd.Function NoGrad in Act '1'",) * 2,
    "saved": ("autograd.Function Saved in Act '1' are wrong by", ""),
    "slope": ("autograd.Function Slope in Act '1' are wrong by", ""),
    "rounded": ("autograd.Function Rounded in Act '1'",) * 2,
    "turned": ("autograd.Function Reversed in Act '1'",) * 2,
    "rms": ("autograd.Function Rms in Act '1'", ""),
    "straight_through": ("Act '1' are wrong",) * 2,
    "stopped": ("Act '1' are wrong",) * 2,
    "one_of_two": ("autograd.Function Saved in Act '2'", ""),
    "detached_copies": ("autograd.Function Product in Dense '0'", ""),
    "flash": ("torch cannot differentiate it twice: ",) * 2,
}
