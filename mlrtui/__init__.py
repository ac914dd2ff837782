"""mlrtui: find maximal initial learning rates and watch catapults, in a terminal or from a script.

    import mlrtui

    s = mlrtui.sharpness(model, loss_fn, batch)               # λ_max of the Hessian, with its residual
    c = mlrtui.critical_sharpness(model, loss_fn, batch, d)   # from forward passes only
    with mlrtui.record(model, optimizer, loss_fn) as rec:     # both along your own training
        ...
    edge = mlrtui.find_max_lr(train_fn, start=1e-2)           # η* of any training

Importing it loads neither torch nor NumPy nor a screen: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlrtui.version import __version__

if TYPE_CHECKING:
    from mlrtui.errors import BadInput
    from mlrtui.loops.max_lr import MaxLR, find_max_lr
    from mlrtui.loops.recording import record
    from mlrtui_trainer.gauge import (
        AsymmetricCurvature,
        CriticalSharpness,
        DirectionalSharpness,
        MeasureError,
        NotReproducible,
        NotTwiceDifferentiable,
        Recorder,
        ShardedParameters,
        Sharpness,
        WrongBatch,
        critical_sharpness,
        directional_sharpness,
        sharpness,
    )

__all__ = [
    "AsymmetricCurvature",
    "BadInput",
    "CriticalSharpness",
    "DirectionalSharpness",
    "MaxLR",
    "MeasureError",
    "NotReproducible",
    "NotTwiceDifferentiable",
    "Recorder",
    "ShardedParameters",
    "Sharpness",
    "WrongBatch",
    "__version__",
    "critical_sharpness",
    "directional_sharpness",
    "find_max_lr",
    "record",
    "sharpness",
]

_HOMES = {
    "BadInput": "mlrtui.errors",
    "MaxLR": "mlrtui.loops.max_lr",
    "find_max_lr": "mlrtui.loops.max_lr",
    "record": "mlrtui.loops.recording",
}


def __getattr__(name: str) -> Any:
    """Load what ``__all__`` promises when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "mlrtui_trainer.gauge")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
