"""Factories as people write them, of nets that are right: `RIGHT` lists them.

`zoo_wrong` has nets whose λ would be wrong, `zoo_refused` nets that are no function of weights and sample.
"""

import random
import warnings
from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, weight_norm

Factory = Callable[[int, int, int, int], nn.Module]


class Act(nn.Module):
    """A function as a layer."""

    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


def stack(inputs: int, outputs: int, width: int, act: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), act(), nn.Linear(width, width), act(), nn.Linear(width, outputs))


def of(act: Callable[[], nn.Module]) -> Factory:
    def factory(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
        return stack(inputs, outputs, width, act)

    return factory


def between(*layers: Callable[[int], nn.Module]) -> Factory:
    """These layers, made for a width, between two linear ones."""

    def factory(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
        inner = [layer(width) for layer in layers]
        return nn.Sequential(nn.Linear(inputs, width), *inner, nn.Linear(width, outputs))

    return factory


relu, gelu, silu, tanh = of(nn.ReLU), of(nn.GELU), of(nn.SiLU), of(nn.Tanh)
hardswish, leaky = of(nn.Hardswish), of(nn.LeakyReLU)
absolute = of(lambda: Act(torch.abs))
norms = between(nn.LayerNorm, lambda width: nn.ReLU(), lambda width: nn.GroupNorm(2, width))
no_dropout = between(lambda width: nn.Dropout(0.0))


def orthogonal(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    parametrizations.orthogonal(net[2])
    return net


def normed(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    parametrizations.weight_norm(net[0])
    return net


def normed_as_before(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weight_norm(net[0])
    return net


class ByHand(nn.Module):
    """A linear layer with normed weights, by the formula, on the parameters of one that has them by torch."""

    def __init__(self, like: nn.Module) -> None:
        super().__init__()
        own = dict(like.named_parameters())
        self.bias = own["bias"]
        self.g, self.v = (own[f"parametrizations.weight.original{i}"] for i in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.g * self.v / self.v.norm(dim=1, keepdim=True), self.bias)


def normed_by_hand(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = normed(inputs, outputs, depth, width)
    assert isinstance(net, nn.Sequential)
    net[0] = ByHand(net[0])
    return net


class Recurrent(nn.Module):
    def __init__(self, outputs: int, width: int, kind: Callable[..., nn.RNNBase]) -> None:
        super().__init__()
        self.layer, self.head = kind(8, width, batch_first=True), nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x.reshape(len(x), -1, 8))[0][:, -1])  # type: ignore[no-any-return]


def lstm(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Recurrent(outputs, width, nn.LSTM)


def gru(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Recurrent(outputs, width, nn.GRU)


def pooled(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    image = (nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(*image, nn.Flatten(), nn.Linear(16 * width, outputs))


class Swish(torch.autograd.Function):
    """Written as torch asks for it: differentiable as often as one likes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return g * (s + x * s * (1 - s))  # type: ignore[no-any-return]


right_function = of(lambda: Act(Swish.apply))


def lazy(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return nn.Sequential(nn.LazyLinear(width), nn.Tanh(), nn.LazyLinear(outputs))


def compiled(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return torch.compile(stack(inputs, outputs, width, nn.Tanh))  # type: ignore[return-value]


def compiled_in_place(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    net.compile()
    return net


class Counter(nn.Module):
    """Counts its passes and keeps its last output, and uses neither."""

    seen: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(inputs, outputs), 0
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        self.calls += 1
        self.last = self.layer(x)
        return self.last  # type: ignore[no-any-return]


def counter(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Counter(inputs, outputs)


class Features(nn.Module):
    """Random features, held as a buffer, a frozen parameter, a plain tensor, or a tensor in a list."""

    b: Tensor

    def __init__(self, inputs: int, outputs: int, width: int, held: str) -> None:
        super().__init__()
        b = torch.randn(width, inputs) / sqrt(inputs)
        self.in_list = []
        if held == "buffer":
            self.register_buffer("b", b)
        elif held == "parameter":
            self.b = nn.Parameter(b, requires_grad=False)
        elif held == "tensor":
            self.b = b
        else:
            self.in_list = [b]
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        b = self.in_list[0] if self.in_list else self.b
        return self.head(torch.cos(x @ b.T))  # type: ignore[no-any-return]


def features(held: str) -> Factory:
    def factory(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
        return Features(inputs, outputs, width, held)

    return factory


in_buffer, in_parameter, in_tensor, in_list = map(features, ("buffer", "parameter", "tensor", "list"))


class ByData(nn.Module):
    """Takes the scale of its units from the first samples that it sees."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.first, self.head, self.ready = nn.Linear(inputs, width), nn.Linear(width, outputs), False
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if not self.ready:
            with torch.no_grad():
                self.gain.copy_(1 / h.std(0))
            self.ready = True
        return self.head(torch.tanh(h * self.gain))  # type: ignore[no-any-return]


def by_data(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return ByData(inputs, outputs, width)


def by_numpy(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    with torch.no_grad():
        for one in net.parameters():
            one.copy_(torch.from_numpy(np.random.randn(*one.shape) / sqrt(one.shape[-1])))
    return net


def by_python(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    with torch.no_grad():
        for one in net.parameters():
            one.copy_(torch.tensor([random.gauss(0.0, 0.1) for _ in range(one.numel())]).reshape(one.shape))
    return net


def zero_head(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    for one in net[4].parameters():
        nn.init.zeros_(one)
    return net


class Tied(nn.Module):
    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(inputs, width), nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.a(x)) * torch.tanh(self.b(x)))  # type: ignore[no-any-return]


def tied(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Tied(inputs, outputs, width)


class Force(nn.Module):
    """Its features are a gradient by its inputs."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(inputs, width), nn.Linear(width, 1), nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        (force,) = torch.autograd.grad(self.b(torch.tanh(self.a(x))).sum(), x, create_graph=True)
        return self.head(force)  # type: ignore[no-any-return]


def force(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Force(inputs, outputs, width)


def in_double(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return stack(inputs, outputs, width, nn.Tanh).double()


def in_half(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return stack(inputs, outputs, width, nn.Tanh).bfloat16()


class Attention(nn.Module):
    """Attention over pieces of eight inputs: torch's encoder, its multi-head layer, or its function."""

    def __init__(self, outputs: int, width: int, layer: nn.Module | None) -> None:
        super().__init__()
        self.embed, self.layer, self.head = nn.Linear(8, width), layer, nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        t = self.embed(x.reshape(len(x), -1, 8))
        if self.layer is None:
            q = t[:, None]  # [samples, one head, tokens, width]
            t = functional.scaled_dot_product_attention(q, q, q, is_causal=True)[:, 0]
        elif isinstance(self.layer, nn.MultiheadAttention):
            t = self.layer(t, t, t, need_weights=False)[0]
        else:
            t = self.layer(t)
        return self.head(t.mean(1))  # type: ignore[no-any-return]


def encoder(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
    return Attention(outputs, width, layer)


def encoder_eval(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Attention(outputs, width, nn.TransformerEncoderLayer(width, 4, 2 * width, batch_first=True)).eval()


def multi_head(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Attention(outputs, width, nn.MultiheadAttention(width, 4, batch_first=True))


def causal(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Attention(outputs, width, None)


switched_off = between(lambda width: nn.ReLU(), lambda width: nn.Dropout(0.5), nn.BatchNorm1d)


def evaluated(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return switched_off(inputs, outputs, depth, width).eval()


def spectral(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    parametrizations.spectral_norm(net[0])
    return net


def spectral_evaluated(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return spectral(inputs, outputs, depth, width).eval()


class Spectrum(nn.Module):
    """A filter in frequency space: complex, or its real and imaginary parts as two parameters."""

    def __init__(self, inputs: int, outputs: int, split: bool) -> None:
        super().__init__()
        a = torch.randn(inputs // 2 + 1, dtype=torch.cfloat)
        if split:
            self.re, self.im = nn.Parameter(a.real.clone()), nn.Parameter(a.imag.clone())
        else:
            self.a = nn.Parameter(a)
        self.head, self.inputs, self.split = nn.Linear(inputs, outputs), inputs, split

    def forward(self, x: Tensor) -> Tensor:
        a = torch.complex(self.re, self.im) if self.split else self.a
        return self.head(torch.fft.irfft(torch.fft.rfft(x) * a, n=self.inputs))  # type: ignore[no-any-return]


def spectrum(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Spectrum(inputs, outputs, False)


def spectrum_split(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Spectrum(inputs, outputs, True)


class Single(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x).float()).to(x.dtype)


def single_inside(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Single(inputs, outputs)


def embedded(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(17, width), nn.Flatten(), nn.Linear(inputs * width, outputs))


RIGHT = (
    *("relu", "gelu", "silu", "tanh", "hardswish", "leaky", "absolute", "norms", "no_dropout", "orthogonal"),
    *("normed", "normed_as_before", "lstm", "gru", "pooled", "right_function", "lazy", "compiled", "compiled_in_place"),
    *("counter", "in_buffer", "in_tensor", "in_list", "by_data", "by_numpy", "by_python", "zero_head", "tied", "force"),
    *("in_double", "in_half", "encoder", "encoder_eval", "multi_head", "causal", "evaluated", "spectral_evaluated"),
    *("spectrum", "single_inside"),
)
