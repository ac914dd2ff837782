"""Takes an optimizer's steps with stacked lanes: what it keeps from step to step, decay, layers' rates.

Every lane has its own learning rate η, every layer its multiplier. Products and sums are separate operations: fused
ones would round by a number's place in the batch.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy

import torch
from torch import Tensor

from mlrtui_trainer.models.base import Model, Trace, Weights, flatten
from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.schedules import rate_of
from mlrtui_trainer.spec import TrainSpec

__all__ = ["Stepping", "forms_gradient", "held", "optimizer_of"]


def forms_gradient(train: TrainSpec) -> bool:
    """Whether a step needs the gradient by itself, and does not add it to the weights as it comes."""
    return OPTIMIZERS[train.optimizer].step is not None or train.weight_decay > 0.0 or train.clip > 0.0


def held(train: TrainSpec) -> int:
    """Tensors of the weights' size that are held during a step, beside the weights: the state and the gradient."""
    return len(OPTIMIZERS[train.optimizer].state) + forms_gradient(train)


def optimizer_of(
    model: Model, train: TrainSpec, etas: Sequence[float], dtype: torch.dtype, device: str, *, rows: int = 1
) -> "Stepping":
    """The optimizer that a spec names, before its first step; ``rows`` of the outputs belong to a sample.

    Raises UnknownNameError for a name that is not known.
    """
    eta = torch.tensor(list(etas), dtype=torch.float64)[:, None, None]  # [lanes, 1, 1]
    rates = eta if forms_gradient(train) else -eta / (train.batch * rows)
    return Stepping(model, train, rates.to(dtype).to(device))


CLIP_EPS = 1e-6
"""Added to the norm that is divided by, as in torch."""


class Stepping:
    """How some lanes move. Lanes are numbered as the weights stack them."""

    def __init__(self, model: Model, train: TrainSpec, rates: Tensor) -> None:
        self._model, self._train, self._optimizer = model, train, OPTIMIZERS[train.optimizer]
        self._forms_gradient = forms_gradient(train)
        self.rates = rates
        """What tells lanes apart, [lanes, 1, 1]: the learning rate, or -η/batch. Where it is zero a lane stays."""
        self._steps: int | Tensor = 0
        self._factor: Tensor | None = None  # of the rates, where steps are recorded
        self._state: tuple[Weights, ...] | None = None

    @property
    def ready(self) -> bool:
        """Whether the operator that decides stability is known before the next step."""
        return self._optimizer.diagonal is None or bool(self._steps > 0)

    def descend_(self, weights: Weights, trace: Trace, signal: Tensor) -> None:
        """One step in place; ``signal`` [lanes, rows, outputs] is d loss / d f of each row of the batch."""
        self._steps += 1
        rates = self._rates_now()
        if not self._forms_gradient:
            self._model.descend_(weights, trace, signal * rates)
            self._model.advance_(weights, trace)
            return
        how, decay = self._train, self._train.weight_decay
        gradient = self._model.gradient(weights, trace, signal / signal.shape[1])
        if how.clip > 0.0:
            _clip(gradient, self._model.rate, how.clip)
        state = self.memory(weights)
        for at, (w, g, rate) in enumerate(_by_layer(self._model, weights, gradient)):
            if decay > 0.0 and self._optimizer.decay == "coupled":
                g.add_(w * decay)
            kept = tuple(_tensors(part)[at] for part in state)
            step = g if self._optimizer.step is None else self._optimizer.step(how, g, kept, self._steps)
            if rate == 0.0:
                continue  # a frozen layer stays
            by = (-rates * rate).reshape(-1, *[1] * (w.ndim - 1))
            if decay > 0.0 and self._optimizer.decay == "decoupled":
                w.mul_(1.0 + by * decay)
            w.add_(step * by)
        self._model.advance_(weights, trace)

    def at(self, step: int) -> None:
        """Tell steps that are recorded which one comes next: only the host knows its rate."""
        if self._factor is not None:
            self._factor.fill_(rate_of(self._train, step))

    def _rates_now(self) -> Tensor:
        """`rates` by the schedule, for the step that ``_steps`` counts already."""
        if not self._train.is_scheduled:
            return self.rates
        if self._factor is not None:
            return self.rates * self._factor
        return self.rates * rate_of(self._train, int(self._steps) - 1)

    def diagonal(self) -> Tensor | None:
        """What the curvature is preconditioned by beside the layers' rates, [lanes, n_params]; None: nothing."""
        of, state = self._optimizer.diagonal, self._state
        if of is None or state is None or not self.ready:
            return None
        w, b = ([of(self._train, kept, self._steps) for kept in zip(*parts, strict=True)] for parts in _columns(state))
        return flatten(Weights(tuple(w), tuple(b)))

    def memory(self, weights: Weights) -> tuple[Weights, ...]:
        """What it remembers from step to step, for steps that are taken elsewhere and change it in place."""
        if self._state is None:
            self._state = tuple(_mapped(weights, torch.zeros_like) for _ in self._optimizer.state)
        return self._state

    @property
    def steps(self) -> int:
        """Steps taken so far, those before a fork included where its state was kept."""
        return int(self._steps)

    def advance(self, steps: int) -> None:
        """Count steps that were taken elsewhere."""
        self._steps += steps

    def continues(self, other: "Stepping", lanes: Tensor) -> None:
        """Take over what the other remembers of these of its lanes, as a copy, and go on counting its steps."""
        self._steps = other.steps
        self._state = None if other._state is None else tuple(one.select(lanes) for one in other._state)

    def clock(self) -> Tensor | None:
        """Count steps in this number on the device from now on; None: no step depends on how many there were.

        The rate of a schedule is then that which `at` was told last.
        """
        if self._train.is_scheduled:
            self._factor = torch.ones((), dtype=self.rates.dtype, device=self.rates.device)
        if self._optimizer.step is None:
            return None
        self._steps = torch.tensor(float(self._steps), dtype=torch.float64, device=self.rates.device)
        return self._steps

    def select(self, keep: Tensor) -> "Stepping":
        """The optimizer of the lanes with these numbers."""
        part = copy(self)
        part.rates = self.rates[keep]
        part._state = None if self._state is None else tuple(one.select(keep) for one in self._state)
        return part


def _clip(gradient: Weights, rates: Sequence[float], most: float) -> None:
    """Scale each lane's gradient down to this norm, in place, as torch's clip_grad_norm_; frozen layers do not count.

    On a CPU lane by lane: a sum over several lanes takes its terms in another order than over one.
    """
    moved = [g for g, rate in zip(_tensors(gradient), (*rates, *rates), strict=False) if rate != 0.0]
    together = moved[0].device.type != "cpu"
    groups = [slice(None)] if together else [slice(i, i + 1) for i in range(gradient.lanes)]
    squares = [sum((g[at].double() ** 2).flatten(1).sum(1) for g in moved) for at in groups]
    norm = torch.cat([one for one in squares if isinstance(one, Tensor)]).sqrt()  # [lanes]
    factor = (most / (norm + CLIP_EPS)).clamp(max=1.0)
    for g in _tensors(gradient):
        g.mul_(factor.to(g.dtype).reshape(-1, *[1] * (g.ndim - 1)))


def _by_layer(model: Model, weights: Weights, gradient: Weights) -> Iterable[tuple[Tensor, Tensor, float]]:
    """Weights, gradient and layer's rate of every tensor, in the order of `_tensors`."""
    rates = model.rate * (2 if weights.b else 1)
    return zip(_tensors(weights), _tensors(gradient), rates, strict=True)


def _tensors(weights: Weights) -> tuple[Tensor, ...]:
    return (*weights.w, *weights.b)


def _columns(state: Sequence[Weights]) -> tuple[list[tuple[Tensor, ...]], list[tuple[Tensor, ...]]]:
    """The matrices of every part of the state, and the biases."""
    return [part.w for part in state], [part.b for part in state]


def _mapped(weights: Weights, function: Callable[[Tensor], Tensor]) -> Weights:
    return Weights(tuple(map(function, weights.w)), tuple(map(function, weights.b)))
