"""What is measured of a training beside loss, accuracy and sharpness: by name, a number per step and trial, or several.

    [project.entry-points."mlrtui.measures"]
    mine = "my_package:MEASURE"          # a Measure

A sweep file asks for them with ``[measures] names = ["grad_norm"]``. A measure may have parts, such as one for each
layer. The store keeps all of them in one table of (trial, step, measure and part), so that a new one changes neither
schema, records nor screens. Sizes of layers and eigenvalues beside λ are measures that keys of their own ask for.

Nothing here imports torch: sweep files and screens read names, units and meanings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mlrtui_trainer.registry import Registry
from mlrtui_trainer.spec import TrainSpec

__all__ = ["ASKED_BY_NAME", "BUILT_IN", "LAYER_SIZES", "MEASURES", "SPECTRUM", "Measure", "Moment"]

ASKED_BY_NAME = "measures.names"


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

    @property
    def tensors(self) -> Mapping[str, slice]:
        """By name, from the input on, the columns of ``weights`` and ``gradient`` that belong to one tensor."""

    @property
    def layer_sizes(self) -> Mapping[str, Mapping[str, Any]]:
        """By the names of `LAYER_SIZES`: by weight layer ("1": the input layer) the size, [lanes]. See `layers`.

        Of nets of our kinds, whose trainings record them (``record_layers``).
        """


@dataclass(frozen=True)
class Measure:
    """One quantity: what it is, how it is computed and how it is drawn."""

    unit: str
    text: str  # its meaning, one sentence
    of: Callable[[Moment], Any] | None
    """One number per lane, [lanes], as a tensor; or a mapping of such by the names of its parts, in their order.

    A lane's number must not depend on the other lanes. None: it is a by-product of λ.
    """

    edge: Callable[[TrainSpec, float], float] | Literal["sharpness"] | None = None
    """Value at which something changes for this training at this learning rate; None: there is none.

    "sharpness": that of λ, which views and screens know for each step.
    """

    log: bool = True  # drawn on a log axis
    asked_by: str = ASKED_BY_NAME  # the key of the sweep file that asks for it
    last_step: int | None = None  # the last at which it is measured; None: of the training
    of_batch: bool = True  # whether it may look at this step's batch; mini-batches have none after the last update


MEASURES = Registry[Measure]("measure", "mlrtui.measures")
"""All measures by name."""


def _grad_norm(moment: Moment) -> Any:
    return moment.gradient.double().square().sum(1).sqrt()


LAYER_SIZES = ("activation_rms", "effective_rms", "propagating_rms")
"""What is measured of layers, see `layers`."""

SPECTRUM = "spectrum "
"""How names of eigenvalues beside λ begin; the operator follows. Their parts are ranks, "1" the largest."""

_FIRST_STEPS = 10
"""Updates after which layers are no longer looked at: later, what has been learnt hides the width's powers."""


def _sizes(name: str, text: str) -> Measure:
    return Measure(
        "1",
        text,
        lambda moment: moment.layer_sizes[name],
        asked_by="record.layers",
        last_step=_FIRST_STEPS,
        of_batch=False,
    )


BUILT_IN = {
    "grad_norm": Measure("loss", "Euclidean norm of the gradient of the loss over this step's batch.", _grad_norm),
    "activation_rms": _sizes("activation_rms", "RMS of each layer's output, over a fixed batch."),
    "effective_rms": _sizes("effective_rms", "RMS of what each layer's own update adds to its output."),
    "propagating_rms": _sizes("propagating_rms", "RMS of what the updates below each layer add to its output."),
    **{
        SPECTRUM + operator: Measure(
            "1/eta",
            f"Largest eigenvalues of the {matrix}, preconditioned as λ is.",
            None,
            "sharpness",
            log=False,
            asked_by="sharpness.operator and sharpness.top",
        )
        for operator, matrix in (
            ("gauss-newton", "Gauss-Newton matrix"),
            ("hessian", "Hessian"),
            ("ntk", "neural tangent kernel"),
        )
    },
}
"""Those of this package; others come by entry points."""

for _name, _measure in BUILT_IN.items():
    MEASURES.register(_name, _measure)
