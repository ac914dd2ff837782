"""From a net's spec to its model."""

from torch import Tensor

from mlrtui_trainer.models.base import Model
from mlrtui_trainer.models.factory import from_factory
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.spec import NetSpec

__all__ = ["build"]


def build(net: NetSpec, optimizer: str = "sgd", x: Tensor | None = None) -> Model:
    """The model that a spec names, with its layers' rates under an optimizer.

    ``x`` [samples, inputs] are the samples that train, on their device: a factory's nets are tried on some of them.
    Raises ValueError for what is not built, and for a factory without samples, FactoryError for one that fails.
    """
    kind = MODEL_KINDS[net.kind]
    if kind.build is not None:
        return kind.build(net, optimizer)
    if x is None:
        raise ValueError(f"{net.kind}: a factory's nets are tried on samples, and there are none")
    return from_factory(net, x)
