"""The parameters of networks that are no plain stack of layers: shapes, roles and initial spread. No torch here."""

from dataclasses import dataclass
from itertools import pairwise
from math import prod, sqrt

from mlrtui_trainer.spec import NetSpec

__all__ = [
    "GAINS",
    "Parameter",
    "cnn_parameters",
    "cnn_strides",
    "forward_work",
    "heads",
    "n_params",
    "transformer_parameters",
]

GAINS = {"relu": 2.0, "linear": 1.0, "tanh": 2.0, "gelu": 2.0}
"""Initial weights before an activation have variance gain / fan_in."""

KERNEL = 3
SMALLEST = 4
"""Rows and columns of an image at which a network stops to halve it."""

POSITION_STD = 0.02


@dataclass(frozen=True)
class Parameter:
    """One tensor of parameters, normal around 0 at the start. ``uses``: places of a sample where it is applied."""

    shape: tuple[int, ...]  # [out, ...]
    role: str  # "input" | "hidden" | "output"
    std: float
    uses: int = 1

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


def cnn_strides(net: NetSpec) -> tuple[int, ...]:
    """Stride of every convolution: after the first, 2 while the image has more than 4 rows or columns, then 1."""
    strides, edge = [1], max(net.shape[1:])
    for _ in range(1, net.depth):
        strides.append(2 if edge > SMALLEST else 1)
        edge = -(-edge // strides[-1])
    return tuple(strides)


def cnn_parameters(net: NetSpec) -> tuple[Parameter, ...]:
    """Per convolution [width, channels, 3, 3] and its biases if any, then the linear head [outputs, width].

    He initialisation throughout (variance gain / fan_in), the head included; biases are zero.
    """
    channels, rows, columns = net.shape
    gain = GAINS[net.activation]
    table: list[Parameter] = []
    for layer, stride in enumerate(cnn_strides(net)):
        rows, columns = -(-rows // stride), -(-columns // stride)
        role, fan_in = "hidden" if layer else "input", channels * KERNEL * KERNEL
        shape = (net.width, channels, KERNEL, KERNEL)
        table.append(Parameter(shape, role, sqrt(gain / fan_in), rows * columns))
        if net.bias:
            table.append(Parameter((net.width,), role, 0.0, rows * columns))
        channels = net.width
    table.append(Parameter((net.outputs, net.width), "output", sqrt(gain / net.width)))
    if net.bias:
        table.append(Parameter((net.outputs,), "output", 0.0))
    return tuple(table)


def heads(width: int) -> int:
    """Attention heads of a transformer: one per 32 units, fewer where the width does not divide by that."""
    return next(count for count in range(max(1, width // 32), 0, -1) if width % count == 0)


def transformer_parameters(net: NetSpec) -> tuple[Parameter, ...]:
    """Embedding and positions, per block the projections qkv, out, up and down, then the linear head.

    All are normal with variance 1/fan_in, but for the positions (deviation 0.02), for up, before the GELU (2/fan_in),
    and for out and down, which end a residual branch (1/(2 depth fan_in), so that the branches together add as much
    as they find).
    """
    channels, rows, columns = net.shape
    d, thin = net.width, 1.0 / sqrt(2.0 * net.depth)
    block = (
        Parameter((3 * d, d), "hidden", 1.0 / sqrt(d), rows),
        Parameter((d, d), "hidden", thin / sqrt(d), rows),
        Parameter((4 * d, d), "hidden", sqrt(GAINS["gelu"] / d), rows),
        Parameter((d, 4 * d), "hidden", thin / sqrt(4.0 * d), rows),
    )
    return (
        Parameter((d, channels * columns), "input", 1.0 / sqrt(channels * columns), rows),
        Parameter((rows, d), "input", POSITION_STD),
        *(block * net.depth),
        Parameter((net.outputs, d), "output", 1.0 / sqrt(d)),
    )


_TABLES = {"cnn": cnn_parameters, "transformer": transformer_parameters}


def n_params(net: NetSpec) -> int:
    """Number of parameters of one net; 0: not known, a factory's."""
    return _dense(net) + sum(one.size for one in _table(net))


def forward_work(net: NetSpec) -> int:
    """Multiplications in one sample's forward pass, about; 0: not known, a factory's."""
    return _dense(net) + sum(one.size * one.uses for one in _table(net))


def _dense(net: NetSpec) -> int:
    if net.kind not in ("mlp", "two-layer-linear"):
        return 0
    return sum((fan_in + net.bias) * out for fan_in, out in pairwise(net.sizes))


def _table(net: NetSpec) -> tuple[Parameter, ...]:
    return _TABLES[net.kind](net) if net.kind in _TABLES else ()
