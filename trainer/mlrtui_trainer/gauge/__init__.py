"""Sharpness of any PyTorch model under any loss, beside a training that it leaves exactly as it was."""

from mlrtui_trainer.gauge.critical import CriticalSharpness, critical_sharpness
from mlrtui_trainer.gauge.directional import DirectionalSharpness, directional_sharpness
from mlrtui_trainer.gauge.errors import (
    AsymmetricCurvature,
    MeasureError,
    NotReproducible,
    NotTwiceDifferentiable,
    ShardedParameters,
    WrongBatch,
)
from mlrtui_trainer.gauge.readings import Reading, RecordedStep, Series, Sink
from mlrtui_trainer.gauge.recording import MEASURES, Recorder
from mlrtui_trainer.gauge.sharpness import Sharpness, sharpness
from mlrtui_trainer.gauge.snapshot import Snapshot

__all__ = [
    "MEASURES",
    "AsymmetricCurvature",
    "CriticalSharpness",
    "DirectionalSharpness",
    "MeasureError",
    "NotReproducible",
    "NotTwiceDifferentiable",
    "Reading",
    "RecordedStep",
    "Recorder",
    "Series",
    "ShardedParameters",
    "Sharpness",
    "Sink",
    "Snapshot",
    "WrongBatch",
    "critical_sharpness",
    "directional_sharpness",
    "sharpness",
]
