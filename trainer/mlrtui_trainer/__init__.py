"""The instrument: trains lanes of networks and measures sharpness. Imports the standard library, NumPy and torch.

`spec`, `search`, `phases`, `theory` and `seeds` need NumPy at most; the rest needs torch. Each name of ``__all__`` is
loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrtui_trainer.gauge import (
        CriticalSharpness,
        DirectionalSharpness,
        MeasureError,
        Recorder,
        Sharpness,
        critical_sharpness,
        directional_sharpness,
        sharpness,
    )
    from mlrtui_trainer.registry import Registry, UnknownNameError
    from mlrtui_trainer.search import Boundary, Search, SearchSpec

__all__ = [
    "Boundary",
    "CriticalSharpness",
    "DirectionalSharpness",
    "MeasureError",
    "Recorder",
    "Registry",
    "Search",
    "SearchSpec",
    "Sharpness",
    "UnknownNameError",
    "critical_sharpness",
    "directional_sharpness",
    "sharpness",
]

_HOMES = {
    "Boundary": "search",
    "Search": "search",
    "SearchSpec": "search",
    "Registry": "registry",
    "UnknownNameError": "registry",
}


def __getattr__(name: str) -> Any:
    """Load what ``__all__`` promises when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'gauge')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
