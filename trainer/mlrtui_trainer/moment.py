"""Evaluates the measures of a round: at which steps, and what they see of the lanes."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from math import nan
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlrtui_trainer.layers import LayerCheck, knows_layers
from mlrtui_trainer.measures import LAYER_SIZES, MEASURES, Measure
from mlrtui_trainer.models.base import Model, Weights, flatten
from mlrtui_trainer.models.losses import Loss
from mlrtui_trainer.samples import Batch, Samples
from mlrtui_trainer.spec import Measured, Round

__all__ = ["Gauges", "LanesAt"]


class LanesAt:
    """All lanes at one step: a `measures.Moment`."""

    def __init__(
        self,
        step: int,
        model: Model,
        loss: Loss,
        weights: Weights,
        initial: Tensor,
        batch: Batch | None = None,
        check: LayerCheck | None = None,
    ) -> None:
        """``batch``: this step's; None after the last update of mini-batches, which have none for it."""
        self.step, self.initial = step, initial
        self._model, self._loss, self._lanes, self._batch, self._check = model, loss, weights, batch, check

    @cached_property
    def weights(self) -> Tensor:
        """See `measures.Moment`."""
        return flatten(self._lanes)

    @cached_property
    def gradient(self) -> Tensor:
        """See `measures.Moment`; lane by lane where a batch of lanes would change their bits."""
        batch = self._batch
        if batch is None:
            raise ValueError("a measure that looks at the batch's gradient is one of_batch")
        samples, shared = batch.x.shape[1], batch.x.shape[0] == 1
        if batch.x.device.type != "cpu" or self._model.runs_together(
            samples, batch.x.element_size(), own_inputs=not shared
        ):
            return self._gradient(self._lanes, batch)
        parts = []
        for i in range(self._lanes.lanes):
            own = slice(0, 1) if shared else slice(i, i + 1)
            parts.append(self._gradient(self._lanes.lane(i), Batch(batch.x[own], batch.y[own], batch.labels[own])))
        return torch.cat(parts)

    @cached_property
    def tensors(self) -> Mapping[str, slice]:
        """See `measures.Moment`: a user's parameters by their names, of ours "1" (the input layer) and "1 bias"."""
        names = getattr(self._model, "names", ()) or [str(i + 1) for i in range(len(self._lanes.w))]
        found, start = {}, 0
        for i, name in enumerate(names):
            tensors = [(name, self._lanes.w[i]), *([(f"{name} bias", self._lanes.b[i])] if self._lanes.b else [])]
            for key, tensor in tensors:
                found[key] = slice(start, start + tensor[0].numel())
                start = found[key].stop
        return found

    @cached_property
    def layer_sizes(self) -> Mapping[str, Mapping[str, Any]]:
        """See `measures.Moment`."""
        if self._check is None:
            raise ValueError("sizes of layers are measured of trainings that record them: record.layers = true")
        return self._check.measure(self._lanes)

    def _gradient(self, weights: Weights, batch: Batch) -> Tensor:
        trace = self._model.forward(weights, batch.x)
        signal = self._loss.signal(self._loss.start(trace.f, batch.y), batch.y)
        return flatten(self._model.gradient(weights, trace, signal / signal.shape[1]))


class _Gauge(NamedTuple):
    name: str
    measure: Measure
    every: int

    def is_due(self, step: int) -> bool:
        last = self.measure.last_step
        return step % self.every == 0 and (last is None or step <= last)


class Gauges:
    """The measures of some lanes. Lanes are numbered as the weights stack them."""

    def __init__(
        self, task: Round, model: Model, loss: Loss, weights: Weights, etas: Sequence[float], samples: Samples
    ) -> None:
        """``weights`` are the initial ones. Raises UnknownNameError for a measure that is not installed here."""
        asked = [(name, task.measures.every) for name in task.measures.names]
        self._check: LayerCheck | None = None
        if task.train.record_layers and knows_layers(model):  # packages may bring models of another kind
            self._check = LayerCheck(model, weights, samples)
            asked += [(name, 1) for name in LAYER_SIZES]
        self._gauges = [_Gauge(name, MEASURES[name], every) for name, every in asked]
        self._model, self._loss, self._train = model, loss, task.train
        self._etas = list(etas)
        self._initial = flatten(weights).clone() if self._gauges else torch.empty(len(self._etas), 0)

    def steps_to_next(self, step: int) -> float:
        """Steps from this one to the next at which something is measured; infinite: nothing more is."""
        ahead = (gauge.every - step % gauge.every for gauge in self._gauges)
        return min(
            (n for gauge, n in zip(self._gauges, ahead, strict=True) if gauge.is_due(step + n)), default=float("inf")
        )

    def are_due(self, step: int) -> bool:
        """Whether something is measured at this step."""
        return any(gauge.is_due(step) for gauge in self._gauges)

    @torch.inference_mode()
    def measure(self, step: int, weights: Weights, batch: Batch | None) -> dict[int, tuple[Measured, ...]]:
        """What the measures that are due at this step say of these weights, by lane. ``batch``: see `LanesAt`."""
        due = [
            gauge for gauge in self._gauges if gauge.is_due(step) and (batch is not None or not gauge.measure.of_batch)
        ]
        if not due:
            return {}
        lanes = LanesAt(step, self._model, self._loss, weights, self._initial, batch, self._check)
        found: list[list[Measured]] = [[] for _ in self._etas]
        for gauge in due:
            edges = [self._edge(gauge.measure, eta) for eta in self._etas]
            for part, values in self._values(gauge, lanes):
                for own, value, edge in zip(found, values, edges, strict=True):
                    own.append(Measured(gauge.name, value, edge, part))
        return {i: tuple(own) for i, own in enumerate(found)}

    def _values(self, gauge: _Gauge, lanes: LanesAt) -> Iterator[tuple[str, list[float]]]:
        """What one measure says: its parts, with a number for each lane."""
        assert gauge.measure.of is not None, f"{gauge.name} is a by-product of λ"
        given = gauge.measure.of(lanes)
        parts = given if isinstance(given, Mapping) else {"": given}
        for tensor in parts.values():
            if tuple(tensor.shape) != (len(self._etas),):
                raise ValueError(f"measure {gauge.name!r} gives {tuple(tensor.shape)} for {len(self._etas)} lanes")
        if not parts:
            return
        numbers = torch.stack([tensor.detach().double() for tensor in parts.values()]).cpu().tolist()
        yield from zip(map(str, parts), numbers, strict=True)

    def _edge(self, measure: Measure, eta: float) -> float:
        return measure.edge(self._train, eta) if callable(measure.edge) else nan

    def select(self, keep: Sequence[int]) -> "Gauges":
        """The measures of the lanes with these numbers."""
        part = copy(self)
        part._etas = [self._etas[i] for i in keep]
        part._initial = self._initial[list(keep)]
        part._check = None if self._check is None else self._check.select(keep)
        return part
