"""A small transformer: the rows of an image as tokens, pre-norm blocks, the mean over tokens, a linear head.

Normalisations have no parameters of their own, and nothing has biases.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional

from mlrtui_trainer.models.general import General, Layers, general
from mlrtui_trainer.models.parameters import heads, transformer_parameters
from mlrtui_trainer.spec import NetSpec

__all__ = ["transformer"]


def transformer(net: NetSpec, optimizer: str = "sgd") -> General:
    """The transformer of a spec whose ``shape`` is (channels, rows, columns): ``depth`` blocks of d_model = width.

    Its rates are those under an optimizer.
    """
    table = transformer_parameters(net)
    channels, rows, columns = net.shape
    count = heads(net.width)

    def apply(layer: int, h: Tensor, parameters: Sequence[Tensor], biased: bool = True) -> Tensor:
        if layer > 0:
            return functional.linear(h, parameters[layer + 1])
        tokens = functional.linear(h, parameters[0])
        return tokens + parameters[1] if biased else tokens  # the positions

    def layers(parameters: Sequence[Tensor], x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Input and output of every linear map, the head's last."""
        tokens = x.reshape(-1, channels, rows, columns).transpose(1, 2).flatten(2)  # [samples, rows, channels·columns]
        h = apply(0, tokens, parameters)  # [samples, rows, width]
        yield tokens, h
        for first in range(1, 4 * net.depth, 4):
            normed = _norm(h)
            qkv = apply(first, normed, parameters)
            yield normed, qkv
            mixed = _attention(qkv, count)
            out = apply(first + 1, mixed, parameters)
            yield mixed, out
            h = h + out
            normed = _norm(h)
            up = functional.gelu(apply(first + 2, normed, parameters))
            yield normed, up
            down = apply(first + 3, up, parameters)
            yield up, down
            h = h + down
        pooled = _norm(h).mean(1)  # [samples, width]
        yield pooled, apply(4 * net.depth + 1, pooled, parameters)

    def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        pooled, f = deque(layers(parameters, x), maxlen=1)[0]
        return f, pooled

    known = Layers(lambda parameters, x: list(layers(parameters, x)), apply)
    return general(net, network, table, known, optimizer, dies=False)


def _attention(qkv: Tensor, count: int) -> Tensor:
    """Every token's mixture of all tokens: [samples, tokens, 3·width] → [samples, tokens, width].

    Written out, since the fused kernels have no second derivative.
    """
    samples, tokens, _ = qkv.shape
    q, k, v = qkv.reshape(samples, tokens, 3, count, -1).permute(2, 0, 3, 1, 4)  # [samples, heads, tokens, width/heads]
    weights = torch.softmax(q @ k.mT / sqrt(q.shape[-1]), dim=-1)  # [samples, heads, tokens, tokens]
    mixed: Tensor = weights @ v
    return mixed.transpose(1, 2).flatten(2)


def _norm(h: Tensor) -> Tensor:
    return functional.layer_norm(h, h.shape[-1:])
