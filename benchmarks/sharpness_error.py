"""How wrong λ is along training: as a sweep tracks it, in float32, against cold solves in float64 at the same weights.

Every trial is trained once as a sweep does it, with λ at every step, and a second time to have the weights at every
step. There, at every third step, λ is found again by 40 products of a plain Lanczos from a random vector in double
precision. An error is relative to that value, or to a millionth of the net's first λ where it has fallen below that: of
such a λ (a saturated softmax) nothing is left in float32.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.machine import describe, save, table
from benchmarks.replay import moments, reference, track, trials_at
from benchmarks.trainings import digits
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.mlp import Mlp, Weights
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import FLAG_SHARPNESS_NOT_CONVERGED, Dataset, NetSpec, Round, SharpnessSpec, TrainSpec

NETS = (  # hidden layers, width, activation
    (1, 32, "relu"),
    (8, 32, "relu"),
    (4, 64, "relu"),
    (1, 128, "relu"),
    (2, 256, "relu"),
    (1, 8, "relu"),
    (2, 8, "tanh"),
    (2, 16, "relu"),
)
LOSSES = ("ce", "mse", "mse-softmax")
RATES = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)  # η·λ₀
SAMPLES = 128
BATCHES = (32, SAMPLES)
GOAL = 1e-3
VANISHED = 1e-6
FAR = 0.05
"""An error that misleads: no value without a flag should have it."""


@dataclass(frozen=True)
class Setting:
    """Trainings that differ in rate and seed only."""

    loss: str
    batch: int
    operator: str
    depth: int
    width: int
    activation: str = "relu"

    @property
    def net(self) -> str:
        """In words."""
        return f"{self.depth} × {self.width}" + ("" if self.activation == "relu" else f" {self.activation}")


@dataclass(frozen=True)
class Errors:
    """What one setting gave; the columns belong to its stored λ, step by step."""

    setting: Setting
    diverged: int  # trials
    grew: int  # trials whose loss rose above twice its start and came back
    products: float  # mean of a stored λ
    not_finite: int
    step: tuple[int, ...]  # those that were judged
    stored: tuple[float, ...]
    true: tuple[float, ...]
    start: tuple[float, ...]  # λ of the same net at initialisation
    flagged: tuple[bool, ...]  # as not converged

    @property
    def errors(self) -> npt.NDArray[np.float64]:
        """Relative errors."""
        true = np.array(self.true)
        floor = VANISHED * np.array(self.start)
        errors: npt.NDArray[np.float64] = np.abs(np.array(self.stored) - true) / np.maximum(np.abs(true), floor)
        return errors


def first_digits(samples: int) -> Dataset:
    """The first digits of a fixed permutation."""
    data = digits()
    rows = np.random.RandomState(0).permutation(len(data.x))[:samples]
    return Dataset(data.data_id, data.kind, data.x[rows], data.y[rows], data.labels[rows])


def measure(
    setting: Setting, data: Dataset, steps: int, judge_every: int, seeds: tuple[int, ...], rates: tuple[float, ...]
) -> Errors:
    """Train all trials of one setting, and judge λ at every ``judge_every``-th step."""
    net = NetSpec("mlp", 64, 10, setting.depth, setting.width, setting.activation)
    train = TrainSpec(setting.loss, setting.batch, steps, SAMPLES // setting.batch)
    task = Round(1, data.data_id, net, train, SharpnessSpec(setting.operator, every=1), ())
    task = Round(1, data.data_id, net, train, task.sharpness, trials_at(task, data, seeds, rates))
    tracked = track(task, data)
    step: list[int] = []
    stored: list[float] = []
    true: list[float] = []
    start: list[float] = []
    flagged: list[bool] = []
    for moment in moments(task, tracked, data):
        if moment.step % judge_every:
            continue
        step += [moment.step] * len(moment.lanes)
        stored += moment.sharpness.tolist()
        flagged += ((moment.flags & FLAG_SHARPNESS_NOT_CONVERGED) > 0).tolist()
        start += [task.trials[lane].lambda0 for lane in moment.lanes]
        true += true_sharpness(setting, net, moment.weights, data)
    kept = {name: np.concatenate([c[name] for c in tracked.columns.values()]) for name in ("products", "sharpness")}
    measured = kept["products"] > 0
    outcomes = tracked.outcomes.values()
    return Errors(
        setting,
        diverged=sum(outcome.verdict == "diverged" for outcome in outcomes),
        grew=sum(outcome.verdict != "diverged" and outcome.peak_ratio > 2.0 for outcome in outcomes),
        products=float(kept["products"][measured].mean()),
        not_finite=int((~np.isfinite(kept["sharpness"][measured])).sum()),
        step=tuple(step),
        stored=tuple(stored),
        true=tuple(true),
        start=tuple(start),
        flagged=tuple(flagged),
    )


@torch.no_grad()
def true_sharpness(setting: Setting, net: NetSpec, weights: Weights, data: Dataset) -> list[float]:
    """λ of every lane in double precision."""
    mlp, samples = Mlp.of(net), Samples.of(data, torch.float32, "cpu").to(torch.float64)  # as the training has them
    double = Weights(tuple(w.double() for w in weights.w), tuple(b.double() for b in weights.b))
    matrix = curvature(mlp, double, samples.x, samples.y, setting.loss, setting.operator)
    values: list[float] = reference(matrix.apply, weights.lanes, mlp.n_params)[0].tolist()
    return values


HEAD = (
    "loss",
    "batch",
    "operator",
    "net",
    "λ judged",
    "trials diverged, grown",
    "products each",
    "not converged",
    "not finite",
    "within 1e-3",
    "median",
    "99 %",
    "worst",
    "converged: within 1e-3",
    "worst",
    "above 5 %",
)


def rows(results: Sequence[Errors]) -> Iterator[list[str]]:
    """One line for all nets of each loss, batch and operator, one line for each net of them, one for everything."""
    groups = dict.fromkeys((one.setting.loss, one.setting.batch, one.setting.operator) for one in results)
    for loss, batch, operator in groups:
        mine = (loss, batch, operator)
        of = [one for one in results if (one.setting.loss, one.setting.batch, one.setting.operator) == mine]
        name = "full" if batch == SAMPLES else f"{batch} of {SAMPLES}"
        if len(of) > 1:
            yield [loss, name, operator, "all", *_numbers(of)]
        for one in of:
            yield [loss, name, operator, one.setting.net, *_numbers([one])]
    yield ["all", "", "", "", *_numbers(results)]


def _numbers(results: Sequence[Errors]) -> list[str]:
    errors = np.concatenate([one.errors for one in results])
    flagged = np.concatenate([one.flagged for one in results])
    trusted = errors[~flagged]
    products = np.average([one.products for one in results], weights=[len(one.stored) for one in results])
    return [
        str(len(errors)),
        f"{sum(one.diverged for one in results)}, {sum(one.grew for one in results)}",
        f"{products:.1f}",
        str(int(flagged.sum())),
        str(sum(one.not_finite for one in results)),
        f"{100 * np.mean(errors <= GOAL):.2f} %",
        *(f"{number:.0e}" for number in (np.median(errors), np.quantile(errors, 0.99), errors.max())),
        f"{100 * np.mean(trusted <= GOAL):.2f} %",
        f"{trusted.max(initial=0.0):.0e}",
        str(int((trusted > FAR).sum())),
    ]


def net_of(text: str) -> tuple[int, int, str]:
    """Hidden layers, width and activation out of "4x64" (relu) or "2x8-tanh"."""
    sizes, _, activation = text.partition("-")
    depth, _, width = sizes.partition("x")
    return int(depth), int(width), activation or "relu"


def main() -> None:
    """Measure, print a table, and write all errors to a file if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharpness_error", description=__doc__)
    parser.add_argument("--steps", type=int, default=30, help="steps of every trial (30)")
    parser.add_argument("--judge-every", type=int, default=3, help="steps between values that are judged (3)")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of every net (1)")
    parser.add_argument("--nets", type=net_of, nargs="+", default=NETS, help="depth x width, as 4x64 or 2x8-tanh")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="η·λ₀ of the trials")
    parser.add_argument("--losses", nargs="+", default=LOSSES, choices=LOSSES)
    parser.add_argument("--operators", nargs="+", default=("hessian", "gauss-newton"))
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="samples of a step, of 128 (32 128)")
    parser.add_argument("--json", type=Path, help="write every error here")
    options = parser.parse_args()

    torch.set_num_threads(1)
    data, results = first_digits(SAMPLES), []
    about = describe("cpu")
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", end="\n\n", flush=True)
    for loss, batch, operator in product(options.losses, options.batches, options.operators):
        for depth, width, activation in options.nets:
            setting = Setting(loss, batch, operator, depth, width, activation)
            seeds = tuple(range(options.seeds))
            results.append(measure(setting, data, options.steps, options.judge_every, seeds, tuple(options.rates)))
            print(" · ".join(next(rows(results[-1:]))), file=sys.stderr, flush=True)
    print(table(HEAD, list(rows(results))))
    save(options.json, about, [asdict(one) for one in results])


if __name__ == "__main__":
    main()
