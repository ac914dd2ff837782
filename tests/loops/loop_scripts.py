"""Small trainings for the recorder, in this process and as scripts of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import mlrtui
from mlrtui_db.reader import Reader
from mlrtui_trainer.gauge import Recorder

DEADLINE = 120.0


def loss_fn(model: nn.Module, batch: Any) -> Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    return torch.randn(16, 4), torch.randn(16, 1)


def recorder(store: Path | str | None, lr: float = 0.05, **how: Any) -> Recorder:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return mlrtui.record(model, optimizer, loss_fn, store=store, **({"every": 2} | how))


def train(rec: Recorder, steps: int) -> None:
    data = batch()
    for _ in range(steps):
        rec.optimizers[0].zero_grad()
        loss = loss_fn(rec.model, data)
        loss.backward()
        rec.optimizers[0].step()
        rec.step(loss, data)


def rows(path: Path, view: str) -> list[dict[str, Any]]:
    with Reader.open(path) as reader:
        names, found = reader.query(view)
        return [dict(zip(names, row, strict=True)) for row in found]


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition; its value."""
    deadline = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return value


def start(script: str, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Run a script without a guard for ``__main__``."""
    path = folder / "train.py"
    path.write_text(script, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-P", str(path), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
