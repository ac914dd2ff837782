"""A training at one step, to go back to as often as wanted: what a fork of it begins from."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from math import isfinite, isnan, nan
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mlrtui_trainer.gauge.closure import ModelState, refuse_sharded
from mlrtui_trainer.gauge.errors import MeasureError

__all__ = ["Snapshot"]


class Snapshot:
    """All that the next steps of a training depend on, as it is now: `restore` gives the same bits again.

        snapshot = mlrtui.Snapshot(model, optimizer, scheduler, loss_initial=first_loss)
        edge = mlrtui.find_max_lr(fork, at=snapshot)     # the training goes on afterwards as if nothing had been

    Saved are parameters with their gradients, buffers (those outside ``state_dict`` too), train and eval modes, random
    states of Python, NumPy and torch, and each further part. What is not given is not saved, such as the place in a
    data loader: read the batches of the next steps into a list, and feed every fork from it.

    Tensors are copied in place, so that tied, compiled and wrapped models stay what they are. Memory: that of the
    model, its gradients and the optimizers' states once more.

    Args:
        model: what is trained.
        parts: optimizers, and anything else with ``state_dict`` and ``load_state_dict`` (schedulers, GradScaler, a
            sampler), a ``torch.Generator`` or a ``numpy.random.Generator``.
        loss_initial: the loss with which the training began, before its first step. A fork counts as survived if it
            ends below that; NaN: below the loss at the snapshot, which is too strict for a net that is nearly fitted.
        loss_constant: the loss of the best output that is the same for every input, such as half the variance of the
            targets. A fork that was shaken and ends flat within 15 % of it has collapsed; NaN: only dead nets are seen.

    Raises:
        MeasureError: a part of a kind that cannot be saved, or no optimizer among them.
        ShardedParameters: the model's parameters are spread over processes.

    Examples:
        >>> model = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> snapshot = Snapshot(model, optimizer, loss_initial=1.0)
        >>> before = model.weight.clone()
        >>> _ = nn.init.zeros_(model.weight)
        >>> snapshot.restore(lr=0.3)
        >>> bool((model.weight == before).all()), optimizer.param_groups[0]["lr"]
        (True, 0.3)
    """

    def __init__(self, model: nn.Module, *parts: Any, loss_initial: float = nan, loss_constant: float = nan) -> None:
        self.loss_initial = _loss("loss_initial", loss_initial)
        self.loss_constant = _loss("loss_constant", loss_constant)
        refuse_sharded(model, "take snapshots of a training in one process")
        self._state = ModelState(model)
        self._parameters = [
            (one, one.detach().clone(), None if one.grad is None else one.grad.detach().clone())
            for one in model.parameters()
        ]
        self._optimizers = [_Optimizer(one) for one in parts if isinstance(one, torch.optim.Optimizer)]
        if not self._optimizers:
            raise MeasureError("a snapshot needs the optimizer: Snapshot(model, optimizer, ...)")
        self._parts = [_Part(one) for one in parts if not isinstance(one, torch.optim.Optimizer)]

    @property
    def lr(self) -> float:
        """Learning rate of the first optimizer's first group when the snapshot was taken."""
        return self._optimizers[0].lr

    def restore(self, *, lr: float | None = None, fresh: bool = False) -> None:
        """Go back to it.

        Args:
            lr: learning rate of the first group of the first optimizer from now on; all others keep their ratio to it.
                A scheduler sets its own at its next step: do not step it in a fork.
            fresh: begin with optimizers that know nothing of the steps before (no velocity, no moments).
        """
        with torch.no_grad():
            for parameter, value, gradient in self._parameters:
                parameter.copy_(value)
                parameter.grad = None if gradient is None else gradient.clone()
        for part in self._parts:
            part.restore()
        for optimizer in self._optimizers:
            optimizer.restore(lr, self.lr, fresh=fresh)
        self._state.restore()  # last: restoring the others may draw

    def dead(self) -> bool:
        """Whether the gradients that lie in the model show that no weight matters any more: units that are all zero.

        A bias may still have one, as that of the last layer does. False where there are no gradients, and where those
        of the snapshot were all zero, too: that training sets them to zero after each step, and nothing shows in them.
        """
        saved = [gradient for _, _, gradient in self._parameters]
        return _all_zero(one.grad for one, _, _ in self._parameters) and not _all_zero(saved)


def _all_zero(gradients: Iterable[Tensor | None]) -> bool:
    """Of weights, biases not among them; False where there are none."""
    weights = [gradient for gradient in gradients if gradient is not None and gradient.dim() > 1]
    return bool(weights) and not any(bool(gradient.any()) for gradient in weights)


def _loss(name: str, value: float) -> float:
    loss = float(value)
    if not (isnan(loss) or (isfinite(loss) and loss > 0.0)):
        raise MeasureError(f"{name} is {value}: use a positive loss")
    return loss


class _Optimizer:
    """Groups and states by value. Not by ``load_state_dict``, which casts states to the type of the parameter."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._states = {key: _copied(value) for key, value in optimizer.state.items()}
        self._groups = [{k: _copied(v) for k, v in one.items() if k != "params"} for one in optimizer.param_groups]
        self.lr = float(self._groups[0]["lr"])
        if not (isfinite(self.lr) and self.lr > 0.0):
            raise MeasureError(f"the optimizer's learning rate is {self.lr}: take the snapshot where it is positive")

    def restore(self, lr: float | None, first: float, *, fresh: bool) -> None:
        self._optimizer.state.clear()
        if not fresh:
            self._optimizer.state.update({key: _copied(value) for key, value in self._states.items()})
        for group, saved in zip(self._optimizer.param_groups, self._groups, strict=True):
            group |= {key: _copied(value) for key, value in saved.items()}
            if lr is not None:
                group["lr"] = group["lr"] / first * lr  # in this order the first is lr to the bit; a tensor stays one


class _Part:
    """Anything else that has a state."""

    def __init__(self, part: Any) -> None:
        self._part = part
        if not (
            isinstance(part, torch.Generator | np.random.Generator)
            or (callable(getattr(part, "state_dict", None)) and callable(getattr(part, "load_state_dict", None)))
        ):
            raise MeasureError(
                f"a {type(part).__name__} cannot be saved: give optimizers, generators, and what has state_dict and "
                "load_state_dict"
            )
        self._saved = self._read()

    def _read(self) -> Any:
        if isinstance(self._part, torch.Generator):
            return self._part.get_state().clone()
        if isinstance(self._part, np.random.Generator):
            return deepcopy(self._part.bit_generator.state)
        return _copied(self._part.state_dict())

    def restore(self) -> None:
        if isinstance(self._part, torch.Generator):
            self._part.set_state(self._saved.clone())
        elif isinstance(self._part, np.random.Generator):
            self._part.bit_generator.state = deepcopy(self._saved)
        else:
            self._part.load_state_dict(_copied(self._saved))  # some keep what they are given


def _copied(value: Any) -> Any:
    """By value, tensors without their graph; keys are themselves, which may be parameters."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    return deepcopy(value)
