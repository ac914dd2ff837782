"""The linear layers of a user's module, as a forward pass meets them: linear maps, convolutions and embeddings.

A layer that is applied several times counts each time, in the order of the calls. What torch computes without calling
a layer's ``forward`` (an ``nn.MultiheadAttention``), and a layer whose ``forward`` is overridden, is not seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from mlrtui_trainer.models.general import Moved
from mlrtui_trainer.models.user_code import FactoryError
from mlrtui_trainer.models.user_nets import Lane, UserNets

__all__ = ["moved_layers"]

Seen: TypeAlias = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Embedding
SEEN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
_FORWARDS = frozenset(kind.forward for kind in SEEN)  # a subclass with one of its own need not be linear


class _Pass(NamedTuple):
    """A layer at one of its applications, with the weights that it had."""

    layer: Seen
    h: Tensor  # its input
    output: Tensor
    weight: Tensor
    bias: Tensor | None


def moved_layers(users: UserNets, seed: int, *, training: bool) -> Moved:
    """Of the net of a seed. ``training``: passes are in training mode, both with the random numbers of the first step.

    Raises FactoryError, when it is called, for a net without such layers, and for one whose passes differ in them.
    """

    def moved(now: Sequence[Tensor], start: Sequence[Tensor], x: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        after, before = (_passes(users, seed, parameters, x, training) for parameters in (now, start))
        if not after:
            raise FactoryError(
                f"{users.call}: record.layers sees nn.Linear, nn.Conv and nn.Embedding, and its module calls none; "
                "remove record.layers"
            )
        if [one.layer for one in after] != [one.layer for one in before]:
            raise FactoryError(f"{users.call}: its module calls other layers as it trains; remove record.layers")
        for one, first in zip(after, before, strict=True):
            own = _applied(one.layer, one.h, one.weight - first.weight)
            if one.bias is not None and first.bias is not None:
                own = own + (one.bias - first.bias).reshape(-1, *[1] * _trailing(one.layer))
            if isinstance(one.layer, nn.Embedding):
                yield one.output, own, torch.zeros_like(own)  # tokens never move
            else:
                yield one.output, own, _applied(one.layer, one.h - first.h, first.weight)

    return moved


def _passes(users: UserNets, seed: int, parameters: Sequence[Tensor], x: Tensor, training: bool) -> list[_Pass]:
    """A forward pass over x, layer by layer."""
    found: list[_Pass] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], named: Mapping[str, Tensor], output: Tensor) -> None:
        assert isinstance(layer, SEEN)
        h = given[0] if given else named["input"]
        weight, bias = layer.weight.detach(), getattr(layer, "bias", None)
        # copies: what follows may write over them
        kept = (h.detach().clone(), output.detach().clone(), weight.clone())
        found.append(_Pass(layer, *kept, None if bias is None else bias.detach().clone()))

    module = users.module(seed, x.dtype, x.device)
    seen = [part for part in module.modules() if type(part).forward in _FORWARDS]
    hooks = [part.register_forward_hook(note, with_kwargs=True) for part in seen]
    try:
        if training:
            state = tuple(users.initial_state(seed, x.dtype, x.device))
            users.trained(Lane(seed, 0, state), parameters, x)
        else:
            users.forward(seed, parameters, x)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _applied(layer: Seen, h: Tensor, weight: Tensor) -> Tensor:
    """The layer's map without its bias, with this weight."""
    if isinstance(layer, nn.Linear):
        return functional.linear(h, weight)
    if isinstance(layer, nn.Embedding):
        return functional.embedding(h, weight)
    convolved: Tensor = layer._conv_forward(h, weight, None)
    return convolved


def _trailing(layer: Seen) -> int:
    """How many dimensions follow that of the outputs."""
    return 0 if isinstance(layer, nn.Linear | nn.Embedding) else len(layer.kernel_size)
