"""A training that mlrtui does not know: a two-layer net in plain PyTorch, fitted to a sine with AdamW."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

STEPS = 60


def train(lr: float, report: Callable[..., bool], seed: int, width: int = 32, weight_decay: float = 0.01) -> None:
    """One training at one learning rate; the same seed gives the same net and the same batches."""
    torch.manual_seed(seed)
    x = torch.linspace(-1.0, 1.0, 256)[:, None]
    y = torch.sin(4.0 * x)
    model = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    for step in range(STEPS + 1):
        loss = functional.mse_loss(model(x), y)  # of the whole data, so that first and last can be compared
        if not report(step, loss):
            return  # decided: it has diverged
        batch = torch.randint(256, (64,))
        optimizer.zero_grad()
        functional.mse_loss(model(x[batch]), y[batch]).backward()
        optimizer.step()
