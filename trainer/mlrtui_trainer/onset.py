"""Where a catapult begins: the rate at which one step leaves the loss of its batch as it is (Kalra & Barkeshli 2024).

Smaller rates lower the loss, larger ones raise it. It takes a few forward passes and no training.
"""

from math import isfinite, nan

import torch
from torch import Tensor

from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.losses import LOSSES, mean_loss
from mlrtui_trainer.optimizers.stepping import Stepping, optimizer_of
from mlrtui_trainer.samples import Batch
from mlrtui_trainer.spec import TrainSpec

__all__ = ["catapult_onsets"]

DOUBLINGS = 40
"""Most times that a rate is doubled, or halved, before there is a rate on each side."""

TOLERANCE = 0.01
"""The bracket is closed when its ends differ by this, relatively."""

ROUNDING = 1e-5
"""Relative change of the loss, at half the rate, below which its sign is one of rounding: there is no answer then."""


@torch.inference_mode()
def catapult_onsets(
    model: Model,
    train: TrainSpec,
    weights: Weights,
    batch: Batch,
    near: list[float],
    before: Stepping | None = None,
) -> list[float]:
    """The smallest rate at which one step raises the loss of its batch, of each lane; NaN where none is found.

    Searched by doubling and halving, then by bisection, so that of several crossings a far one may be found.

    Args:
        model: the net.
        train: loss and optimizer of the step; a rate of its own schedule is not looked at.
        weights: where the step starts, of stacked lanes; they stay.
        batch: what each lane's step sees.
        near: for each lane the rate to begin at, such as 2/λ; NaN: 10⁻³.
        before: the optimizer whose state the step goes on with; None: a fresh one.
    """
    first = _losses(model, train, weights, batch)
    rates = [rate if isfinite(rate) and rate > 0.0 else 1e-3 for rate in near]
    found = [nan] * weights.lanes
    low, high, lows = [0.0] * weights.lanes, [nan] * weights.lanes, [nan] * weights.lanes
    open_ = [lane for lane, loss in enumerate(first) if isfinite(loss)]
    for tried in range(2 * DOUBLINGS):
        if not open_:
            break
        losses = _losses(model, train, _stepped(model, train, weights, batch, rates, before), batch)
        for lane in list(open_):
            if losses[lane] <= first[lane]:
                low[lane], lows[lane] = rates[lane], losses[lane]
            else:  # NaN and infinity are a rise, too
                high[lane] = rates[lane]
            both = low[lane] > 0.0 and isfinite(high[lane])
            if both and high[lane] <= low[lane] * (1.0 + TOLERANCE):
                found[lane] = (low[lane] * high[lane]) ** 0.5
            if isfinite(found[lane]) or (not both and tried >= DOUBLINGS):
                open_.remove(lane)
            elif both:
                rates[lane] = (low[lane] * high[lane]) ** 0.5
            else:
                rates[lane] *= 2.0 if low[lane] > 0.0 else 0.5
    half = [rate / 2.0 if isfinite(rate) else 1e-3 for rate in found]
    falls = _losses(model, train, _stepped(model, train, weights, batch, half, before), batch)
    sound = (before_ - after > ROUNDING * before_ for before_, after in zip(first, falls, strict=True))
    return [rate if ok else nan for rate, ok in zip(found, sound, strict=True)]


def _losses(model: Model, train: TrainSpec, weights: Weights, batch: Batch) -> list[float]:
    """Of the batch, a number for each lane."""
    loss = LOSSES[train.loss]
    f = model.forward(weights, batch.x).f
    values: list[float] = mean_loss(loss.per_sample(loss.start(f, batch.y), batch.labels)).tolist()
    return values


def _stepped(
    model: Model, train: TrainSpec, weights: Weights, batch: Batch, rates: list[float], before: Stepping | None
) -> Weights:
    """The weights after one step at these rates."""
    loss, moved = LOSSES[train.loss], weights.clone()
    dtype, device = moved.w[0].dtype, str(moved.w[0].device)
    optimizer = optimizer_of(model, train, rates, dtype, device, rows=batch.labels.shape[1] // train.batch)
    if before is not None:
        optimizer.continues(before, torch.arange(moved.lanes, device=moved.w[0].device))
    trace = model.forward(moved, batch.x)
    signal: Tensor = loss.signal(loss.start(trace.f, batch.y), batch.y)
    optimizer.descend_(moved, trace, signal)
    return moved
