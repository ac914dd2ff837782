"""One of two processes that train the same net: under DDP, or sharded by FSDP2. Run by test_gauge_ranks.py."""

import json
import sys
import warnings
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from mlrtui_trainer.gauge import Recorder, ShardedParameters, critical_sharpness, sharpness


def net() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(2)
    return torch.randn(16, 6, dtype=torch.float64), torch.randn(16, 2, dtype=torch.float64)


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return functional.mse_loss(model(batch[0]), batch[1])


def measured(model: nn.Module, batch: tuple[Tensor, Tensor], bare: nn.Module) -> dict[str, Any]:
    """After a backward pass: λ of the bare module, and critical sharpness along the gradient of the training."""
    loss(model, batch).backward()
    gradient = [p.grad for p in model.parameters()]
    found: dict[str, Any] = {}
    try:
        s = sharpness(bare, loss, batch, tolerance=1e-9)
        found["lambda"] = s.value
    except ShardedParameters as error:
        found["refused"] = str(error)
    before = [p.detach().clone() for p in model.parameters()]
    c = critical_sharpness(bare, loss, batch, [g for g in gradient if g is not None], start=0.1, gradient=gradient)
    found["critical"] = [c.low, c.high, c.status, c.loss]
    pairs = zip(model.parameters(), before, strict=True)
    found["restored"] = all(bool((p.detach() == b).all()) for p, b in pairs)
    return found


def recorded(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Two steps with the recorder, which measures on the first process alone."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with warnings.catch_warnings(), Recorder(model, optimizer, loss, every=1) as rec:
        warnings.simplefilter("ignore")
        for _ in range(2):
            optimizer.zero_grad()
            value = loss(model, batch)
            value.backward()
            optimizer.step()
            rec.step(value, batch)
    return {"rows": len(rec.steps), "events": rec.events}


def main() -> None:
    folder, rank = sys.argv[1], int(sys.argv[2])
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=timedelta(seconds=120)
    )
    wrapped = DistributedDataParallel(net())  # the same batch on both ranks: λ of each is that of the whole
    found = {"ddp": measured(wrapped, data(), wrapped.module)}
    model, (x, y) = net(), data()
    mesh = dist.device_mesh.init_device_mesh("cpu", (2,))
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    half = slice(8 * rank, 8 * rank + 8)
    found["fsdp"] = measured(model, (x[half], y[half]), model)
    found["fsdp"] |= recorded(model, (x[half], y[half]))
    with open(f"{folder}/{rank}.json", "w", encoding="utf-8") as file:
        json.dump(found, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
