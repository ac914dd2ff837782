"""Prints the error table of docs/numerics.md: tracked λ in float32 against tight cold solves in float64.

Run as: python tests/science/measure_sharpness_error.py
"""

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.datasets import load_digits

from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.operators import curvature, preconditioned
from mlrtui_trainer.meter import Meter
from mlrtui_trainer.models.mlp import Mlp, rate_vector
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.spec import (
    Dataset,
    LambdaAtInit,
    NetSpec,
    Outcome,
    Probe,
    Round,
    SharpnessSpec,
    StepBatch,
    TrainSpec,
    TrialSpec,
)
from mlrtui_trainer.worker import run_task

SEEDS = (0, 1, 2)


def digits(samples: int, target: str) -> Dataset:
    data = load_digits()
    order = np.random.RandomState(0).permutation(len(data.target))[:samples]
    x, t = data.data[order] - data.data[order].mean(0), data.target[order].astype(np.int64)
    if target == "parity":
        y = np.where(t % 2 == 1, 1.0, -1.0)[:, None]
        return Dataset("digits", "sign", x / x.std(), y, np.zeros(samples, np.int64))
    return Dataset("digits", "classes", x / x.std(), np.eye(10)[t], t)


class Referee:
    """Stands in for the trainer's own measurement: solves every λ a second time, tightly, in double precision."""

    def __init__(self, net: NetSpec, data: Dataset, loss: str, operator: str) -> None:
        self.mlp = Mlp.of(net)
        self.samples = Samples.of(data, torch.float64, "cpu")
        self.loss, self.operator = loss, operator
        self.errors: list[float] = []
        self.products: list[int] = []
        self.missed = 0

    def wrap(self, solve):  # type: ignore[no-untyped-def]
        def solved(meter, tracker, operator, weights, *which):  # type: ignore[no-untyped-def]
            found = solve(meter, tracker, operator, weights, *which)
            doubles = weights.to(torch.float64)
            matrix = curvature(self.mlp, doubles, self.samples.x, self.samples.y, self.loss, self.operator)
            rates = rate_vector(self.mlp, torch.float64, "cpu")
            start = start_vectors([99] * weights.lanes, self.mlp.n_params, torch.float64, "cpu")
            true = largest(preconditioned(matrix, rates), start, 1e-7, 200).value
            self.errors += list(np.abs(found.value / true - 1.0))
            self.products += list(found.products)
            self.missed += int((~found.converged).sum())
            return found

        return solved


def cases() -> Iterator[tuple[str, NetSpec, Dataset, TrainSpec, str, tuple[float, ...]]]:
    parity, classes = digits(128, "parity"), digits(256, "classes")
    yield (
        "mse, 1 × 512 relu, full batch",
        NetSpec("mlp", 64, 1, 1, 512),
        parity,
        TrainSpec("mse", 128, 60, 1),
        "gauss-newton",
        (0.5, 1.9, 2.3, 3.0),
    )
    deep = NetSpec("mlp", 64, 10, 4, 64, layer_lr=(0.1, 1.0, 1.0))
    rates = (0.5, 1.5, 2.5, 4.0)
    yield "ce, 4 × 64 relu, full batch", deep, classes, TrainSpec("ce", 256, 60, 1), "gauss-newton", rates
    yield "ce, 4 × 64 relu, batch 64", deep, classes, TrainSpec("ce", 64, 60, 4), "gauss-newton", rates
    yield "ce, 4 × 64 relu, batch 64", deep, classes, TrainSpec("ce", 64, 60, 4), "hessian", rates
    tanh = NetSpec("mlp", 64, 10, 3, 64, "tanh")
    yield "mse, 3 × 64 tanh, full batch", tanh, classes, TrainSpec("mse", 256, 60, 1), "hessian", rates


def main() -> None:
    torch.set_num_threads(1)
    own = Meter._solved
    print("case | operator | λ values | products each | not converged | median | 99 % | worst")
    for name, net, data, spec, operator, cs in cases():
        referee = Referee(net, data, spec.loss, operator)
        probe = Probe(1, "digits", net, spec, SharpnessSpec(operator), tuple((seed, seed) for seed in SEEDS))
        lam0 = {m.net_id: m.preconditioned for m in run_task(probe, data, "cpu") if isinstance(m, LambdaAtInit)}
        trials = tuple(
            TrialSpec(10 * seed + i, 1, seed, c / lam0[seed], lam0[seed]) for seed in SEEDS for i, c in enumerate(cs)
        )
        Meter._solved = referee.wrap(own)  # type: ignore[method-assign]
        messages = list(run_task(Round(2, "digits", net, spec, SharpnessSpec(operator, 1), trials), data, "cpu"))
        Meter._solved = own  # type: ignore[method-assign]
        errors = np.array(referee.errors)
        rows = sum(m.step.size for m in messages if isinstance(m, StepBatch))
        diverged = sum(m.verdict == "diverged" for m in messages if isinstance(m, Outcome))
        assert len(errors) == rows - diverged  # every row has its λ, but for the last of a trial that diverged
        print(
            f"{name} | {operator} | {len(errors)} | {np.mean(referee.products):.1f} | {referee.missed} | "
            f"{np.median(errors):.0e} | {np.quantile(errors, 0.99):.0e} | {errors.max():.0e}"
        )


if __name__ == "__main__":
    main()
