"""mlrtui: find maximal initial learning rates and watch catapults, in a terminal or from a script.

    import mlrtui

    s = mlrtui.sharpness(model, loss_fn, batch)               # λ_max of the Hessian, with its residual
    c = mlrtui.critical_sharpness(model, loss_fn, batch, d)   # from forward passes only
    with mlrtui.record(model, optimizer, loss_fn) as rec:     # both along your own training
        ...
    edge = mlrtui.find_max_lr(train_fn, start=1e-2)           # η* of any training
    now = mlrtui.find_max_lr(fork, at=mlrtui.Snapshot(model, optimizer))     # and from where it is now
    store = mlrtui.open("mlrtui.db")                          # what sweeps and recorded trainings left

Importing it loads neither torch nor NumPy nor a screen: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlrtui.version import __version__

if TYPE_CHECKING:
    from mlrtui.errors import BadInput
    from mlrtui.loops.max_lr import find_max_lr
    from mlrtui.loops.recording import record
    from mlrtui.loops.results import MaxLR
    from mlrtui.reading.store import Store, Sweep
    from mlrtui.reading.store import open_store as open
    from mlrtui.reading.table import Table
    from mlrtui_db.errors import StoreError
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
        Snapshot,
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
    "Snapshot",
    "Store",
    "StoreError",
    "Sweep",
    "Table",
    "WrongBatch",
    "__version__",
    "critical_sharpness",
    "directional_sharpness",
    "find_max_lr",
    "open",
    "record",
    "sharpness",
]

_HOMES = {  # of each name its module, and its name there if it is another
    "BadInput": ("mlrtui.errors", ""),
    "MaxLR": ("mlrtui.loops.results", ""),
    "Store": ("mlrtui.reading.store", ""),
    "StoreError": ("mlrtui_db.errors", ""),
    "Sweep": ("mlrtui.reading.store", ""),
    "Table": ("mlrtui.reading.table", ""),
    "find_max_lr": ("mlrtui.loops.max_lr", ""),
    "open": ("mlrtui.reading.store", "open_store"),
    "record": ("mlrtui.loops.recording", ""),
}


def __getattr__(name: str) -> Any:
    """Load what ``__all__`` promises when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, there = _HOMES.get(name, ("mlrtui_trainer.gauge", ""))
    return getattr(import_module(home), there or name)


def __dir__() -> list[str]:
    return sorted(__all__)
