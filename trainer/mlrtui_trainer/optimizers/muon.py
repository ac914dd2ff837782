"""Muon (Jordan 2024): Nesterov's momentum, made orthogonal by Newton-Schulz, with decoupled decay, as torch has it.

torch computes the iteration in bfloat16; here it has the precision of the training. Every matrix moves by Muon, input
and output layer included; a vector is a matrix of one row, whose step is its direction, and a convolution one of
[out, in·rows·columns].
"""

from collections.abc import Mapping
from math import prod, sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING

from mlrtui_trainer.optimizers.base import Optimizer, Powers
from mlrtui_trainer.spec import TrainSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MUON", "orthogonal"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
EPS = 1e-7

MUON_POWERS: Mapping[str, Powers] = MappingProxyType({"sp": (0.0, 0.0, 0.0), "mup": (0.0, 0.0, -0.5)})
"""A step's spectral norm is √max(1, out/in), what features of every width need, but for the output layer: it has 1, and
needs √(out/in)."""


def orthogonal(matrix: "Tensor") -> "Tensor":
    """About U Vᵀ of matrices U S Vᵀ, [lanes, rows, columns]: singular values from 0.7 to 1.2, tiny ones less."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[1] > matrix.shape[2]
    x = matrix.mT if tall else matrix
    x = x / x.square().sum((1, 2), keepdim=True).sqrt().clamp(min=EPS)  # spectral norm at most 1
    for _ in range(ITERATIONS):
        gram = x.bmm(x.mT)
        x = x * a + (gram * b + gram.bmm(gram) * c).bmm(x)
    return x.mT if tall else x


def _step(how: TrainSpec, g: "Tensor", state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """Orthogonal (1 − β)g + βm of the mean m, times √max(1, rows/columns)."""
    (mean,) = state
    mean.mul_(how.momentum).add_(g * (1.0 - how.momentum))
    ahead = g.mul_(1.0 - how.momentum).add_(mean * how.momentum)
    columns = prod(g.shape[2:])
    rows = g.shape[1] if g.ndim > 2 else 1
    matrices = ahead.reshape(-1, rows, columns if g.ndim > 2 else g.shape[1])
    step = matrices.new_empty(matrices.shape)
    if matrices.device.type == "cpu":  # one by one: a batch of products rounds otherwise than a single one
        for lane in range(len(step)):
            step[lane] = orthogonal(matrices[lane : lane + 1].clone())[0]
    else:
        step = orthogonal(matrices)
    return (step * sqrt(max(1.0, step.shape[1] / step.shape[2]))).reshape(g.shape)


MUON = Optimizer(
    text="Nesterov's direction made orthogonal, matrix by matrix; it has no linear edge",
    edge=lambda how: None,  # a step has one size whatever the gradient's: too large a rate gives a cycle, no growth
    step=_step,
    settings=("momentum",),
    state=("mean",),
    decay="decoupled",
    default_decay=0.1,
    powers=MUON_POWERS,
    start=0.5,
)
