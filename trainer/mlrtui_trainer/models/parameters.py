"""The parameters of networks that are no plain stack of layers: shapes, roles and initial spread. No torch here."""

from dataclasses import dataclass
from functools import lru_cache
from math import prod, sqrt

from mlrtui_trainer.spec import NetSpec

__all__ = [
    "GAINS",
    "ROLES",
    "Parameter",
    "Stretches",
    "cnn_parameters",
    "cnn_stretches",
    "cnn_strides",
    "dense",
    "heads",
    "transformer_parameters",
    "transformer_stretches",
]

GAINS = {"relu": 2.0, "linear": 1.0, "tanh": 2.0, "gelu": 2.0}
"""Initial weights before an activation have variance gain / fan_in."""

ROLES = ("input", "hidden", "output")
"""Of parameters, by what grows with the width: the outputs of their layer, its inputs too, the inputs alone."""

KERNEL = 3
SMALLEST = 4
"""Rows and columns of an image at which a network stops to halve it."""

POSITION_STD = 0.02


@dataclass(frozen=True)
class Parameter:
    """One tensor of parameters, normal around 0 at the start. ``uses``: places of a sample where it is applied."""

    shape: tuple[int, ...]  # [out, ...]
    role: str  # one of `ROLES`
    std: float
    uses: int = 1

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


Stretches = tuple[tuple[tuple[Parameter, ...], int], ...]
"""A table in which layers that are alike stand once: their parameters, and how many times they follow each other."""


def cnn_strides(net: NetSpec) -> tuple[int, ...]:
    """Stride of every convolution: after the first, 2 while the image has more than 4 rows or columns, then 1."""
    strides, edge = [1], max(net.shape[1:])
    for _ in range(1, net.depth):
        if edge <= SMALLEST:
            break
        strides.append(2)
        edge = -(-edge // 2)
    return (*strides, *([1] * (net.depth - len(strides))))


def cnn_parameters(net: NetSpec) -> tuple[Parameter, ...]:
    """Per convolution [width, channels, 3, 3] and its biases if any, then the linear head [outputs, width].

    He initialisation throughout (variance gain / fan_in), the head included; biases are zero.
    """
    return _listed(cnn_stretches(net))


def cnn_stretches(net: NetSpec) -> Stretches:
    """`cnn_parameters`, layers that are alike once."""
    channels, rows, columns = net.shape
    gain = GAINS[net.activation]
    stretches: list[tuple[tuple[Parameter, ...], int]] = []
    last = None
    for layer, stride in enumerate(cnn_strides(net)):
        rows, columns = -(-rows // stride), -(-columns // stride)
        alike = "hidden" if layer else "input", channels, rows, columns
        if alike == last:
            stretches[-1] = stretches[-1][0], stretches[-1][1] + 1
            continue
        role, fan_in = alike[0], channels * KERNEL * KERNEL
        shape = (net.width, channels, KERNEL, KERNEL)
        kernel = Parameter(shape, role, sqrt(gain / fan_in), rows * columns)
        biases = (Parameter((net.width,), role, 0.0, rows * columns),) if net.bias else ()
        stretches.append(((kernel, *biases), 1))
        channels, last = net.width, alike
    head = Parameter((net.outputs, net.width), "output", sqrt(gain / net.width))
    biases = (Parameter((net.outputs,), "output", 0.0),) if net.bias else ()
    return (*stretches, ((head, *biases), 1))


def heads(width: int) -> int:
    """Attention heads of a transformer: one per 32 units, fewer where the width does not divide by that."""
    return next(count for count in range(max(1, width // 32), 0, -1) if width % count == 0)


def transformer_parameters(net: NetSpec) -> tuple[Parameter, ...]:
    """Embedding and positions, per block the projections qkv, out, up and down, then the linear head.

    All are normal with variance 1/fan_in, but for the positions (deviation 0.02), for up, before the GELU (2/fan_in),
    and for out and down, which end a residual branch (1/(2 depth fan_in), so that the branches together add as much
    as they find).
    """
    return _listed(transformer_stretches(net))


def transformer_stretches(net: NetSpec) -> Stretches:
    """`transformer_parameters`, layers that are alike once."""
    channels, rows, columns = net.shape
    d, thin = net.width, 1.0 / sqrt(2.0 * net.depth)
    first = (
        Parameter((d, channels * columns), "input", 1.0 / sqrt(channels * columns), rows),
        Parameter((rows, d), "input", POSITION_STD),
    )
    block = (
        Parameter((3 * d, d), "hidden", 1.0 / sqrt(d), rows),
        Parameter((d, d), "hidden", thin / sqrt(d), rows),
        Parameter((4 * d, d), "hidden", sqrt(GAINS["gelu"] / d), rows),
        Parameter((d, 4 * d), "hidden", thin / sqrt(4.0 * d), rows),
    )
    last = (Parameter((net.outputs, d), "output", 1.0 / sqrt(d)),)
    return (first, 1), (block, net.depth), (last, 1)


def dense(net: NetSpec) -> Stretches:
    """The matrices of a fully connected net, each with its biases in a column of its own."""
    bias = int(net.bias)
    if net.depth == 0:
        return ((_matrix(net.outputs, net.inputs + bias, "output"), 1),)
    first, hidden = _matrix(net.width, net.inputs + bias, "input"), _matrix(net.width, net.width + bias, "hidden")
    return (first, 1), (hidden, net.depth - 1), (_matrix(net.outputs, net.width + bias, "output"), 1)


@lru_cache(maxsize=4096)
def _matrix(out: int, columns: int, role: str) -> tuple[Parameter, ...]:
    """Of a grid's cells many have the same."""
    return (Parameter((out, columns), role, 0.0),)


def _listed(stretches: Stretches) -> tuple[Parameter, ...]:
    return tuple(one for some, times in stretches for one in some * times)
