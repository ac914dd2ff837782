"""Networks given as a function of their parameters; every derivative comes from automatic differentiation.

On a CPU each lane runs by itself, because a batch of convolutions or attentions rounds otherwise than a single one; on
a GPU all lanes run as one batched program.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.curvature.autograd import AutogradCurvature, PieceByPiece
from mlrtui_trainer.models.base import Weights, flatten, stacked
from mlrtui_trainer.models.losses import Loss, mean_loss
from mlrtui_trainer.models.parameters import ROLES, Parameter
from mlrtui_trainer.models.parametrizations import PARAMETRIZATIONS
from mlrtui_trainer.samples import one_hot
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import NetSpec

__all__ = [
    "PIECE_BYTES",
    "RECORDED_BYTES",
    "General",
    "GeneralTrace",
    "Layers",
    "Made",
    "Moved",
    "Network",
    "drawn",
    "general",
    "recordable",
    "scaling",
]

PIECE_BYTES = 1 << 27
"""Numbers of one forward pass that λ looks at in one go, per lane: a product holds several times as much."""

RECORDED_BYTES = 1 << 28
"""Numbers of one forward pass of all lanes, at most, of products that are recorded as a CUDA graph: larger ones take
longer than their launches, and a recording holds its memory as long as it is there."""

Network = Callable[[Sequence[Tensor], Tensor], tuple[Tensor, Tensor]]
"""Parameters and x [samples, inputs] → the outputs [samples, outputs] and the last hidden layer [samples, units]."""


@dataclass(frozen=True)
class Layers:
    """The linear maps of a network, for what looks at each of them."""

    passed: Callable[[Sequence[Tensor], Tensor], list[tuple[Tensor, Tensor]]]
    """Parameters and x [samples, inputs] → input and output of each, from the first on: [samples, ...]. The output is
    taken behind the activation, where one follows."""

    apply: Callable[[int, Tensor, Sequence[Tensor], bool], Tensor]
    """Number of a map, its input and the net's parameters → its output before the activation, with or without what is
    added to it (biases, positions)."""


Moved = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor], Iterator[tuple[Tensor, Tensor, Tensor]]]
"""Parameters now and at the start, x [samples, inputs] → of each linear map its output, effective and propagating
update, see `layers`."""


@dataclass(frozen=True)
class Made:
    """What was found out about a user's nets when they were tried on real rows of the data."""

    name: str  # as the sweep names their factory
    parameters: int  # numbers that are trained; a complex one counts twice
    frozen: int  # numbers of parameters that need no gradient
    complex: bool  # whether some parameters are complex: trained as pairs of real numbers
    integers: bool  # whether they take whole numbers (int64), not floats
    double: bool  # whether they compute in double precision when they are given it
    same: bool  # whether all seeds give the same net
    constant: tuple[str, ...]  # buffers that a forward pass changes and no output depends on; held as they were
    blame: Callable[[int, Tensor], str]  # seed, x → the layer whose derivatives are wrong, as a phrase
    verdicts: dict[tuple[Hashable, str, str, Hashable], object] = field(default_factory=dict)  # of λ (`verification`)


@dataclass(frozen=True)
class GeneralTrace:
    """A forward pass that was recorded: ``graph`` is f as a function of the ``leaves``."""

    f: Tensor  # [lanes, samples, outputs]
    last: Tensor  # [lanes, samples, units], the last hidden layer
    graph: Tensor
    leaves: tuple[Tensor, ...]  # the parameters, [lanes, ...] each


@dataclass(frozen=True)
class General:
    """A network as a function, with what is known of its parameters."""

    network: Network
    shapes: tuple[tuple[int, ...], ...]  # of one lane's parameters
    rate: tuple[float, ...]  # multiplier of the learning rate per parameter tensor; 0: frozen
    draw: Callable[[int], Sequence[npt.NDArray[np.float64]]]  # seed → initial parameters
    units: int
    dies: bool  # whether a last hidden layer that is zero everywhere can never come back: ReLU
    layers: Layers | None = None  # None: a user's net, see ``layers_of``
    layers_of: Callable[[int], Moved] | None = None  # seed → how its layers have moved
    layered: bool = True  # whether the network's second result is its last hidden layer; a user's own may not say
    of_net: Callable[[int], Network] | None = None  # seed → its network, where seeds differ in more than parameters
    made_of: Callable[[int, torch.dtype, torch.device], object] | None = None  # makes what that network needs
    recording: Callable[[], AbstractContextManager[object]] = nullcontext  # around what is differentiated twice
    alone: bool = False  # lanes run one by one on a GPU too
    made: "Made | None" = None  # what is known of a user's nets; None: ours
    classes: int = 0  # where every token of a sample has one: their number, see `samples.Samples`
    names: tuple[str, ...] = ()  # of a user's parameter tensors
    autocast: torch.dtype | None = None  # of passes that train or evaluate; λ is always in full precision

    @property
    def n_params(self) -> int:
        """Length of a flat parameter vector."""
        return sum(map(prod, self.shapes))

    def initial_weights(self, seeds: list[int], dtype: torch.dtype, device: str) -> Weights:
        """Stack the initial weights of nets with these seeds; lanes of one seed start from the same net."""
        nets = () if self.of_net is None else tuple(seeds)
        return Weights(stacked(self.draw, seeds, dtype, device), nets=nets)

    def forward(self, weights: Weights, x: Tensor) -> GeneralTrace:
        """Outputs of every lane for x [lanes or 1, samples, inputs]."""
        with torch.inference_mode(False), torch.enable_grad():
            leaves = tuple(recordable(w).requires_grad_() for w in weights.w)
            with self.in_precision(x):
                f, last = self._lanes(leaves, recordable(x), self.keys(weights))
            if self.autocast is not None:
                f, last = f.to(x.dtype), last.to(x.dtype)
        return GeneralTrace(f.detach(), last.detach(), f, leaves)

    def in_precision(self, x: Tensor) -> AbstractContextManager[object]:
        """Around passes that train or evaluate."""
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(x.device.type, dtype=self.autocast, cache_enabled=False)

    def in_lower(self, dtype: torch.dtype) -> "General":
        """The same, trained and evaluated under autocast."""
        return replace(self, autocast=dtype)

    def keys(self, weights: Weights) -> tuple[Any, ...]:
        """What lanes differ in beside parameters, by lane; empty: in nothing."""
        return weights.nets

    def advance_(self, weights: Weights, trace: GeneralTrace) -> None:
        """Nothing beside parameters."""

    def gradient(self, weights: Weights, trace: GeneralTrace, delta: Tensor) -> Weights:
        """Jᵀ δ per lane for δ [lanes, samples, outputs], in the shape of the weights, without the layers' rates."""
        with torch.inference_mode(False):
            pulled = torch.autograd.grad(trace.graph, trace.leaves, recordable(delta), materialize_grads=True)
        return Weights(tuple(part.contiguous() for part in pulled))

    def descend_(self, weights: Weights, trace: GeneralTrace, delta: Tensor) -> None:
        """One step of gradient descent, in place; ``delta`` is the loss's signal times -η/batch."""
        step = self.gradient(weights, trace, delta)
        for w, change, rate in zip(weights.w, step.w, self.rate, strict=True):
            if rate != 0.0:
                w.add_(change if rate == 1.0 else change * rate)

    def dead(self, trace: GeneralTrace) -> Tensor:
        """1 for lanes whose last hidden ReLU layer is zero everywhere, else 0; [lanes]."""
        if not self.dies:
            return torch.zeros(trace.f.shape[0], dtype=torch.float64, device=trace.f.device)
        return (trace.last.amax((1, 2)) <= 0.0).double()

    def hidden(self, trace: GeneralTrace) -> Tensor | None:
        """The last hidden layer [lanes, samples, units], where the network tells it."""
        return trace.last if self.layered else None

    def rate_vector(self, dtype: torch.dtype, device: str) -> Tensor:
        """The learning-rate multiplier of every parameter, [n_params]."""
        rates = [torch.full((prod(shape),), rate) for shape, rate in zip(self.shapes, self.rate, strict=True)]
        return torch.cat(rates).to(dtype).to(device)

    def runs_together(self, samples: int, itemsize: int, *, own_inputs: bool = False) -> bool:
        """Never on a CPU."""
        return False

    def curvature(
        self, weights: Weights, x: Tensor, y: Tensor, loss: Loss, full: bool
    ) -> AutogradCurvature | PieceByPiece:
        """The Hessian (``full``) or the Gauss-Newton matrix of the mean loss over x [samples, inputs], y."""
        flat, samples, nets = flatten(weights), x.shape[0], self.keys(weights)
        row = self.units * x.element_size()
        rows = max(1, PIECE_BYTES // row)
        part = partial(self._curvature, flat, nets, keeps=rows >= samples)
        part = partial(part, repeats=self.made is None and flat.shape[0] * samples * row <= RECORDED_BYTES)
        pieces = [part(x[at : at + rows], y[at : at + rows], loss, full) for at in range(0, samples, rows)]
        if len(pieces) == 1:
            return pieces[0]
        return PieceByPiece(pieces, [min(rows, samples - at) / samples for at in range(0, samples, rows)])

    def _curvature(
        self,
        flat: Tensor,
        nets: tuple[Any, ...],
        x: Tensor,
        y: Tensor,
        loss: Loss,
        full: bool,
        *,
        keeps: bool,
        repeats: bool = False,
    ) -> AutogradCurvature:
        with torch.inference_mode(False):
            inputs, targets = recordable(x)[None], recordable(y)[None]
            if self.classes:
                targets = one_hot(targets, self.classes, x.dtype)
            labels = targets.argmax(-1, keepdim=True)  # [1, rows, 1]; only losses over one-hot targets look at them

        def model(flat: Tensor, nets: tuple[Any, ...] = ()) -> Tensor:
            with self.recording():
                return self._lanes(self._parts(flat), inputs, nets)[0]

        return AutogradCurvature(
            model,
            lambda f: mean_loss(loss.per_sample(loss.start(f, targets), labels)),
            flat,
            not full,
            keeps,
            nets,
            repeats,
        )

    def _parts(self, flat: Tensor) -> list[Tensor]:
        """[lanes, n_params] → the parameters, [lanes, ...] each."""
        sizes = [prod(shape) for shape in self.shapes]
        cut = torch.split(flat, sizes, dim=1)
        return [part.reshape(-1, *shape) for part, shape in zip(cut, self.shapes, strict=True)]

    def _lanes(self, parameters: Sequence[Tensor], x: Tensor, nets: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        """The network of every lane: outputs [lanes, samples, outputs] and last hidden layers."""
        own, lanes = x.shape[0] > 1, range(parameters[0].shape[0])
        if x.device.type != "cpu" and not self.alone:
            return self._together(parameters, x, nets)
        # copies, so that each lane's parameters start on a boundary, as they do where it is alone
        alone = [self._network(nets, i)([w[i].clone() for w in parameters], x[i if own else 0]) for i in lanes]
        return torch.stack([f for f, _ in alone]), torch.stack([last for _, last in alone])

    def _together(self, parameters: Sequence[Tensor], x: Tensor, nets: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        """`_lanes` as batched programs: one for all lanes, or one for those of each net."""
        own = x.shape[0] > 1
        if len(set(nets)) <= 1:
            if self.made_of is not None:  # before: a batched program may draw no random numbers
                self.made_of(nets[0], x.dtype, x.device)
            batched = torch.func.vmap(self._network(nets, 0), in_dims=(0, 0 if own else None))
            outputs, last = batched(tuple(parameters), x if own else x[0])
            return outputs, last
        of = {net: [i for i, one in enumerate(nets) if one == net] for net in dict.fromkeys(nets)}
        *groups, back = _places(tuple(map(tuple, of.values())), x.device)
        parts = [
            self._together([w[lanes] for w in parameters], x[lanes] if own else x, (net,) * len(lanes))
            for net, lanes in zip(of, groups, strict=True)
        ]
        return torch.cat([f for f, _ in parts])[back], torch.cat([last for _, last in parts])[back]

    def _network(self, nets: tuple[Any, ...], lane: int) -> Network:
        return self.network if self.of_net is None else self.of_net(nets[lane])


@lru_cache(maxsize=64)
def _places(groups: tuple[tuple[int, ...], ...], device: torch.device) -> list[Tensor]:
    """The numbers of these lanes as a device knows them, and the order that undoes them all; sent to it once."""
    with torch.inference_mode(False):
        places = [torch.tensor(group, device=device) for group in groups]
        return [*places, torch.cat(places).argsort()]


def drawn(table: Sequence[Parameter]) -> Callable[[int], list[npt.NDArray[np.float64]]]:
    """Initial parameters by seed: the same on every device and in every precision."""

    def draw(seed: int) -> list[npt.NDArray[np.float64]]:
        return [
            generator(seed, "weights", i).standard_normal(one.shape) * one.std if one.std else np.zeros(one.shape)
            for i, one in enumerate(table)
        ]

    return draw


def general(
    net: NetSpec, network: Network, table: Sequence[Parameter], layers: Layers, optimizer: str, *, dies: bool
) -> General:
    """The model of a network that has these parameters; every one's learning rate goes by its role.

    Raises ValueError for a parametrization that has no rates under the optimizer.
    """
    by_role, top = scaling(net, optimizer)
    return General(
        network,
        tuple(one.shape for one in table),
        tuple(by_role[one.role] for one in table),
        drawn([replace(one, std=one.std * top) if one.role == "output" else one for one in table]),
        units=sum(one.shape[0] * one.uses for one in table) + net.inputs,
        dies=dies,
        layers=layers,
    )


def scaling(net: NetSpec, optimizer: str) -> tuple[dict[str, float], float]:
    """Multiplier of the learning rate by role, and factor of the output weights' initial deviation.

    Raises ValueError for a parametrization that has no rates under the optimizer.
    """
    table, ratio = PARAMETRIZATIONS[net.parametrization], net.width / net.base_width
    rates = table.rates(len(ROLES), ratio, optimizer)
    by_role = {role: own * rate for role, own, rate in zip(ROLES, net.layer_lr, rates, strict=True)}
    return by_role, table.output_factor(len(ROLES), ratio)


def recordable(values: Tensor) -> Tensor:
    """The same numbers as a tensor that a gradient can be recorded for."""
    return values.clone() if values.is_inference() else values.detach()
