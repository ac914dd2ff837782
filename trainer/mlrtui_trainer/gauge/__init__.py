"""Sharpness of any PyTorch model under any loss, beside a training that it leaves exactly as it was."""

from mlrtui_trainer.gauge.critical import CriticalSharpness, critical_sharpness
from mlrtui_trainer.gauge.errors import (
    AsymmetricCurvature,
    MeasureError,
    NotReproducible,
    NotTwiceDifferentiable,
    ShardedParameters,
    WrongBatch,
)
from mlrtui_trainer.gauge.sharpness import Sharpness, sharpness

__all__ = [
    "AsymmetricCurvature",
    "CriticalSharpness",
    "MeasureError",
    "NotReproducible",
    "NotTwiceDifferentiable",
    "ShardedParameters",
    "Sharpness",
    "WrongBatch",
    "critical_sharpness",
    "sharpness",
]
