"""Adam (Kingma and Ba 2015) with both corrections for the zero start, and AdamW (Loshchilov and Hutter 2019)."""

from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

from mlrtui_trainer.optimizers.base import ADAPTIVE_POWERS, Compiled, Optimizer
from mlrtui_trainer.spec import TrainSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ADAM", "ADAMW"]


def _step(how: TrainSpec, g: "Tensor", state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """m̂ / (√v̂ + ε)."""
    mean, square = state
    fresh = g * g
    mean.mul_(how.beta1).add_(g.mul_(1.0 - how.beta1))
    square.mul_(how.beta2).add_(fresh.mul_(1.0 - how.beta2))
    corrected: Tensor = mean / (1.0 - how.beta1**t)
    return corrected.mul_(_diagonal(how, state, t))


def _diagonal(how: TrainSpec, state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """1/(√v̂ + ε) of the last step: that of the effective sharpness of Cohen et al. (2022)."""
    part = 1.0 - how.beta2**t
    root = sqrt(part) if isinstance(part, float) else part.sqrt()
    return state[1].sqrt().div_(root).add_(how.eps).reciprocal_()


ADAM = Optimizer(
    text="both corrections for its zero start, w − η·m/(√v + eps)",
    edge=lambda how: 2.0 * (1.0 + how.beta1) / (1.0 - how.beta1),  # of a second moment that stands still
    step=_step,
    settings=("beta1", "beta2", "eps"),
    state=("mean", "square"),
    diagonal=_diagonal,
    powers=ADAPTIVE_POWERS,
    inertia="beta1",
    start=0.5,  # below η*, above which trainings look too slow rather than overflow
    compiled=Compiled(2, ("beta1", "beta2", "eps"), gradient=True),
)

ADAMW = replace(ADAM, text="adam, its decay decoupled", decay="decoupled", default_decay=0.01)
