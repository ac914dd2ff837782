"""A step, and a product of λ, of convolutional nets and transformers beside a plain loop over torch's own modules.

    python -m benchmarks.image_models --rounds 15 --json out.json

One net on 64 images of 28x28 under cross-entropy, one thread. What is compared runs by turns in one process; a ratio is
taken within a turn, and the first turn is thrown away.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.machine import describe, save, spread, table
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.building import build
from mlrtui_trainer.models.kinds import n_params
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.models.parameters import cnn_strides, heads
from mlrtui_trainer.spec import NetSpec

BATCH, SIDE = 64, 28
NETS = ("cnn:3x16", "cnn:4x32", "transformer:2x32", "transformer:2x64")
REPEATS = 2  # of each within a turn


class Convolutions(nn.Module):
    """The cnn made of torch's layers."""

    def __init__(self, net: NetSpec) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer, stride in enumerate(cnn_strides(net)):
            layers += [nn.Conv2d(net.width if layer else 1, net.width, 3, stride, 1, bias=False), nn.ReLU()]
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(net.width, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [samples, 784] → [samples, 10]."""
        pooled: Tensor = self.layers(x.view(-1, 1, SIDE, SIDE)).mean((2, 3))
        return self.head(pooled)  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """The transformer made of torch's layers."""

    def __init__(self, net: NetSpec) -> None:
        super().__init__()
        d = net.width
        self.embedding, self.positions = nn.Linear(SIDE, d, bias=False), nn.Parameter(0.02 * torch.randn(SIDE, d))
        blocks = [
            nn.TransformerEncoderLayer(d, heads(d), 4 * d, 0.0, "gelu", batch_first=True, norm_first=True, bias=False)
            for _ in range(net.depth)
        ]
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(d, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [samples, 784] → [samples, 10]."""
        h = self.blocks(self.embedding(x.view(-1, SIDE, SIDE)) + self.positions)
        return self.head(nn.functional.layer_norm(h, h.shape[-1:]).mean(1))  # type: ignore[no-any-return]


def contestants(net: NetSpec) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    model, loss = build(net), LOSSES["ce"]
    weights = model.initial_weights([1], torch.float32, "cpu")
    x, classes = torch.randn(BATCH, SIDE * SIDE), torch.randint(0, 10, (BATCH,))
    y, labels = nn.functional.one_hot(classes, 10).float(), classes[None, :, None]
    module = Convolutions(net) if net.kind == "cnn" else Encoder(net)
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3)

    def plain() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), classes).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    @torch.inference_mode()
    def ours() -> None:
        trace = model.forward(weights, x[None])
        e = loss.start(trace.f, y[None])
        loss.per_sample(e, labels)
        model.descend_(weights, trace, loss.signal(e, y[None]) * (-1e-3 / BATCH))

    v = torch.randn(1, model.n_params)
    newton, full = (curvature(model, weights, x, y, "ce", name) for name in ("gauss-newton", "hessian"))
    return {"plain": plain, "ours": ours, "newton": lambda: newton.apply(v), "hessian": lambda: full.apply(v)}


def timings(net: NetSpec, rounds: int) -> list[dict[str, float]]:
    """Seconds of each contestant, a record per turn."""
    runs, turns = contestants(net), []
    for _ in range(rounds + 1):
        turn = {}
        for name, run in runs.items():
            begun = time.process_time()
            for _ in range(REPEATS):
                run()
            turn[name] = (time.process_time() - begun) / REPEATS
        turns.append(turn)
    return turns[1:]


def net_of(text: str) -> NetSpec:
    """``cnn:3x16`` is a cnn of depth 3 and width 16."""
    kind, _, size = text.partition(":")
    depth, width = map(int, size.split("x"))
    return NetSpec(kind, SIDE * SIDE, 10, depth, width, shape=(1, SIDE, SIDE))


def main() -> None:
    """Run, print a table, and write it down if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--nets", nargs="+", default=NETS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases: list[dict[str, Any]] = []
    for name in options.nets:
        cases.append(
            {"net": name, "n_params": n_params(net_of(name)), "timings": timings(net_of(name), options.rounds)}
        )
    rows = [
        [
            case["net"],
            str(case["n_params"]),
            spread([1e3 * turn["plain"] for turn in case["timings"]]),
            *(spread([t[name] / t["plain"] for t in case["timings"]]) for name in ("ours", "newton", "hessian")),
        ]
        for case in cases
    ]
    about = describe("cpu")
    print(", ".join(f"{key}: {value}" for key, value in about.items()), end="\n\n")
    print(table(["net", "parameters", "plain step, ms", "our step", "Gauss-Newton product", "Hessian product"], rows))
    save(options.json, about, cases)


if __name__ == "__main__":
    main()
