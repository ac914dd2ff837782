"""Heavy-ball momentum (Polyak 1964) and Nesterov's, both as torch has them, without dampening."""

from typing import TYPE_CHECKING

from mlrtui_trainer.optimizers.base import Compiled, Optimizer
from mlrtui_trainer.spec import TrainSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MOMENTUM", "NESTEROV"]


def _velocity(how: TrainSpec, g: "Tensor", state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """v ← βv + g."""
    (v,) = state
    return v.mul_(how.momentum).add_(g)


def _ahead(how: TrainSpec, g: "Tensor", state: "tuple[Tensor, ...]", t: "int | Tensor") -> "Tensor":
    """v ← βv + g, then g + βv."""
    v = _velocity(how, g, state, t)
    return g.add_(v * how.momentum)


MOMENTUM = Optimizer(
    text="heavy ball, v = momentum·v + g, w − η·v",
    edge=lambda how: 2.0 * (1.0 + how.momentum),
    step=_velocity,
    settings=("momentum",),
    state=("velocity",),
    inertia="momentum",
    transient=lambda beta: (1.0 + 2.0 * beta) ** 2,  # from rest the first step multiplies by 1 − ηλ, here −(1 + 2β)
    compiled=Compiled(1, ("momentum",)),
)

NESTEROV = Optimizer(
    text="Nesterov's, v as under momentum, w − η·(g + momentum·v)",
    # of w' = (1 + β)(1 − ηλ)w − β(1 − ηλ)w₋₁, whose root −1 is where (1 + 2β)(ηλ − 1) = 1
    edge=lambda how: 2.0 * (1.0 + how.momentum) / (1.0 + 2.0 * how.momentum),
    step=_ahead,
    settings=("momentum",),
    state=("velocity",),
    inertia="momentum",
    transient=lambda beta: (1.0 - 2.0 * (1.0 + beta) ** 2 / (1.0 + 2.0 * beta)) ** 2,  # by 1 − ηλ(1 + β) from rest
)
