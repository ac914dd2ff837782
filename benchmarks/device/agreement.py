"""Stage 2: the device gives the CPU's numbers: losses, λ, and η* of the quick start's nets."""

import tomllib
from collections.abc import Iterator, Sequence
from math import exp, isfinite, log, nan
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.device.stages import Report, Setting
from benchmarks.device.tools import Ran, case_of, digits, probe, round_of, trials_at
from mlrtui_trainer.search import Search, SearchSpec
from mlrtui_trainer.spec import Dataset, NetSpec, TrainSpec, TrialSpec

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = {"float32": 1e-3, "float64": 1e-8}
"""Relative difference of two losses in a training that stays calm; rounding grows along it."""

SHARPNESS_TOLERANCE = 1e-2
START = 4.0  # of a search, in units of 2/λ₀


def run(setting: Setting, report: Report) -> None:
    """Losses and λ step by step, then η*."""
    data = digits(256)
    losses = setting.pick(("ce",), ("ce", "mse"), ("ce", "mse", "mse-softmax"))
    optimizers = setting.pick(("sgd",), ("sgd", "adam"), ("sgd", "momentum", "adam"))
    cases = [(loss, optimizer, dtype) for loss in losses for optimizer in optimizers for dtype in TOLERANCE]
    for loss, optimizer, dtype in setting.while_time(cases, report):
        _steps(setting, report, data, loss, optimizer, dtype)
    for net in setting.while_time(_quick_start_nets(setting), report):
        _eta_star(setting, report, net)


def _steps(setting: Setting, report: Report, data: Dataset, loss: str, optimizer: str, dtype: str) -> None:
    net = case_of(2, 32)
    train = TrainSpec(loss, 64, setting.pick(8, 20, 40), 4, dtype, optimizer)
    scale = 0.05 if optimizer == "adam" else 1.0
    task = round_of(net, train, trials_at(4, 0.01 * scale, 0.2 * scale), data, every=4)
    here, there = (Ran.of(task, data, device) for device in ("cpu", setting.device))
    apart = dict.fromkeys(("loss", "sharpness"), 0.0)
    for key, ours in here.columns.items():
        theirs = there.columns[key]
        same = len(ours["step"]) == len(theirs["step"]) and bool((ours["step"] == theirs["step"]).all())
        report.expect(same, f"{loss}, {optimizer}, {dtype}: trial {key} has other steps")
        for name in apart if same else ():
            apart[name] = max(apart[name], _apart(ours[name], theirs[name]))
    at_start = [probe(net, train, data, device, [0, 1]) for device in ("cpu", setting.device)]
    first = max(abs(a / b - 1.0) for a, b in zip(*at_start, strict=True))
    report.row("largest relative differences", loss=loss, optimizer=optimizer, precision=dtype,
               losses=apart["loss"], sharpness=apart["sharpness"], at_start=first)  # fmt: skip
    report.expect(
        apart["loss"] <= TOLERANCE[dtype], f"{loss}, {optimizer}, {dtype}: losses apart by {apart['loss']:.1e}"
    )
    worst = max(apart["sharpness"], first)
    report.expect(worst <= SHARPNESS_TOLERANCE, f"{loss}, {optimizer}, {dtype}: λ apart by {worst:.1e}")


def _apart(a: Any, b: Any) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    return float(np.max(np.abs(a[known] - b[known]) / np.maximum(np.abs(a[known]), 1e-12), initial=0.0))


def _quick_start_nets(setting: Setting) -> list[NetSpec]:
    """Those of ``examples/quickstart-eta-star.toml``, the small ones first."""
    model = _quick_start()["model"]
    rates = (float(model["input_lr"]), 1.0, 1.0)
    sizes = [(depth, width) for width in model["width"] for depth in model["depth"]]
    return [case_of(depth, width, layer_lr=rates) for depth, width in sizes[: setting.pick(1, 2, len(sizes))]]


def _quick_start() -> dict[str, Any]:
    return tomllib.loads((ROOT / "examples" / "quickstart-eta-star.toml").read_text(encoding="utf-8"))


def _eta_star(setting: Setting, report: Report, net: NetSpec) -> None:
    """η* of two nets of an architecture both ways, from the same start."""
    file = _quick_start()
    data = digits(int(file["data"]["samples"]))
    epochs, batch = setting.pick(1, 3, 3), int(file["training"]["batch"])
    per_epoch = len(data.x) // batch
    threshold = setting.pick(0.2, file["search"]["threshold"], file["search"]["threshold"])
    train = TrainSpec("ce", batch, epochs * per_epoch, per_epoch, success="accuracy", threshold=threshold)
    seeds = [0, 1]
    starts = [START * 2.0 / value for value in probe(net, train, data, "cpu", seeds)]
    rule = SearchSpec("accuracy", setting.pick(0.5, 0.1, 0.05), 1e-5, 1e3)
    here, there = (eta_stars(net, train, data, device, rule, starts) for device in ("cpu", setting.device))
    for seed, (ours, theirs) in enumerate(zip(here, there, strict=True)):
        zone = max(exp(one.ln_zone) for one in (ours, theirs)) * (1.0 + rule.tolerance)
        known = ours.eta is not None and theirs.eta is not None
        ratio = theirs.eta / ours.eta if ours.eta is not None and theirs.eta is not None else nan
        within = known and 1.0 / zone <= ratio <= zone
        report.row("η\\* by both", depth=net.depth, width=net.width, seed=seed, cpu=ours.eta, device=theirs.eta,
                   ratio=ratio, within_ragged_zone=within)  # fmt: skip
        report.expect(
            within, f"η* of {net.depth}×{net.width} seed {seed}: {ours.eta} and {theirs.eta}, zone {zone:.2f}"
        )


class Answer:
    """What a search found, and how wide its ragged zone is in ln η."""

    def __init__(self, search: Search) -> None:
        found = search.boundary()
        self.eta, self.trials = found.eta_star, found.trials
        self.ln_zone = log(2.0) * (found.zone_octaves or 0.0)


def eta_stars(
    net: NetSpec, train: TrainSpec, data: Dataset, device: str, rule: SearchSpec, starts: Sequence[float]
) -> list[Answer]:
    """η* of one net for each start, all of them as lanes; net i has seed i."""
    searches = [Search(rule, start if isfinite(start) and start > 0 else 1.0) for start in starts]
    while wanted := list(_wanted(searches)):
        trials = tuple(TrialSpec(i, 1, seed, eta, nan) for i, (seed, eta) in enumerate(wanted))
        outcomes = Ran.of(round_of(net, train, trials, data), data, device).outcomes
        for i, (seed, eta) in enumerate(wanted):
            searches[seed].tell(eta, outcomes[i].verdict)
    return [Answer(search) for search in searches]


def _wanted(searches: Sequence[Search]) -> Iterator[tuple[int, float]]:
    return ((seed, eta) for seed, search in enumerate(searches) for eta in search.ask())
