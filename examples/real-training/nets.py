"""The nets of the sweep files beside this one, as factories: a ResNet, a causal GPT, a net with layer normalisation."""

from math import isqrt, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

DROPOUT = 0.1
HEAD = 16  # numbers of an attention head


class Block(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation, beside a skip (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Images [samples, channels, rows, columns], the same shape again."""
        h = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(x + self.norms[1](self.second(h)))


class ResNet(nn.Module):
    """A convolution that halves the image, blocks, the mean over the image, a linear head."""

    def __init__(self, inputs: int, outputs: int, blocks: int, channels: int) -> None:
        super().__init__()
        self.colours = 1 if isqrt(inputs) ** 2 == inputs else 3  # square images: grey or RGB
        self.side = isqrt(inputs // self.colours)
        self.stem = nn.Conv2d(self.colours, channels, 3, padding=1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(blocks)))
        self.head = nn.Linear(channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Samples [samples, inputs] to [samples, outputs]."""
        image = x.reshape(-1, self.colours, self.side, self.side)
        h = self.blocks(torch.relu(self.norm(self.stem(image))))
        logits: Tensor = self.head(h.mean((2, 3)))
        return logits


class Attention(nn.Module):
    """Each token looks at itself and at those before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = max(1, width // HEAD)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [samples, tokens, width], the same shape again."""
        samples, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(samples, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)  # [samples, heads, tokens, ...]
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(samples, tokens, width))
        return out


class Layer(nn.Module):
    """Attention and a small net for each token, both with dropout beside a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attention = Attention(width)
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [samples, tokens, width], the same shape again."""
        x = x + self.dropout(self.attention(self.norms[0](x)))
        return x + self.dropout(self.net(self.norms[1](x)))


class GPT(nn.Module):
    """A causal transformer over characters (Radford et al. 2019)."""

    def __init__(self, tokens: int, characters: int, layers: int, width: int) -> None:
        super().__init__()
        self.characters, self.places = nn.Embedding(characters, width), nn.Embedding(tokens, width)
        self.layers = nn.Sequential(*(Layer(width) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, characters, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Characters [samples, tokens] to one vector of logits each, [samples, tokens, characters]."""
        h = self.characters(x) + self.places.weight
        logits: Tensor = self.head(self.norm(self.layers(h)))
        return logits


def resnet(*, inputs: int, outputs: int, depth: int, width: int) -> ResNet:
    """A ResNet of ``depth`` blocks with ``width`` channels."""
    return ResNet(inputs, outputs, depth, width)


def gpt(*, inputs: int, outputs: int, depth: int, width: int) -> GPT:
    """A GPT of ``depth`` layers; a sample is ``inputs`` characters out of ``outputs``."""
    return GPT(inputs, outputs, depth, width)


def normed(*, inputs: int, outputs: int, depth: int, width: int) -> nn.Sequential:
    """A fully connected net with layer normalisation before each relu, weights of variance 2/fan_in."""
    layers: list[nn.Module] = []
    for fan_in in (inputs, *[width] * (depth - 1)):
        layers += [nn.Linear(fan_in, width, bias=False), nn.LayerNorm(width), nn.ReLU()]
    layers.append(nn.Linear(width, outputs, bias=False))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=sqrt(2.0 / layer.in_features))
    return nn.Sequential(*layers)
