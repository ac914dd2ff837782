"""What is measured of a training beside loss, accuracy and sharpness: one number per step and trial, by name.

    [project.entry-points."mlrtui.measures"]
    mine = "my_package:MEASURE"          # a Measure

A sweep file asks for them with ``[measures] names = ["grad_norm"]``. The store keeps all of them in one table of
(trial, step, measure), so that a new one changes neither schema, records nor screens.

Nothing here imports torch: sweep files and screens read names, units and meanings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mlrtui_trainer.registry import Registry
from mlrtui_trainer.spec import TrainSpec

__all__ = ["BUILT_IN", "MEASURES", "Measure", "Moment"]


class Moment(Protocol):
    """All lanes of a chunk at one step, before its update. Tensors are of the round's precision and device."""

    @property
    def step(self) -> int:
        """Number of updates done before."""

    @property
    def weights(self) -> Any:
        """Parameters of all lanes, [lanes, n_params]."""

    @property
    def initial(self) -> Any:
        """The same before the first step."""

    @property
    def gradient(self) -> Any:
        """Gradient of the loss over this step's batch by every parameter, without rates, [lanes, n_params].

        Computed when it is first asked for, once for all measures.
        """


@dataclass(frozen=True)
class Measure:
    """One quantity: what it is, how it is computed and how it is drawn."""

    unit: str
    text: str  # its meaning, one sentence
    of: Callable[[Moment], Any]
    """One number per lane, [lanes], as a tensor. A lane's number must not depend on the other lanes."""

    edge: Callable[[TrainSpec, float], float] | None = None
    """Value at which something changes for this training at this learning rate; None: there is none."""

    log: bool = True  # drawn on a log axis


MEASURES = Registry[Measure]("measure", "mlrtui.measures")
"""All measures by name."""


def _grad_norm(moment: Moment) -> Any:
    return moment.gradient.double().square().sum(1).sqrt()


BUILT_IN = {
    "grad_norm": Measure("loss", "Euclidean norm of the gradient of the loss over this step's batch.", _grad_norm),
}
"""Those of this package; others come by entry points."""

for _name, _measure in BUILT_IN.items():
    MEASURES.register(_name, _measure)
