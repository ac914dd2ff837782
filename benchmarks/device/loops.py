"""Stage 5: the same trainings, and a whole η* grid, by other programs on the same device, by turns.

The plain loop is `nn.Sequential` and `optim.SGD`, one training after the other. ``torch.compile`` compiles its step;
``torch.vmap`` trains all lanes in one program, one call a step; JAX does `vmap` over lanes and `scan` over steps.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise, product
from math import exp, log
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.device.agreement import START, Answer, eta_stars
from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import digits, in_turn, probe, wall
from benchmarks.trainings import BATCH, Case, evaluate, plain_epoch, plain_net, train_in_lanes, train_plainly
from mlrtui_trainer.search import Search, SearchSpec
from mlrtui_trainer.spec import Dataset, NetSpec, TrainSpec

__all__ = ["by_jax", "has_jax", "run"]

ROOT = Path(__file__).resolve().parents[2]


def run(setting: Setting, report: Report) -> None:
    """The fixed trainings, then the grid."""
    data = digits(1024)
    depths = setting.pick((2,), (2,), (2, 4, 8))
    widths = setting.pick((16,), (32,), (32, 64, 128, 256, 512))
    trainings, epochs = setting.pick(2, 4, 64), setting.pick(1, 1, 2)
    jax = has_jax(setting, report)
    for width, depth in setting.while_time(product(widths, depths), report):
        _trainings(setting, report, Case(depth, width, trainings, epochs), data, jax)
    cells = list(product(setting.pick((16,), (32,), (32, 64, 128)), setting.pick((1,), (2,), (2, 4))))
    for width, depth in setting.while_time(cells, report):
        _grid(setting, report, depth, width, data)


def _trainings(setting: Setting, report: Report, case: Case, data: Dataset, jax: bool) -> None:
    x = torch.tensor(data.x, dtype=torch.float32, device=setting.device)
    labels = torch.tensor(data.labels, device=setting.device)
    few = case.trials()[: setting.pick(1, 2, 4)]  # one after the other: their time is proportional to their number

    def plain() -> None:
        for trial in few:
            train_plainly(case, trial, x, labels)

    works: list[tuple[str, Callable[[], object]]] = [
        ("lanes", lambda: train_in_lanes(case, data, setting.device)),
        ("plain loop", plain),
        ("torch.vmap", partial(_by_vmap, case, x, labels)),
    ]
    compiled = _compiled(case, x, labels, few[0].eta, report) if setting.size != "tiny" else None
    if compiled is not None:
        works.append(("torch.compile", compiled))
    spent: dict[str, list[float]] = {}
    for name, seconds in in_turn(works, setting.device, setting.pick(1, 2, 3)):
        spent.setdefault(name, []).append(seconds)
    counts = {"lanes": case.trainings, "plain loop": len(few), "torch.vmap": case.trainings, "torch.compile": 1}
    each = {name: statistics.median(seconds) / counts[name] for name, seconds in spent.items()}
    if jax and (found := by_jax(case, setting, report)) is not None:
        each["JAX"] = found / case.trainings
    report.row("trainings: seconds of one, and the speed-up of lanes", depth=case.depth, width=case.width,
               trainings=case.trainings, **{f"{name}, s": value for name, value in each.items()},
               **{f"× {name}": value / each["lanes"] for name, value in each.items() if name != "lanes"})  # fmt: skip


def _compiled(case: Case, x: Tensor, labels: Tensor, eta: float, report: Report) -> Callable[[], object] | None:
    """One training whose step is compiled; None where that does not work here."""
    net = plain_net(case.net()).to(x.device)
    optimizer = torch.optim.SGD(net.parameters(), lr=eta)
    fast: nn.Module = torch.compile(net)  # type: ignore[assignment]
    order = torch.arange(len(x), device=x.device)

    def train() -> None:
        for _ in range(case.epochs):
            for _ in plain_epoch(fast, optimizer, x, labels, order):
                pass
            evaluate(net, x, labels)

    try:
        train()
    except Exception as error:
        report.note(f"torch.compile does not work here: {type(error).__name__}")
        return None
    return train


def _by_vmap(case: Case, x: Tensor, labels: Tensor) -> None:
    """All lanes by one program of `torch.func`; a call for each step."""
    lanes, sizes = case.trainings, case.net().sizes
    weights = [
        torch.randn(lanes, out, fan_in, device=x.device) * (2.0 / fan_in) ** 0.5 for fan_in, out in pairwise(sizes)
    ]
    etas = torch.tensor([trial.eta for trial in case.trials()], device=x.device)

    def loss_of(lane: list[Tensor], batch: Tensor, label: Tensor) -> Tensor:
        for w in lane[:-1]:
            batch = torch.relu(batch @ w.T)
        return nn.functional.cross_entropy(batch @ lane[-1].T, label)

    step = torch.vmap(torch.func.grad_and_value(loss_of))
    for _ in range(case.epochs):
        orders = torch.rand(lanes, len(x), device=x.device).argsort(1)
        losses = []
        for first in range(0, len(x) - BATCH + 1, BATCH):
            rows = orders[:, first : first + BATCH]
            gradients, loss = step(weights, x[rows], labels[rows])
            weights = [w - etas[:, None, None] * g for w, g in zip(weights, gradients, strict=True)]
            losses.append(loss)
        torch.stack(losses).cpu()


def has_jax(setting: Setting, report: Report) -> bool:
    """Whether JAX is compared; says where it is not installed."""
    if importlib.util.find_spec("jax") is None:
        report.note("JAX is not installed: not compared")
        return False
    return setting.size != "tiny"


def by_jax(case: Case, setting: Setting, report: Report) -> float | None:
    """Seconds of all lanes in a process of its own; None where it fails, and a note says why."""
    question = {
        "depth": case.depth, "width": case.width, "epochs": case.epochs, "batch": BATCH,
        "etas": [trial.eta for trial in case.trials()],
    }  # fmt: skip
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    environment |= {} if setting.on_gpu else {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "benchmarks.device.jax_lanes", json.dumps(question)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=max(1.0, setting.left),
            check=True,
        )
    except subprocess.TimeoutExpired:
        report.note(f"{case.depth} × {case.width}: no time was left for JAX")
        return None
    except subprocess.CalledProcessError as error:
        last = next(iter(reversed(error.stderr.strip().splitlines())), "")
        report.note(f"{case.depth} × {case.width}: JAX failed: {last[:300]}")
        return None
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def _grid(setting: Setting, report: Report, depth: int, width: int, data: Dataset) -> None:
    """η* of some nets of an architecture: by lanes, and one training after the other."""
    net = NetSpec("mlp", 64, 10, depth, width)
    per_epoch = len(data.x) // BATCH
    epochs = setting.pick(1, 2, 3)
    train = TrainSpec(
        "ce", BATCH, epochs * per_epoch, per_epoch, success="accuracy", threshold=setting.pick(0.2, 0.5, 0.5)
    )
    seeds = list(range(setting.pick(1, 2, 5)))
    rule = SearchSpec("accuracy", setting.pick(0.5, 0.1, 0.1), 1e-5, 1e3)
    starts = [START * 2.0 / value for value in probe(net, train, data, setting.device, seeds)]
    ours: list[Answer] = []
    lanes = wall(lambda: ours.extend(eta_stars(net, train, data, setting.device, rule, starts)), setting.device)
    plain: list[tuple[float | None, int]] = []

    def one_after_the_other() -> None:
        plain.extend(_search_plainly(net, train, data, setting.device, rule, start) for start in starts[:2])

    loop = wall(one_after_the_other, setting.device)
    loop *= len(starts) / len(plain)
    known = [(one.eta, other) for one, (other, _) in zip(ours, plain, strict=False)]
    apart = [abs(log(a / b)) for a, b in known if a is not None and b is not None]
    report.row("η\\* of the nets of an architecture", depth=depth, width=width, nets=len(seeds), lanes_s=lanes,
               plain_loop_s=loop, times_as_fast=loop / lanes, trainings=sum(one.trials for one in ours),
               apart=exp(statistics.median(apart)) - 1.0 if apart else None)  # fmt: skip


def _search_plainly(
    net: NetSpec, train: TrainSpec, data: Dataset, device: str, rule: SearchSpec, start: float
) -> tuple[float | None, int]:
    """η* of one net with weights of its own, and how many trainings it took."""
    x = torch.tensor(data.x, dtype=torch.float32, device=device)
    labels = torch.tensor(data.labels, device=device)
    search, trainings = Search(rule, start), 0
    torch.manual_seed(1)
    initial = [p.detach().clone() for p in plain_net(net).to(device).parameters()]
    while rates := search.ask():
        for eta in rates:
            search.tell(eta, _verdict(net, train, initial, eta, x, labels))
            trainings += 1
    return search.boundary().eta_star, trainings


def _verdict(net: NetSpec, train: TrainSpec, initial: list[Tensor], eta: float, x: Tensor, labels: Tensor) -> str:
    model = plain_net(net).to(x.device)
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), initial, strict=True):
            parameter.copy_(value)
    optimizer = torch.optim.SGD(model.parameters(), lr=eta)
    for _ in range(train.max_steps // train.steps_per_epoch):
        for loss in plain_epoch(model, optimizer, x, labels, torch.randperm(len(x), device=x.device)):
            if not loss < 1e6:
                return "diverged"
        if evaluate(model, x, labels)[1] >= train.threshold:
            return "reached"
    return "stalled"
