"""From a net's spec to its model."""

import torch
from torch import Tensor

from mlrtui_trainer.models.base import Model
from mlrtui_trainer.models.factory import from_factory
from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.spec import NetSpec

__all__ = ["PRECISIONS", "build"]

PRECISIONS = {"bf16": torch.bfloat16}
"""Of passes under autocast, by their names in sweep files."""


def build(
    net: NetSpec, optimizer: str = "sgd", x: Tensor | None = None, *, batch: int = 0, precision: str = ""
) -> Model:
    """The model that a spec names, with its layers' rates under an optimizer.

    ``x`` [samples, inputs] are the samples that train, on their device: a factory's nets are tried on some of them.
    ``batch`` and ``precision`` are those of the training. Raises ValueError for what is not built, and for a factory
    without samples, FactoryError for one that fails.
    """
    model = _built(net, optimizer, x, batch)
    if not precision:
        return model
    if not isinstance(model, General):
        raise ValueError(f"{net.kind}: precision {precision!r} is for models that are differentiated automatically")
    return model.in_lower(PRECISIONS[precision])


def _built(net: NetSpec, optimizer: str, x: Tensor | None, batch: int) -> Model:
    kind = MODEL_KINDS[net.kind]
    if kind.build is not None:
        return kind.build(net, optimizer)
    if x is None:
        raise ValueError(f"{net.kind}: a factory's nets are tried on samples, and there are none")
    return from_factory(net, x, batch, optimizer)
