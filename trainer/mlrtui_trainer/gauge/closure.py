"""A user's loss as a function of her parameters alone: the same every time, and leaving nothing behind.

Before each forward pass random states and buffers are those of the first; after it they are put back. Modes
(train or eval) and the user's autocast are left as they are: they are part of what is measured.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mlrtui_trainer.curvature.double_backward import can_compile, uncompiled, with_second_derivatives
from mlrtui_trainer.gauge.errors import NotReproducible, ShardedParameters, WrongBatch

__all__ = ["Closure", "LossFunction", "ModelState", "RandomStates", "local", "refuse_sharded", "undisturbed"]

LossFunction = Callable[[Any, Any], Tensor]
"""From a model and a batch to a scalar."""

SAME = 1e-6
"""Relative difference of two losses beyond which they are not the same: kernels of a GPU may add in another order."""


@dataclass(frozen=True)
class _Buffer:
    owner: nn.Module
    name: str
    tensor: Tensor | None
    value: Tensor | None


def _is_sharded(parameter: Tensor) -> bool:
    """Whether this process holds a part of it (a DTensor)."""
    return type(parameter.data).__name__ == "DTensor" or hasattr(parameter, "placements")


def local(tensor: Tensor) -> Tensor:
    """The part of this process, sharing memory with it; the tensor itself where it is whole."""
    part: Tensor = tensor.to_local() if _is_sharded(tensor) else tensor  # type: ignore[attr-defined]
    return part


def _processes() -> int:
    return torch.distributed.get_world_size()


class RandomStates:
    """Of Python, NumPy and torch at some moment, and the way back to them."""

    def __init__(self) -> None:
        self._random = random.getstate()
        self._numpy = np.random.get_state()
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def restore(self) -> None:
        """As they were, to the bit."""
        random.setstate(self._random)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._cpu)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)


class ModelState:
    """Random states, buffers and modes of some moment, and the way back to it. Parameters are not among them."""

    def __init__(self, model: nn.Module) -> None:
        self._random = RandomStates()
        modules = list(model.modules())
        self._modes = [(module, module.training) for module in modules]
        self._buffers = [
            _Buffer(module, name, tensor, None if tensor is None else tensor.detach().clone())
            for module in modules
            for name, tensor in module._buffers.items()
        ]

    def restore(self, *, buffers: bool = True) -> None:
        """As it was, to the bit; buffers that were replaced are the old objects again."""
        self._random.restore()
        for module, training in self._modes:
            module.training = training
        for one in self._buffers if buffers else ():
            one.owner._buffers[one.name] = one.tensor
            # by value: the kernel of BatchNorm writes its statistics without counting it as a change of version
            if one.tensor is not None and one.value is not None and not torch.equal(one.tensor, one.value):
                with torch.no_grad():
                    one.tensor.copy_(one.value)


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Whatever happens inside leaves the model's buffers, modes and all random states as they were."""
    saved = ModelState(model)
    try:
        yield
    finally:
        saved.restore()


@contextmanager
def _copied_buffers(model: nn.Module) -> Iterator[None]:
    """Copies in place of all buffers: the graph may hold them, and putting the originals back must not touch those."""
    held = [(part, name, t) for part in model.modules() for name, t in part._buffers.items() if t is not None]
    copies = {id(t): t.detach().clone() for _, _, t in held}
    for part, name, t in held:
        part._buffers[name] = copies[id(t)]
    try:
        yield
    finally:
        for part, name, t in held:
            part._buffers[name] = t


_WHOLE = "measure a whole copy of the model in one process, or call mlrtui.critical_sharpness on all processes together"


def refuse_sharded(model: nn.Module, remedy: str = _WHOLE) -> None:
    """Raise ShardedParameters where a trained parameter is in parts, as under FSDP."""
    sharded = [name for name, p in model.named_parameters() if p.requires_grad and _is_sharded(p)]
    if sharded:
        raise ShardedParameters(f"{sharded[0]} is spread over processes (DTensor): {remedy}")


class Closure:
    """The loss of one batch. Differentiable parameters only; tied ones once, frozen ones never."""

    def __init__(self, model: nn.Module, loss_fn: LossFunction, batch: Any, *, sharded: bool = False) -> None:
        """``sharded``: parameters that are spread over processes will do. Raises ShardedParameters, WrongBatch."""
        self.model, self.loss_fn, self.batch = model, loss_fn, batch
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.sharded = any(_is_sharded(p) for _, p in named)
        if not sharded:
            refuse_sharded(model)
        if not named:
            raise WrongBatch("the model has no parameter that is trained (requires_grad is False for all)")
        self.names = [name for name, _ in named]
        self.parameters = [p for _, p in named]
        self._at = ModelState(model)
        self.forwards = 0
        recurrent = any(isinstance(part, nn.RNNBase) for part in model.modules())
        self._recurrent = recurrent and any(p.is_cuda for p in self.parameters)

    @property
    def size(self) -> int:
        """Real numbers in all parameters: a complex one counts twice."""
        return sum(p.numel() * (2 if p.is_complex() else 1) for p in self.parameters)

    @property
    def mode(self) -> str:
        """ "train", "eval" or "mixed": what the model's parts are in, on which sharpness depends."""
        modes = {part.training for part in self.model.modules()}
        return "mixed" if len(modes) > 1 else "train" if modes == {True} else "eval"

    def restore(self) -> None:
        """Random states, buffers and modes as they were when it was made."""
        self._at.restore()

    def graph(self) -> Tensor:
        """The loss with its graph, made by operations that can be differentiated twice."""
        could_compile = can_compile()
        loss = self._with_graph()
        return self._with_graph() if can_compile() and not could_compile else loss  # compiled for the first time in it

    def _with_graph(self) -> Tensor:
        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            stack.enter_context(with_second_derivatives(self._recurrent))
            stack.enter_context(uncompiled())
            stack.enter_context(_copied_buffers(self.model))
            return self._forward()

    def value(self) -> float:
        """The loss alone: the model's own kernels, compiled or not; of sharded models the mean over processes."""
        with torch.no_grad():
            loss = self._forward()
            return self.summed(float(loss)) / _processes() if self.sharded else float(loss)

    def summed(self, value: float) -> float:
        """Of sharded models the sum over processes, the same on all; else the value itself."""
        if not self.sharded:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=local(self.parameters[0]).device)
        torch.distributed.all_reduce(total)
        return float(total)

    def check_reproducible(self, *, finite: bool = True) -> float:
        """The loss; raises NotReproducible where another call gives another, WrongBatch where it must be finite."""
        first, second = self.value(), self.value()
        if not np.isfinite(first) and not np.isfinite(second):
            if not finite:
                return first
            raise WrongBatch(f"the loss of this batch is {first}")
        if abs(first - second) > SAME * max(abs(first), abs(second)):
            raise NotReproducible(
                f"the loss is {first:.7g}, then {second:.7g} for the same weights, batch and random state: loss_fn "
                "draws from something else (a data queue, a generator of its own) or keeps state in plain attributes"
            )
        return first

    def _forward(self) -> Tensor:
        self._at.restore(buffers=not torch.is_grad_enabled())
        self.forwards += 1
        try:
            loss = self.loss_fn(self.model, self.batch)
        finally:
            self._at.restore(buffers=not torch.is_grad_enabled())
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise WrongBatch(f"loss_fn(model, batch) must return a scalar tensor, not {what}")
        return loss.reshape(())
