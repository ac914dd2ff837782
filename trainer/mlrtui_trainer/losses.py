"""Losses by name, as the driver and sweep files know them: ours below, others by entry points of ``mlrtui.losses``.

    [project.entry-points."mlrtui.losses"]
    mine = "my_package:MINE"          # a `LossKind`

A loss of another package is one function of outputs and targets; its derivatives come from automatic differentiation.
Ours have theirs by hand (`models.losses`). Nothing here imports torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlrtui_trainer.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LOSS_KINDS", "LossKind", "spread"]

Floats = npt.NDArray[np.float64]


def spread(y: Floats) -> float:
    """Half the mean squared distance of targets [samples, outputs] from their mean."""
    return float(0.5 * ((y - y.mean(0)) ** 2).sum(1).mean())


def _entropy(y: Floats) -> float:
    return float(-sum(share * log(share) for share in y.mean(0) if share > 0.0))


@dataclass(frozen=True)
class LossKind:
    """One loss. ``function(f, y)`` gives the loss of each sample, [samples]; a training's loss is their mean.

    f are the outputs [samples, outputs], y the targets in the same shape: one-hot for classes. The function must be
    twice differentiable by f, and treat each sample by itself.

    >>> LOSS_KINDS["ce"].classes, LOSS_KINDS["mse"].classes
    (True, False)
    """

    text: str  # for the sweep file's page
    function: "Callable[[Tensor, Tensor], Tensor] | None" = None  # None: written by hand in `models.losses`
    convention: str = "mean over samples"  # stored beside every λ
    classes: bool = False  # whether it needs class numbers
    bounded: bool = False  # whether its gradient by the outputs is, whatever they are
    constant: Callable[[Floats], float] = lambda y: float("nan")
    """Smallest loss of an output that does not depend on the sample, of targets [samples, outputs]; NaN: not known."""
    start: float = 2.0  # where a search starts under SGD, as a multiple of 2/λ₀: near where η* of ReLU nets lies
    tokens: bool = False  # whether it takes one class for each token of a sample, as the mean over all tokens


def _own(name: str) -> LossKind:
    return LossKind(f"the function {name}", convention=f"{name}, mean over samples")


LOSS_KINDS = Registry[LossKind]("loss", group="mlrtui.losses", own=_own)
"""All losses by their names in sweep files."""

_OURS: dict[str, dict[str, Any]] = {
    "ce": {
        "text": "cross-entropy, mean over samples",
        "classes": True,
        "bounded": True,
        "constant": _entropy,
        "start": 4.0,
        "tokens": True,
    },
    "mse": {
        "text": "sum of squares over outputs, halved, mean over samples",
        "convention": "1/(2N) sum_i |f_i - y_i|^2",
        "constant": spread,
    },
    "mse-softmax": {
        "text": "the same of the outputs' softmax",
        "convention": "1/(2N) sum_i |softmax(f_i) - y_i|^2",
        "classes": True,
        "bounded": True,
        "constant": spread,
        "start": 4.0,
        "tokens": True,
    },
}

for _name, _fields in _OURS.items():
    LOSS_KINDS.register(_name, LossKind(**_fields))
