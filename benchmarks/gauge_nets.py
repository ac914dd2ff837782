"""Three small nets with their data, as people train them: a fully connected one, one with BatchNorm, a causal GPT."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["NETS", "Trained", "loss_fn"]

BATCH = 64
TOKENS, LENGTH, ROWS = 64, 32, 8


@dataclass
class Trained:
    """A net whose outputs and labels fit `nn.CrossEntropyLoss`, its optimizer, and a source of batches."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    batch_at: Callable[[int], tuple[Tensor, Tensor]]  # by step

    def step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """One step of training; its loss."""
        self.optimizer.zero_grad()
        loss = loss_fn(self.model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean cross-entropy."""
    return functional.cross_entropy(model(batch[0]), batch[1])


def _digits(image: bool) -> Callable[[int], tuple[Tensor, Tensor]]:
    found = load_digits()
    x = torch.tensor(found.data, dtype=torch.float32) / 16.0 - 0.3
    y = torch.tensor(found.target)
    x = x.view(-1, 1, 8, 8) if image else x

    def batch_at(step: int) -> tuple[Tensor, Tensor]:
        which = torch.randint(len(x), (BATCH,), generator=torch.Generator().manual_seed(step))
        return x[which], y[which]

    return batch_at


class _Gpt(nn.Module):
    """Two causal blocks, a tied embedding, 6·10⁴ parameters; logits [rows · length, tokens]."""

    def __init__(self, d: int = 48, blocks: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.embedding, self.positions = nn.Embedding(TOKENS, d), nn.Parameter(0.02 * torch.randn(LENGTH, d))
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(d),
                    "qkv": nn.Linear(d, 3 * d),
                    "out": nn.Linear(d, d),
                    "mlp": nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d)),
                }
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(d)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.embedding(tokens) + self.positions  # [rows, length, d]
        for block in self.blocks:
            parts = block["qkv"](block["norm"](h)).chunk(3, -1)  # type: ignore[index]
            q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            h = h + block["out"](mixed.transpose(1, 2).flatten(2))  # type: ignore[index]
            h = h + block["mlp"](h)  # type: ignore[index]
        logits: Tensor = functional.linear(self.norm(h), self.embedding.weight)
        return logits.flatten(0, 1)


def _markov(step: int) -> tuple[Tensor, Tensor]:
    """Rows of a Markov chain with few likely successors; labels are the next tokens."""
    table = np.random.default_rng(0).dirichlet(np.full(TOKENS, 0.05), TOKENS).cumsum(1)
    draw = np.random.default_rng(step + 1)
    rows = np.zeros((ROWS, LENGTH + 1), dtype=np.int64)
    rows[:, 0] = draw.integers(TOKENS, size=ROWS)
    for i in range(LENGTH):
        rows[:, i + 1] = (draw.random(ROWS)[:, None] > table[rows[:, i]]).sum(1).clip(max=TOKENS - 1)
    tokens = torch.from_numpy(rows)
    return tokens[:, :-1], tokens[:, 1:].flatten()


def _mlp() -> Trained:
    width = 256
    layers: list[nn.Module] = [nn.Linear(64, width), nn.ReLU()]
    layers += [nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)]
    model = nn.Sequential(*layers)
    return Trained(model, torch.optim.SGD(model.parameters(), lr=0.1), _digits(image=False))


def _cnn() -> Trained:
    def block(fan_in: int, out: int) -> list[nn.Module]:
        return [nn.Conv2d(fan_in, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]

    layers = [*block(1, 16), *block(16, 32), nn.MaxPool2d(2), *block(32, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    model = nn.Sequential(*layers, nn.Linear(32, 10))
    return Trained(model, torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), _digits(image=True))


def _gpt() -> Trained:
    model = _Gpt()
    return Trained(model, torch.optim.AdamW(model.parameters(), lr=1e-3), _markov)


NETS: dict[str, Callable[[], Trained]] = {"mlp": _mlp, "cnn": _cnn, "gpt": _gpt}
"""What ``--nets`` takes."""
