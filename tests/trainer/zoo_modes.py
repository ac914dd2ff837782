"""Modules for mode = "train": batch normalisation, dropout, a causal language model, and what is refused."""

import numpy as np
import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Convolutions with batch normalisation and a skip, on 8x8 images."""

    def __init__(self, outputs: int, width: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, width, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(width)
        self.second, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.norm(self.first(x.reshape(-1, 1, 8, 8))))
        h = torch.tanh(h + self.norm2(self.second(h)))
        out: Tensor = self.head(h.mean((2, 3)))
        return out


def residual(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Residual(outputs, width)


def dropping(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, width), nn.Tanh(), nn.Dropout(0.3), nn.Linear(width, outputs))


def both(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    head = nn.Linear(width, outputs)
    return nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.Tanh(), nn.Dropout(0.3), head)


class Causal(nn.Module):
    """One block of causal attention over tokens, with dropout; one vector of logits a token."""

    def __init__(self, tokens: int, classes: int, width: int, drop: float = 0.0) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(classes, width), nn.Parameter(0.02 * torch.randn(tokens, width))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.drop, self.head = nn.Dropout(drop), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x) + self.place
        q, k, v = self.qkv(h).chunk(3, dim=-1)
        h = h + self.drop(self.out(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)))
        out: Tensor = self.head(h)
        return out


def causal(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Causal(inputs, outputs, width)


def causal_dropping(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Causal(inputs, outputs, width, drop=0.2)


class Counting(nn.Module):
    """Keeps a count that is no buffer."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.head, self.count = nn.Linear(inputs, outputs), 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count += 1
        out: Tensor = self.head(x) / (1 + self.count)
        return out


def counting(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Counting(inputs, outputs)


class Replacing(nn.Module):
    """Replaces a buffer instead of changing it in place."""

    mean: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, outputs)
        self.register_buffer("mean", torch.zeros(inputs))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        out: Tensor = self.head(x - self.mean)
        return out


def replacing(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Replacing(inputs, outputs)


class Unseeded(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.from_numpy(np.random.default_rng().standard_normal(x.shape)).to(x) if self.training else 0.0
        out: Tensor = self.head(x + noise)
        return out


def unseeded(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Unseeded(inputs, outputs)


def at_rest(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return both(inputs, outputs, depth, width).eval()


class Functional(nn.Module):
    """Batch statistics whatever the mode."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.a, self.b, self.drop = nn.Linear(inputs, width), nn.Linear(width, outputs), nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.batch_norm(self.a(x), None, None, training=True)
        out: Tensor = self.b(torch.relu(self.drop(h)))
        return out


def functional(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Functional(inputs, outputs, width)


REFUSED = {
    "counting": "changes the attribute 'count' in training mode; make it a buffer",
    "replacing": "replaces the buffer 'mean' in training mode; change it in place",
    "unseeded": "gives other outputs every time in training mode",
    "at_rest": 'is in evaluation mode, so mode = "train" would change nothing',
    "functional": "depend on the other samples of its batch; also in evaluation mode; make it follow self.training",
}
