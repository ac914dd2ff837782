"""Arguments of the kernel by name. Nothing here imports Triton."""

from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "ACTIVATIONS",
    "BATCHES",
    "EVALUATE",
    "FULL",
    "KINDS",
    "LOSSES",
    "OPTIMIZERS",
    "PARTS",
    "Data",
    "Form",
    "Lanes",
    "Span",
    "Work",
]

ACTIVATIONS = ("relu", "linear", "tanh")
LOSSES = ("ce", "mse")
KINDS = ("classes", "sign", "regression")
OPTIMIZERS = ("sgd", "momentum", "adam")
"""Those that the kernel knows, by their numbers there."""

PARTS = 6
"""Tensors of a layer: matrix and bias, then the same twice of what an optimizer may remember."""

BATCHES, FULL, EVALUATE = 0, 1, 2
"""What a launch does: steps over mini-batches, steps over all samples, or losses of all samples in pieces."""


@dataclass(frozen=True)
class Form:
    """What the kernel is compiled for. Not a tuple: Triton would take one apart."""

    inputs: int
    width: int  # units of every hidden layer; without one, that of the outputs
    outputs: int
    hidden: int  # 1: there is a hidden layer, else 0
    units: int  # width, padded to a power of two of at least 16
    classes: int  # outputs, padded in the same way
    rows: int  # samples in a tile
    terms: int  # of a sum that are loaded at a time
    columns: int  # of the inputs of a layer whose gradient is formed at a time
    activation: int
    loss: int
    kind: int
    optimizer: int
    bias: int  # 1: layers have one, else 0
    mode: int


class Lanes(NamedTuple):
    """What tells lanes apart."""

    places: Any  # int64 [lanes, PARTS, layers]: addresses; 0 where there is none
    slots: Any  # int32 [lanes]: whose order of the samples a lane has
    factors: Any  # float32 [lanes]: -η/batch of plain gradient descent, else η
    limits: Any  # float64 [lanes]: of the sum of a step's losses


class Data(NamedTuple):
    """Samples in the order in which they are taken."""

    x: Any  # float32 [orders, rows, inputs]
    y: Any  # float32 [orders, rows, outputs]
    labels: Any  # int64 [orders, rows]
    rows: int  # of an order


class Span(NamedTuple):
    """Which steps are taken."""

    first: int  # row of the first step's first sample
    samples: int  # in a batch, or in a piece
    steps: int
    watched: int  # steps, from the first on, whose outputs' sizes are wanted
    before: int  # steps that were taken before


class Work(NamedTuple):
    """What lanes share, memory to work in, and where the numbers go."""

    layers: int
    scales: Any  # float32 [layers, 2]: multiplier in the forward pass, and of the learning rate
    clock: Any  # float32 [steps, 3]: part of η, and Adam's corrections of mean and of root of the square
    settings: Any  # float32 [5]: β₁ or momentum, β₂, ε, 1 - β₁, 1 - β₂
    enough: float  # right answers that end a lane
    scratch: Any  # float32 [lanes, numbers]: hidden layers, then two signals, rows padded
    size: int  # numbers of a lane's scratch
    numbers: Any  # float64 [lanes, steps, COLUMNS], see `fast.records`; of losses and right answers sums
