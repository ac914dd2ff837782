"""The store: one SQLite file with one writer and any number of readers. Imports the standard library only.

    from mlrtui_db import Reader

    with Reader.open("mlrtui.db") as reader:
        sweeps = reader.sweeps()

Each name of ``__all__`` is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrtui_db.errors import StoreError
    from mlrtui_db.reader import Reader
    from mlrtui_db.store import Store

__all__ = ["Reader", "Store", "StoreError"]

_HOMES = {"Reader": "reader", "Store": "store", "StoreError": "errors"}


def __getattr__(name: str) -> Any:
    """Load what ``__all__`` promises when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
