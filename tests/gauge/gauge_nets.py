"""Nets of users, with their loss and a batch, and dense Hessians in double precision to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

LossFunction = Callable[[Any, Any], Tensor]


@dataclass(frozen=True)
class Case:
    model: nn.Module
    loss: LossFunction
    batch: Any


def cross_entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    x, y = batch
    return functional.cross_entropy(model(x), y)


def mlp(seed: int = 0, dtype: torch.dtype = torch.float32) -> Case:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).to(dtype)
    return Case(model, cross_entropy, (torch.randn(20, 6, dtype=dtype), torch.arange(20) % 3))


def cnn(seed: int = 0, *, train: bool, dropout: float = 0.0, dtype: torch.dtype = torch.float32) -> Case:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout), nn.Flatten(),
        nn.Linear(16, 3),
    ).to(dtype)  # fmt: skip
    batch = (torch.randn(16, 1, 4, 4, dtype=dtype), torch.arange(16) % 3)
    with torch.no_grad():
        model(batch[0])  # running statistics that are not those of the batch alone
    return Case(model.train(train), cross_entropy, batch)


class Gpt(nn.Module):
    """One causal block on tokens, its embedding tied to the head."""

    def __init__(self, tokens: int = 7, d: int = 8, length: int = 5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, d)
        self.position = nn.Parameter(0.1 * torch.randn(length, d))
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
        self.head = nn.Linear(d, tokens, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        h = self.embedding(tokens) + self.position
        q, k, v = (part.unflatten(-1, (2, -1)).transpose(1, 2) for part in self.qkv(self.norm(h)).chunk(3, -1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        h = h + self.out(mixed)
        h = h + self.down(functional.gelu(self.up(h)))
        return {"logits": self.head(h)}


def next_token(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    logits = model(batch["tokens"][:, :-1])["logits"]
    return functional.cross_entropy(logits.flatten(0, 1), batch["tokens"][:, 1:].flatten())


def gpt(seed: int = 0, dtype: torch.dtype = torch.float32) -> Case:
    torch.manual_seed(seed)
    return Case(Gpt().to(dtype), next_token, {"tokens": torch.randint(7, (6, 6))})


def dense(case: Case) -> Tensor:
    """The Hessian by its columns in the case's own precision, with plain autograd and no help of ours."""
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    buffers = {name: b.clone() for name, b in case.model.named_buffers()}
    state = torch.get_rng_state()
    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        loss = case.loss(case.model, case.batch)
    grads = torch.autograd.grad(loss, parameters, create_graph=True)
    flat = torch.cat([g.reshape(-1) for g in grads])
    columns = torch.autograd.grad(
        flat, parameters, torch.eye(len(flat), dtype=flat.dtype), is_grads_batched=True,
        allow_unused=True, materialize_grads=True,
    )  # fmt: skip
    torch.set_rng_state(state)
    for name, b in case.model.named_buffers():
        b.copy_(buffers[name])
    return torch.cat([one.reshape(len(flat), -1) for one in columns], 1)


def same(a: Any, b: Any) -> bool:
    """To the bit, within structures too."""
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return bool((a == b).all())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
