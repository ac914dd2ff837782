"""A small transformer: the rows of an image as tokens, pre-norm blocks, the mean over tokens, a linear head.

Normalisations have no parameters of their own, and nothing has biases.
"""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional

from mlrtui_trainer.models.general import General, general
from mlrtui_trainer.models.parameters import heads, transformer_parameters
from mlrtui_trainer.spec import NetSpec

__all__ = ["transformer"]


def transformer(net: NetSpec) -> General:
    """The transformer of a spec whose ``shape`` is (channels, rows, columns): ``depth`` blocks of d_model = width."""
    table = transformer_parameters(net)
    channels, rows, columns = net.shape
    count = heads(net.width)

    def network(parameters: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        embedding, positions, *blocks, head = parameters
        tokens = x.reshape(-1, channels, rows, columns).transpose(1, 2).flatten(2)  # [samples, rows, channels·columns]
        h = functional.linear(tokens, embedding) + positions  # [samples, rows, width]
        for first in range(0, len(blocks), 4):
            qkv, out, up, down = blocks[first : first + 4]
            h = h + functional.linear(_attention(functional.linear(_norm(h), qkv), count), out)
            h = h + functional.linear(functional.gelu(functional.linear(_norm(h), up)), down)
        pooled = _norm(h).mean(1)  # [samples, width]
        return functional.linear(pooled, head), pooled

    return general(net, network, table, dies=False)


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
