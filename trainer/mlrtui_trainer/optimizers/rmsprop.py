"""RMSprop (Tieleman and Hinton 2012) as torch has it: uncentred, without momentum, no correction for the zero start."""

from typing import TYPE_CHECKING

from mlrtui_trainer.optimizers.base import ADAPTIVE_POWERS, Optimizer
from mlrtui_trainer.spec import TrainSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["RMSPROP"]


def _step(how: TrainSpec, g: "Tensor", state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """g / (√v + ε)."""
    (square,) = state
    fresh = g * g
    square.mul_(how.beta2).add_(fresh.mul_(1.0 - how.beta2))
    return g.mul_(_diagonal(how, state, t))


def _diagonal(how: TrainSpec, state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """1/(√v + ε) of the last step."""
    return state[0].sqrt().add_(how.eps).reciprocal_()


RMSPROP = Optimizer(
    text="v = beta2·v + (1 − beta2)·g², w − η·g/(√v + eps)",
    edge=lambda how: 2.0,  # of a second moment that stands still
    step=_step,
    settings=("beta2", "eps"),
    state=("square",),
    diagonal=_diagonal,
    powers=ADAPTIVE_POWERS,
    start=0.5,
)
