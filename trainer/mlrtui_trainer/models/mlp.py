"""Fully connected networks as stacked lanes, with forward pass and descent step written out by hand.

A lane is one training. Layer l computes z = scale_l · W h + b, then h = φ(z); the last layer's z is the output f.
The order of the parameters in a flat vector is: per layer from the input, W row by row ([out, in]), then b if any.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.models.activations import ACTIVATIONS, Activation
from mlrtui_trainer.models.base import Weights, flatten, stacked
from mlrtui_trainer.models.gemm import accumulate_, aligned, matmul
from mlrtui_trainer.models.parametrizations import PARAMETRIZATIONS
from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import NetSpec

__all__ = [
    "Mlp",
    "Trace",
    "Weights",
    "dead",
    "descend_",
    "draw",
    "flatten",
    "forward",
    "gradient",
    "initial_weights",
    "rate_vector",
    "runs_together",
    "unflatten",
]


@dataclass(frozen=True)
class Mlp:
    """An architecture as numbers per weight layer."""

    sizes: tuple[int, ...]  # units from inputs to outputs; layer l maps sizes[l] to sizes[l + 1]
    activation: str
    bias: bool
    std: tuple[float, ...]  # of the initial weights; biases start at zero
    scale: tuple[float, ...]  # forward multiplier
    rate: tuple[float, ...]  # multiplier of the learning rate; 0: frozen

    @classmethod
    def of(cls, net: NetSpec, optimizer: str = "sgd") -> "Mlp":
        """The architecture that a spec names, with its layers' rates under an optimizer.

        A net without hidden layers has an output layer only. Raises ValueError for a kind, activation or
        parametrization that is not built, and for one that has no rates under the optimizer.
        """
        if net.activation not in ACTIVATIONS:
            raise ValueError(f"activation {net.activation!r} is not built: use one of {', '.join(ACTIVATIONS)}")
        if net.parametrization not in PARAMETRIZATIONS:
            known = ", ".join(PARAMETRIZATIONS)
            raise ValueError(f"parametrization {net.parametrization!r} is not built: use one of {known}")
        sizes = net.sizes
        layers = len(sizes) - 1
        lr_input, lr_hidden, lr_output = net.layer_lr
        own = (lr_output,) if layers == 1 else (lr_input, *([lr_hidden] * (layers - 2)), lr_output)
        table, ratio = PARAMETRIZATIONS[net.parametrization], net.width / net.base_width
        rate = tuple(a * b for a, b in zip(own, table.rates(layers, ratio, optimizer), strict=True))
        if net.kind == "mlp":
            gain = ACTIVATIONS[net.activation].gain if net.init_variance is None else net.init_variance
            *below, top = (sqrt(gain / fan_in) for fan_in in sizes[:-1])
            std, scale = (*below, top * table.output_factor(layers, ratio)), (1.0,) * layers
        elif net.kind == "two-layer-linear":
            if net.depth != 1 or net.bias or net.activation != "linear" or net.parametrization != "sp":
                raise ValueError("two-layer-linear has depth 1, no bias, activation 'linear' and a scaling of its own")
            std, scale = (1.0, 1.0), (1.0, 1.0 / sqrt(net.width))
        else:
            raise ValueError(f"model kind {net.kind!r} is not built: use 'mlp' or 'two-layer-linear'")
        return cls(sizes, net.activation, net.bias, std, scale, rate)

    @property
    def phi(self) -> Activation:
        """The hidden layers' activation."""
        return ACTIVATIONS[self.activation]

    @property
    def layers(self) -> int:
        """Number of weight layers."""
        return len(self.sizes) - 1

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of every weight layer."""
        return tuple(zip(self.sizes[1:], self.sizes[:-1], strict=True))

    @property
    def n_params(self) -> int:
        """Length of a flat parameter vector."""
        return sum(out * (fan_in + self.bias) for out, fan_in in self.shapes)

    @property
    def units(self) -> int:
        """Numbers that a sample leaves in memory in a forward pass."""
        return sum(self.sizes)

    def initial_weights(self, seeds: list[int], dtype: torch.dtype, device: str) -> Weights:
        """See `initial_weights`."""
        return initial_weights(self, seeds, dtype, device)

    def advance_(self, weights: Weights, trace: "Trace") -> None:
        """Nothing beside parameters."""

    def forward(self, weights: Weights, x: Tensor) -> "Trace":
        """See `forward`."""
        return forward(self, weights, x)

    def descend_(self, weights: Weights, trace: "Trace", delta: Tensor) -> None:
        """See `descend_`."""
        descend_(self, weights, trace, delta)

    def gradient(self, weights: Weights, trace: "Trace", delta: Tensor) -> Weights:
        """See `gradient`."""
        return gradient(self, weights, trace, delta)

    def dead(self, trace: "Trace") -> Tensor:
        """See `dead`."""
        return dead(self, trace)

    def hidden(self, trace: "Trace") -> Tensor:
        """The last hidden layer [lanes, samples, units]; ones without one."""
        return trace.h[-1] if self.layers > 1 else torch.ones_like(trace.f[..., :1])

    def rate_vector(self, dtype: torch.dtype, device: str) -> Tensor:
        """See `rate_vector`."""
        return rate_vector(self, dtype, device)

    def runs_together(self, samples: int, itemsize: int, *, own_inputs: bool = False) -> bool:
        """See `runs_together`."""
        return runs_together(self, samples, itemsize, own_inputs=own_inputs)


@dataclass(frozen=True)
class Trace:
    """What a forward pass leaves: ``h[0]`` the inputs, ``h[l]`` hidden layer l, and the output f.

    ``z[l]`` is the value before ``h[l + 1]``; it is its own tensor only where the activation needs it again.
    """

    h: tuple[Tensor, ...]  # [lanes, samples, units]
    z: tuple[Tensor, ...]
    f: Tensor  # [lanes, samples, outputs]


def draw(mlp: Mlp, seed: int) -> list[npt.NDArray[np.float64]]:
    """Initial weight matrices of one net, [out, in] each: the same on every device and in every precision."""
    return [
        generator(seed, "weights", layer).standard_normal(shape) * std
        for layer, (shape, std) in enumerate(zip(mlp.shapes, mlp.std, strict=True))
    ]


def initial_weights(mlp: Mlp, seeds: list[int], dtype: torch.dtype, device: str) -> Weights:
    """Stack the initial weights of nets with these seeds; lanes of one seed start from the same net."""
    w = stacked(lambda seed: draw(mlp, seed), seeds, dtype, device)
    b = tuple(torch.zeros(len(seeds), 1, out, dtype=dtype, device=device) for out, _ in mlp.shapes)
    return Weights(w, b if mlp.bias else ())


def forward(mlp: Mlp, weights: Weights, x: Tensor) -> Trace:
    """Outputs of every lane for x [lanes or 1, samples, inputs]."""
    h = x.expand(weights.lanes, -1, -1)  # [lanes, samples, in]
    hs, zs = [h], list[Tensor]()
    phi = mlp.phi
    for layer in range(mlp.layers):
        z = matmul(h, weights.w[layer].mT)  # [lanes, samples, out]
        if mlp.scale[layer] != 1.0:
            z.mul_(mlp.scale[layer])
        if mlp.bias:
            z.add_(weights.b[layer])
        if layer == mlp.layers - 1:
            return Trace(tuple(hs), tuple(zs), z)
        h = phi.value(z)  # [lanes, samples, out]
        hs.append(h)
        zs.append(z)
    raise ValueError("a net needs at least one weight layer")


def descend_(mlp: Mlp, weights: Weights, trace: Trace, delta: Tensor) -> None:
    """One step of gradient descent, in place.

    ``delta`` [lanes, samples, outputs] is the loss's signal times -η/batch: the backward pass is linear, so the
    products that would be gradients are already the updates, and no gradient is ever stored.
    """
    for layer, signal, push in _backward(mlp, weights, trace, delta):
        rate = mlp.rate[layer]
        if rate != 0.0:
            accumulate_(weights.w[layer], push.mT, trace.h[layer], alpha=rate)  # [lanes, out, in]
            if mlp.bias:
                weights.b[layer].add_(signal.sum(1, keepdim=True).mul_(rate))


def gradient(mlp: Mlp, weights: Weights, trace: Trace, delta: Tensor) -> Weights:
    """The gradient by every parameter, without the layers' rates; ``delta`` is the loss's signal over the batch."""
    w, b = list[Tensor](), list[Tensor]()  # from the output layer to the input layer
    for layer, signal, push in _backward(mlp, weights, trace, delta):
        w.append(matmul(push.mT, trace.h[layer]))  # [lanes, out, in]
        if mlp.bias:
            b.append(signal.sum(1, keepdim=True))  # [lanes, 1, out]
    return Weights(tuple(w[::-1]), tuple(b[::-1]))


def _backward(mlp: Mlp, weights: Weights, trace: Trace, delta: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """From the output layer down: layer, the signal before it and that times its scale, [lanes, samples, out] each.

    A layer's weights may be changed while it is had: what passes through them has passed.
    """
    for layer in reversed(range(mlp.layers)):
        push = delta if mlp.scale[layer] == 1.0 else delta * mlp.scale[layer]
        back = matmul(push, weights.w[layer]) if layer else None  # [lanes, samples, in]
        yield layer, delta, push
        if back is not None:
            delta = mlp.phi.pull(back, trace.h[layer], trace.z[layer - 1])


def dead(mlp: Mlp, trace: Trace) -> Tensor:
    """1 for lanes whose last hidden ReLU layer is zero everywhere, else 0; [lanes]."""
    if mlp.activation != "relu" or mlp.layers == 1:
        return torch.zeros(trace.f.shape[0], dtype=torch.float64, device=trace.f.device)
    return (trace.h[-1].amax((1, 2)) <= 0.0).double()


def unflatten(mlp: Mlp, flat: Tensor) -> Weights:
    """The inverse of `flatten`, into memory of its own: flat [lanes, n_params]."""
    w, b, at = [], [], 0
    for out, fan_in in mlp.shapes:
        w.append(_copy(flat[:, at : at + out * fan_in]).view(-1, out, fan_in))
        at += out * fan_in
        if mlp.bias:
            b.append(_copy(flat[:, at : at + out]).view(-1, 1, out))
            at += out
    return Weights(tuple(w), tuple(b))


def _copy(part: Tensor) -> Tensor:
    return part.clone(memory_format=torch.contiguous_format)


def rate_vector(mlp: Mlp, dtype: torch.dtype, device: str) -> Tensor:
    """The learning-rate multiplier of every parameter, [n_params]."""
    rates = [
        torch.full((out * (fan_in + mlp.bias),), rate, dtype=dtype)
        for (out, fan_in), rate in zip(mlp.shapes, mlp.rate, strict=True)
    ]
    return torch.cat(rates).to(device)


def runs_together(mlp: Mlp, samples: int, itemsize: int, *, own_inputs: bool = False) -> bool:
    """Whether lanes of this net may share a batch and still get the bits that each would get alone.

    ``samples`` per pass; ``own_inputs``: every lane has its own copy of them. Where false, lanes run one by one.
    """
    counts = [out * fan_in for out, fan_in in mlp.shapes]
    counts += [samples * units for units in mlp.sizes[0 if own_inputs else 1 :]]
    return aligned(counts, itemsize)
