"""The weights of a base training after some of its steps, from which forks start.

Nothing is kept between tasks: a base is trained again whenever a task needs it. It depends on its seed, its rate and
its number of steps alone, so that on one device it has the same bits each time, whatever trains beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.divergence import divergence_limit
from mlrtui_trainer.evaluation import evaluate
from mlrtui_trainer.fast.steps import CompiledSteps
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.losses import LOSSES
from mlrtui_trainer.optimizers.stepping import Stepping, optimizer_of
from mlrtui_trainer.recorded import RecordedSteps
from mlrtui_trainer.samples import Batches, Samples
from mlrtui_trainer.spec import Fork, Round, TrainSpec, TrialSpec

__all__ = ["Bases", "ForkStart", "start_of", "trained_bases"]

BLOCK = 32
"""Steps of a base that are taken in one call, where steps are compiled or recorded."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ForkStart:
    """Where some lanes start, numbered as their trials."""

    weights: Weights
    optimizer: Stepping | None  # of the bases, to be continued; None: forks have a fresh one
    lanes: Tensor  # which base of ``optimizer`` is that of each lane
    loss_initial: Floats  # of the bases at initialisation, over all training samples, [lanes]


@dataclass(frozen=True)
class Bases:
    """Some bases after their steps."""

    weights: Weights
    optimizer: Stepping
    loss_initial: Floats  # [bases]
    loss: Floats  # [bases]; NaN where the base has diverged


def start_of(task: Round, model: Model, trials: Sequence[TrialSpec], samples: Samples, device: str) -> ForkStart | None:
    """Where these trials of a round start; None: at initialisation, as they are no forks."""
    if task.fork is None:
        return None
    wanted = [(trial.seed, trial.base_eta) for trial in trials]
    distinct = list(dict.fromkeys(wanted))
    bases = trained_bases(task.train, task.fork, model, distinct, samples)
    places = [distinct.index(one) for one in wanted]
    lanes = torch.tensor(places, device=samples.x.device)
    optimizer = bases.optimizer if task.fork.state == "keep" else None
    return ForkStart(bases.weights.select(lanes), optimizer, lanes, bases.loss_initial[places])


def trained_bases(
    train: TrainSpec, fork: Fork, model: Model, nets: Sequence[tuple[int, float]], samples: Samples
) -> Bases:
    """Train a base for each (seed, rate) up to a fork's step."""
    seeds, etas = [seed for seed, _ in nets], [eta for _, eta in nets]
    dtype, device = samples.x.dtype, str(samples.x.device)
    how = replace(
        train, schedule=fork.schedule, warmup_steps=fork.warmup_steps, max_steps=max(fork.step, 1), success=None
    )
    weights = model.initial_weights(seeds, dtype, device)
    batches = Batches(samples, seeds, how.batch, how.steps_per_epoch)
    optimizer = optimizer_of(model, how, etas, dtype, device, rows=samples.rows)
    compiled = CompiledSteps.of(model, how, samples, etas)
    blocks = compiled or RecordedSteps.of(model, how, samples, BLOCK)
    initial = _losses(blocks, model, weights, samples, how.loss)
    limits = [divergence_limit(loss) if np.isfinite(loss) else np.nan for loss in initial.tolist()]
    step = 0
    while step < fork.step:
        if blocks is None:
            _descend(model, weights, optimizer, batches, how, step)
            step += 1
            continue
        count = min(BLOCK, fork.step - step, *(() if batches.full else (batches.steps_to_epoch(step),)))
        blocks.train(weights, optimizer, batches, range(step, step + count), limits)
        step += count
    loss = _losses(blocks, model, weights, samples, how.loss) if fork.step else initial
    return Bases(weights, optimizer, initial, np.where(loss <= np.array(limits), loss, np.nan))


def _losses(
    blocks: CompiledSteps | RecordedSteps | None, model: Model, weights: Weights, samples: Samples, loss: str
) -> Floats:
    """Over all training samples, evaluated as trials are."""
    return (evaluate(model, weights, samples, loss) if blocks is None else blocks.evaluate(weights, samples)).loss


@torch.inference_mode()
def _descend(model: Model, weights: Weights, optimizer: Stepping, batches: Batches, how: TrainSpec, step: int) -> None:
    loss, batch = LOSSES[how.loss], batches.at(step)
    trace = model.forward(weights, batch.x)
    signal = loss.signal(loss.start(trace.f, batch.y), batch.y)
    optimizer.descend_(weights, trace, signal)
