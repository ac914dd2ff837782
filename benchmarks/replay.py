"""The weights behind every row of a round: its trials trained a second time and checked against the rows bit by bit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer import worker
from mlrtui_trainer.evaluation import evaluate
from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.models.losses import LOSSES, mean_loss
from mlrtui_trainer.models.mlp import Mlp, Weights, descend_, forward, initial_weights
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import Dataset, LambdaAtInit, Outcome, Probe, Round, StepBatch, TaskFailed, TrialSpec

__all__ = ["Moment", "Tracked", "initial_sharpness", "moments", "reference", "track", "trials_at"]

EXHAUSTED = 1e-12
"""Of the operator's norm: a new direction that is shorter is rounding, and the space found is all there is."""

COLUMNS = ("step", "loss", "sharpness", "products", "flags")


@dataclass(frozen=True)
class Tracked:
    """What a round gave: columns and outcomes by trial."""

    columns: dict[int, dict[str, npt.NDArray[np.float64]]]
    outcomes: dict[int, Outcome]


@dataclass(frozen=True)
class Moment:
    """One step of the trials that are still running, and λ as the round stored it."""

    step: int
    lanes: tuple[int, ...]  # places in the round's list of trials
    weights: Weights
    sharpness: npt.NDArray[np.float64]  # [lanes]
    flags: npt.NDArray[np.int64]  # [lanes]


def track(task: Round, dataset: Dataset) -> Tracked:
    """Train a round as a sweep does. Raises SystemExit where the task fails."""
    parts: dict[int, list[dict[str, npt.NDArray[np.float64]]]] = {}
    outcomes = {}
    with patch.object(CompiledSteps, "of", lambda *_: None):  # as `moments` steps: a rounding would not stay one
        messages = list(worker.run_task(task, dataset, "cpu"))
    for message in messages:
        if isinstance(message, StepBatch):
            for segment in message.segments:
                rows = slice(segment.start, segment.stop)
                parts.setdefault(segment.trial_id, []).append({name: getattr(message, name)[rows] for name in COLUMNS})
        elif isinstance(message, Outcome):
            outcomes[message.trial_id] = message
        elif isinstance(message, TaskFailed):
            raise SystemExit(f"the round failed: {message.error}")
    columns = {
        trial_id: {name: np.concatenate([part[name] for part in found]) for name in COLUMNS}
        for trial_id, found in parts.items()
    }
    return Tracked(columns, outcomes)


def initial_sharpness(task: Probe, dataset: Dataset) -> dict[int, float]:
    """λ at initialisation by net."""
    found = {}
    for message in worker.run_task(task, dataset, "cpu"):
        if isinstance(message, LambdaAtInit):
            found[message.net_id] = message.preconditioned
        elif isinstance(message, TaskFailed):
            raise SystemExit(f"the probe failed: {message.error}")
    return found


def trials_at(task: Round, dataset: Dataset, seeds: tuple[int, ...], rates: tuple[float, ...]) -> tuple[TrialSpec, ...]:
    """Trials with these η·λ₀ of the nets with these seeds, for a round like ``task``."""
    nets = tuple((seed, seed) for seed in seeds)
    probe = Probe(0, task.data_id, task.net, task.train, task.sharpness, nets)
    lambda0 = initial_sharpness(probe, dataset)
    pairs = [(seed, rate) for seed in seeds for rate in rates]
    return tuple(
        TrialSpec(i, 1, seed, rate / lambda0[seed], lambda0[seed]) for i, (seed, rate) in enumerate(pairs, start=1)
    )


def moments(task: Round, tracked: Tracked, dataset: Dataset) -> Iterator[Moment]:
    """Every step for which λ is stored and finite; the weights are used before the next one is asked for.

    Raises SystemExit where a loss is not the stored one to the last bit: the weights would be others.
    """
    mlp, train, loss = Mlp.of(task.net), task.train, LOSSES[task.train.loss]
    samples = Samples.of(dataset, torch.float32, "cpu")
    seeds = [trial.seed for trial in task.trials]
    weights = initial_weights(mlp, seeds, torch.float32, "cpu")
    batches = Batches(samples, seeds, train.batch, train.steps_per_epoch)
    factor = torch.tensor([-trial.eta / train.batch for trial in task.trials], dtype=torch.float64)
    rows = [_by_step(tracked.columns[trial.trial_id]) for trial in task.trials]
    with torch.no_grad():
        for step in range(train.max_steps + 1):
            last = step == train.max_steps
            x, y, labels = samples.all if last else batches.at(step)
            trace = forward(mlp, weights, x)
            e = loss.start(trace.f, y)  # [lanes, samples, outputs]
            losses = mean_loss(loss.per_sample(e, labels)).numpy()
            of_all = losses  # where an epoch of mini-batches ended, a row has the loss over all samples
            if step and not batches.full and step % train.steps_per_epoch == 0:
                of_all = evaluate(mlp, weights, samples, train.loss).loss
            lanes = [i for i, row in enumerate(rows) if step in row and np.isfinite(row[step][1])]
            if not last and any(rows[i][step][0] not in (losses[i], of_all[i]) for i in lanes):
                raise SystemExit(f"step {step}: the trials cannot be trained again to the last bit")
            if lanes:
                kept = weights.select(torch.tensor(lanes))
                here = np.array([rows[i][step] for i in lanes])
                yield Moment(step, tuple(lanes), kept, here[:, 1], here[:, 2].astype(np.int64))
            if not last:
                descend_(mlp, weights, trace, loss.signal(e, y) * factor.float()[:, None, None])


def _by_step(columns: dict[str, npt.NDArray[np.float64]]) -> dict[int, tuple[float, float, float]]:
    names = ("step", "loss", "sharpness", "flags")
    rows = zip(*(columns[name].tolist() for name in names), strict=True)
    return {int(step): (loss, lam, flags) for step, loss, lam, flags in rows}


def reference(apply: Callable[[Tensor], Tensor], lanes: int, size: int, products: int = 40) -> tuple[Tensor, Tensor]:
    """Largest eigenvalues [lanes] and unit vectors [lanes, size]: cold Lanczos in float64, all vectors kept.

    Without a rule to stop it early, and without any part of the solver that it judges.
    """
    products = min(products, size)
    start = torch.randn(lanes, size, dtype=torch.float64, generator=torch.Generator().manual_seed(12345))
    basis = torch.zeros(lanes, products, size, dtype=torch.float64)
    tridiagonal = torch.zeros(lanes, products, products, dtype=torch.float64)
    basis[:, 0] = start / start.norm(dim=1, keepdim=True)
    for j in range(products):
        w = apply(basis[:, j])
        seen = basis[:, : j + 1]  # [lanes, j + 1, size]
        tridiagonal[:, j, j] = (w * basis[:, j]).sum(1)
        for _ in range(2):  # once is not enough when w almost lies in the basis
            w = w - torch.bmm(torch.bmm(seen, w[:, :, None]).mT, seen)[:, 0]
        beta = w.norm(dim=1)
        goes_on = beta > EXHAUSTED * tridiagonal.abs().amax((1, 2))
        if j + 1 < products:
            tridiagonal[:, j, j + 1] = tridiagonal[:, j + 1, j] = torch.where(goes_on, beta, 0.0)
            basis[:, j + 1] = torch.where(goes_on[:, None], w / beta[:, None], 0.0)
    values, vectors = torch.linalg.eigh(tridiagonal)
    return values[:, -1], torch.bmm(vectors[:, :, -1:].mT, basis)[:, 0]
