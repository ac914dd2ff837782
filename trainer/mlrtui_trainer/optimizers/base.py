"""What an optimizer is: one frozen record of its settings, state, step, preconditioner, edge and width powers.

Nothing here imports torch, since the driver plans with it: steps are written with the methods of tensors.
`stepping` takes the steps of stacked lanes by such a record.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from mlrtui_trainer.registry import Registry
from mlrtui_trainer.spec import TrainSpec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ADAPTIVE_POWERS", "GRADIENT_POWERS", "OPTIMIZERS", "Compiled", "Optimizer", "Powers", "owners_of"]

Step = Callable[[TrainSpec, "Tensor", "tuple[Tensor, ...]", "int | Tensor"], "Tensor"]
Diagonal = Callable[[TrainSpec, "tuple[Tensor, ...]", "int | Tensor"], "Tensor"]

Powers = tuple[float, float, float]
"""Powers of width / base width: of the learning rates of input, hidden and output layer."""

GRADIENT_POWERS: Mapping[str, Powers] = MappingProxyType(
    {
        "sp": (0.0, 0.0, 0.0),
        "ntk": (0.0, -1.0, -1.0),
        "mup": (1.0, 0.0, -1.0),
        "sp-full-align": (0.5, -0.5, -1.0),
    }
)
"""By parametrization, for steps that are sums of gradients (Haas et al. 2025)."""

ADAPTIVE_POWERS: Mapping[str, Powers] = MappingProxyType(
    {"sp": (0.0, 0.0, 0.0), "mup": (0.0, -1.0, -1.0), "sp-full-align": (0.0, -1.0, -1.0)}
)
"""The same for steps whose entries have about one size whatever the gradient's; ntk is not tabulated."""


@dataclass(frozen=True)
class Compiled:
    """The compiled step (`fast.training`) that is this optimizer's without decay, and the numbers that it takes."""

    kernel: int
    settings: tuple[str, ...] = ()  # up to three fields of `TrainSpec`
    gradient: bool = False  # whether it needs memory for the gradient of a layer


@dataclass(frozen=True)
class Optimizer:
    """One optimizer. Its functions see one tensor of all lanes at a time, [lanes, ...], and no learning rate.

    A step is w ← w − η·(layer's rate)·d, where d is what ``step`` makes of the gradient g. ``step(how, g, state, t)``
    changes the tensors of the state in place and may change g; t counts from 1, and is a number on the device where
    steps are recorded, so that a replay counts too. Products and sums must be operations of their own: fused ones would
    round by a number's place in the batch. ``step=None``: d is g, and without decay no gradient is ever stored.
    ``diagonal(how, state, t)`` is what g was multiplied by, entry by entry, after t steps.

    >>> from mlrtui_trainer.optimizers import OPTIMIZERS
    >>> round(OPTIMIZERS["momentum"].edge(TrainSpec("mse", 1, 1, 1, momentum=0.9)), 6)
    3.8
    """

    text: str  # for the sweep file's page: the update as a formula
    edge: Callable[[TrainSpec], float | None]  # the largest stable η·λ, λ preconditioned; None: no linear edge
    step: Step | None = None
    settings: tuple[str, ...] = ()  # fields of `TrainSpec` that it has, beside the decay
    state: tuple[str, ...] = ()  # tensors of the weights' size that it keeps from step to step, zero at the start
    diagonal: Diagonal | None = None  # None: the curvature is preconditioned by the layers' rates alone
    decay: Literal["coupled", "decoupled"] = "coupled"  # g ← g + decay·w, or w ← w − η·decay·w
    default_decay: float = 0.0  # where a sweep file gives none
    powers: Mapping[str, Powers] = field(default_factory=lambda: GRADIENT_POWERS)  # by parametrization
    inertia: str | None = None  # the setting β that its edge depends on
    transient: Callable[[float], float] | None = None
    """Of β: how many times a mode's loss, at the edge, grows in the first step from rest. None: no linear method with
    constant coefficients, so that a loss may rise without any instability."""
    start: float | None = None  # η·λ₀ at which a search starts; None: a multiple of the edge of gradient descent
    compiled: Compiled | None = None  # None: always the general way

    def settings_of(self, how: TrainSpec) -> dict[str, float]:
        """Its own settings, by name."""
        return {name: getattr(how, name) for name in self.settings}

    def beta(self, how: TrainSpec) -> float:
        """The setting that its edge depends on; 0 without one."""
        return 0.0 if self.inertia is None else float(getattr(how, self.inertia))


def _own(name: str) -> Optimizer:
    return Optimizer(f"the optimizer {name}", edge=lambda how: None)


OPTIMIZERS = Registry[Optimizer]("optimizer", group="mlrtui.optimizers", own=_own)
"""All optimizers by their names in sweep files."""


def owners_of(setting: str, among: Iterable[str]) -> list[str]:
    """Those of these optimizers that have a setting.

    >>> from mlrtui_trainer.optimizers import OPTIMIZERS
    >>> owners_of("momentum", OPTIMIZERS.ours)
    ['momentum', 'nesterov', 'muon']
    """
    return [name for name in among if setting in OPTIMIZERS[name].settings]
