"""Factories of nets that are no function of weights and sample, or cannot be trained: `REFUSED` says why."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from zoo_right import Act, Counter, Features, between, stack

dropout = between(lambda width: nn.Dropout(0.2))
batch_norm = between(nn.BatchNorm1d)
functional_dropout = between(lambda width: Act(lambda x: functional.dropout(x, 0.1)))
functional_norm = between(lambda width: Act(lambda x: functional.batch_norm(x, None, None, training=True)))
less_the_mean = between(lambda width: Act(lambda x: x - 1e-3 * x.mean(0)))
running_sum = between(lambda width: Act(lambda x: x.cumsum(0)))
by_place = between(lambda width: Act(lambda x: x + torch.arange(len(x))[:, None]))
numpy_noise = between(lambda width: Act(lambda x: x + float(np.random.normal())))


def behind_zero_head(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = dropout(inputs, outputs, depth, width)
    for one in net.get_submodule("2").parameters():
        nn.init.zeros_(one)
    return net


def no_statistics(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    layer = nn.BatchNorm1d(width, track_running_stats=False)
    return nn.Sequential(nn.Linear(inputs, width), layer, nn.Linear(width, outputs)).eval()


class Warm(nn.Module):
    """Its outputs grow with the number of its passes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer, self.step = nn.Linear(inputs, outputs), 0

    def forward(self, x: Tensor) -> Tensor:
        self.step += 1
        return self.layer(x) * min(1.0, self.step / 1000)  # type: ignore[no-any-return]


def warm(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Warm(inputs, outputs)


class Later(Counter):
    """Becomes another net after a thousand passes."""

    def forward(self, x: Tensor) -> Tensor:
        f = super().forward(x)
        return f if int(self.seen) < 1000 else 2 * f


def later(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Later(inputs, outputs)


class Stale(nn.Module):
    """Uses its weight from a list, where no other weight would reach it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)
        self.held = [self.layer.weight]

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.held[0], self.layer.bias)


def stale(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Stale(inputs, outputs)


def by_entropy(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    with torch.no_grad():
        net[0].weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=(width, inputs))))
    return net


class Features2(Features):
    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__(inputs, outputs, width, "buffer")
        self.b.copy_(torch.from_numpy(np.random.default_rng().normal(size=(width, inputs))))


def buffer_by_entropy(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Features2(inputs, outputs, width)


class Clamped(nn.Linear):
    """Changes its weights while it runs."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.weight.clamp_(-0.05, 0.05)
        return super().forward(x)


def clamped(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Clamped(inputs, outputs)


class Blind(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(x)


def blind(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Blind(inputs, outputs)


def all_frozen(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return nn.Linear(inputs, outputs).requires_grad_(False)


class Whole(nn.Linear):
    """Takes batches of 32 only."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(32, -1))


def fixed_batch(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return Whole(inputs, outputs)


def huge_tokens(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    return nn.Sequential(Hashed(17, width), nn.Flatten(), nn.Linear(inputs * width, outputs))


class Hashed(nn.Embedding):
    """Takes any whole number, and whole numbers only."""

    def forward(self, x: Tensor) -> Tensor:
        if x.is_floating_point():
            raise TypeError("tokens must be integers")
        return super().forward(x % self.num_embeddings)


def zero_all(inputs: int, outputs: int, depth: int, width: int) -> nn.Module:
    net = stack(inputs, outputs, width, nn.Tanh)
    for one in net.parameters():
        nn.init.constant_(one, 0.1)
    return net


REFUSED = {
    "dropout": "Dropout '1' gives other outputs every time",
    "functional_dropout": "Act '1' gives other outputs every time",
    "behind_zero_head": "Dropout '1' gives other outputs every time",
    "numpy_noise": "Act '1' gives other outputs every time",
    "batch_norm": "in BatchNorm1d '1' the outputs of a sample depend on the other samples",
    "functional_norm": "in Act '1' the outputs of a sample depend on the other samples",
    "no_statistics": "in BatchNorm1d '1' the outputs of a sample depend on the other samples",
    "less_the_mean": "in Act '1' the outputs of a sample depend on the other samples",
    "running_sum": "in Act '1' the outputs of a sample depend on the other samples",
    "by_place": "in Act '1' the outputs of a sample depend on the other samples",
    "spectral": "changes the buffer '0.parametrizations.weight.0._",
    "warm": "itself changes the attribute 'step', and its outputs depend on it",
    "later": "itself changes the buffer 'seen', and its outputs depend on it",
    "stale": "uses the parameter 'layer.weight' by another way than its name",
    "by_entropy": "other weights when it is called twice with the same seed (parameter '0.weight')",
    "buffer_by_entropy": "other weights when it is called twice with the same seed ('b')",
    "clamped": "changes the parameter 'weight'",
    "blind": "depend on no parameter that needs a gradient",
    "all_frozen": "has no parameters that need a gradient, so nothing would train",
    "fixed_batch": "forward raised RuntimeError",
}
