"""From a net's spec to its model."""

from mlrtui_trainer.models.base import Model
from mlrtui_trainer.models.cnn import cnn
from mlrtui_trainer.models.factory import from_factory
from mlrtui_trainer.models.mlp import Mlp
from mlrtui_trainer.models.sources import is_factory
from mlrtui_trainer.models.transformer import transformer
from mlrtui_trainer.spec import NetSpec

__all__ = ["build"]


def build(net: NetSpec, optimizer: str = "sgd") -> Model:
    """The model that a spec names, with its layers' rates under an optimizer.

    Raises ValueError for what is not built, FactoryError for a factory that fails.
    """
    if is_factory(net.kind):
        return from_factory(net)
    if net.kind == "cnn":
        return cnn(net)
    if net.kind == "transformer":
        return transformer(net)
    return Mlp.of(net, optimizer)
