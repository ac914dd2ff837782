"""Evaluates the measures of a round's spec: at which steps, and what they see of the lanes."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property

import torch
from torch import Tensor

from mlrtui_trainer.measures import MEASURES
from mlrtui_trainer.models.base import Model, Weights, flatten
from mlrtui_trainer.models.losses import Loss
from mlrtui_trainer.samples import Batch
from mlrtui_trainer.spec import Measured, MeasureSpec, TrainSpec

__all__ = ["Gauges", "LanesAt"]


class LanesAt:
    """All lanes at one step: a `measures.Moment`."""

    def __init__(
        self, step: int, model: Model, loss: Loss, weights: Weights, initial: Tensor, batch: Batch, together: bool
    ) -> None:
        self.step, self.initial = step, initial
        self._model, self._loss, self._lanes, self._batch, self._together = model, loss, weights, batch, together

    @cached_property
    def weights(self) -> Tensor:
        """See `measures.Moment`."""
        return flatten(self._lanes)

    @cached_property
    def gradient(self) -> Tensor:
        """See `measures.Moment`; lane by lane where a batch of lanes would change their bits."""
        if self._together:
            return self._gradient(self._lanes, self._batch)
        batch = self._batch
        shared = batch.x.shape[0] == 1
        parts = []
        for i in range(self._lanes.lanes):
            own = slice(0, 1) if shared else slice(i, i + 1)
            parts.append(self._gradient(self._lanes.lane(i), Batch(batch.x[own], batch.y[own], batch.labels[own])))
        return torch.cat(parts)

    def _gradient(self, weights: Weights, batch: Batch) -> Tensor:
        trace = self._model.forward(weights, batch.x)
        signal = self._loss.signal(self._loss.start(trace.f, batch.y), batch.y)
        return flatten(self._model.gradient(weights, trace, signal / signal.shape[1]))


class Gauges:
    """The measures of some lanes. Lanes are numbered as the weights stack them."""

    def __init__(
        self, spec: MeasureSpec, model: Model, loss: Loss, train: TrainSpec, weights: Weights, etas: Sequence[float]
    ) -> None:
        """``weights`` are the initial ones. Raises UnknownNameError for a measure that is not installed here."""
        self.every = spec.every
        self._measures = [(name, MEASURES[name]) for name in spec.names]
        self._model, self._loss, self._train = model, loss, train
        self._etas = list(etas)
        self._initial = flatten(weights).clone()

    @torch.inference_mode()
    def measure(self, step: int, weights: Weights, batch: Batch) -> dict[int, tuple[Measured, ...]]:
        """What all measures say of these weights, by lane."""
        x = batch.x
        together = x.device.type != "cpu" or self._model.runs_together(
            x.shape[1], x.element_size(), own_inputs=x.shape[0] > 1
        )
        lanes = LanesAt(step, self._model, self._loss, weights, self._initial, batch, together)
        found: dict[int, tuple[Measured, ...]] = {}
        for name, measure in self._measures:
            for i, value in enumerate(measure.of(lanes).detach().cpu().double().tolist()):
                edge = float("nan") if measure.edge is None else measure.edge(self._train, self._etas[i])
                found[i] = (*found.get(i, ()), Measured(name, value, edge))
        return found

    def select(self, keep: Sequence[int]) -> "Gauges":
        """The measures of the lanes with these numbers."""
        part = copy(self)
        part._etas = [self._etas[i] for i in keep]
        part._initial = self._initial[list(keep)]
        return part
