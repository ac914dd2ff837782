"""What training, λ and evaluation ask of a network: stacked lanes of it, a forward pass and a descent step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Model", "Trace", "Weights", "flatten", "stacked"]


@dataclass(frozen=True)
class Weights:
    """Parameters of stacked lanes: ``w[l]`` [lanes, ...]; of fully connected nets [lanes, out, in].

    ``b[l]`` [lanes, 1, out] are the biases of fully connected nets; empty where there are none, and in other models,
    whose biases are parameters like all others. ``nets``: the seed of every lane's net, where nets of different seeds
    differ in more than their parameters (buffers, frozen parameters); else empty. ``state``, where nets are trained in
    training mode: the updates done, [lanes] int64, then what training passes change beside parameters, [lanes, ...].
    """

    w: tuple[Tensor, ...]
    b: tuple[Tensor, ...] = ()
    nets: tuple[int, ...] = ()
    state: tuple[Tensor, ...] = ()

    @property
    def lanes(self) -> int:
        """Number of stacked lanes."""
        return self.w[0].shape[0]

    def select(self, keep: Tensor) -> "Weights":
        """The lanes with these numbers, as a copy."""
        nets = tuple(self.nets[i] for i in keep.cpu().tolist()) if self.nets else ()
        w, b = (tuple(t[keep] for t in some) for some in (self.w, self.b))
        return Weights(w, b, nets, self._states(keep))

    def clone(self) -> "Weights":
        """The same numbers in memory of their own."""
        state = tuple(s.clone() for s in self.state)
        return Weights(tuple(w.clone() for w in self.w), tuple(b.clone() for b in self.b), self.nets, state)

    def to(self, dtype: torch.dtype) -> "Weights":
        """The same in another precision; itself where that is its own."""
        if self.w[0].dtype == dtype:
            return self
        state = tuple(s.to(dtype) if s.is_floating_point() else s for s in self.state)
        return Weights(tuple(w.to(dtype) for w in self.w), tuple(b.to(dtype) for b in self.b), self.nets, state)

    def lane(self, i: int) -> "Weights":
        """One lane, sharing memory."""
        w, b = (tuple(t[i : i + 1] for t in tensors) for tensors in (self.w, self.b))
        return Weights(w, b, self.nets[i : i + 1], self._states(slice(i, i + 1)))

    def _states(self, lanes: Tensor | slice) -> tuple[Tensor, ...]:
        return tuple(s[lanes] for s in self.state)

    def addresses(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where the lanes' matrices and biases lie in memory, [lanes, layers]; a lane's own must lie without gaps."""
        lanes = np.arange(self.lanes)[:, None]  # [lanes, 1]

        def places(tensors: tuple[Tensor, ...]) -> npt.NDArray[np.int64]:
            first = np.array([t.data_ptr() for t in tensors], dtype=np.int64)  # [layers]
            step = np.array([t.element_size() * t.stride(0) for t in tensors], dtype=np.int64)
            return np.ascontiguousarray(first + lanes * step)

        return places(self.w), places(self.b)


class Trace(Protocol):
    """What a forward pass leaves for the descent step."""

    @property
    def f(self) -> Tensor:
        """The outputs, [lanes, samples, outputs]."""


class Model(Protocol):
    """An architecture. Lanes share nothing; a flat vector of parameters holds each tensor in turn, row by row.

    A trace is passed back to the model that made it, so its type is the model's own affair.
    """

    @property
    def n_params(self) -> int:
        """Length of a flat parameter vector."""

    @property
    def rate(self) -> tuple[float, ...]:
        """Multiplier of the learning rate for each of ``Weights.w``, and its biases; 0: frozen."""

    @property
    def units(self) -> int:
        """Numbers that a sample leaves in memory in a forward pass, about."""

    def initial_weights(self, seeds: list[int], dtype: torch.dtype, device: str) -> Weights:
        """Stack the initial weights of nets with these seeds; lanes of one seed start from the same net."""

    def forward(self, weights: Weights, x: Tensor) -> Trace:
        """Outputs of every lane for x [lanes or 1, samples, inputs]."""

    def descend_(self, weights: Weights, trace: Any, delta: Tensor) -> None:
        """One step of gradient descent, in place: ``delta`` [lanes, samples, outputs] is d loss / d f times -η/batch.

        The layers' rates come on top.
        """

    def gradient(self, weights: Weights, trace: Any, delta: Tensor) -> Weights:
        """The gradient by every parameter, without the layers' rates; ``delta`` is d loss / d f over the batch."""

    def advance_(self, weights: Weights, trace: Any) -> None:
        """What a step changes beside parameters, in place."""

    def dead(self, trace: Any) -> Tensor:
        """1 for lanes whose last hidden ReLU layer is zero everywhere, else 0; [lanes]."""

    def hidden(self, trace: Any) -> Tensor | None:
        """The last hidden layer [lanes, samples, units]; None where it is not known.

        Of a net without hidden layers it is ones, which never grow.
        """

    def rate_vector(self, dtype: torch.dtype, device: str) -> Tensor:
        """The learning-rate multiplier of every parameter, [n_params]."""

    def runs_together(self, samples: int, itemsize: int, *, own_inputs: bool = False) -> bool:
        """Whether lanes may share a batch on a CPU and still get the bits that each would get alone.

        ``samples`` per pass; ``own_inputs``: every lane has its own copy of them. Where false, lanes run one by one.
        """


def stacked(
    draw: Callable[[int], Sequence[npt.NDArray[np.float64]]], seeds: list[int], dtype: torch.dtype, device: str
) -> tuple[Tensor, ...]:
    """What ``draw`` gives for these seeds, [lanes, ...] each; drawn once for lanes of one seed."""
    distinct = list(dict.fromkeys(seeds))
    nets = [draw(seed) for seed in distinct]
    slot = torch.tensor([distinct.index(seed) for seed in seeds], device=device)
    return tuple(torch.from_numpy(np.stack(same)).to(dtype).to(device)[slot] for same in zip(*nets, strict=True))


def flatten(weights: Weights) -> Tensor:
    """All parameters as [lanes, n_params]."""
    parts = []
    for layer, w in enumerate(weights.w):
        parts.append(w.flatten(1))
        if weights.b:
            parts.append(weights.b[layer].flatten(1))
    return torch.cat(parts, dim=1)
