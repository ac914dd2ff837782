"""Things of the user's own code that a sweep names, "package.module:thing": factories, losses, optimizers, schedules.

The only place where such code is imported and run; who starts a sweep has allowed it before.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mlrtui_trainer.losses import LOSS_KINDS, LossKind
from mlrtui_trainer.models.sources import origin_of
from mlrtui_trainer.models.user_code import FactoryError, as_factory_error
from mlrtui_trainer.optimizers import OPTIMIZERS, Optimizer
from mlrtui_trainer.schedules import SCHEDULES, Schedule
from mlrtui_trainer.spec import TrainSpec

__all__ = ["admit", "imported"]

_loaded: dict[str, str] = {}  # module by name → hash of the source that was imported
_folders: set[str] = set()  # what we have put on the import path


def admit(train: TrainSpec) -> None:
    """Import the loss, optimizer and schedule that a training names by code, for this process.

    Raises FactoryError where that fails, and for things that are none.
    """
    for name, code_hash in train.code:
        thing = imported(name, train.code_path, code_hash, "thing")
        if name == train.loss:
            kind = thing if isinstance(thing, LossKind) else LossKind(f"the function {name}", thing)
            LOSS_KINDS.admit(name, kind)
        if name == train.optimizer:
            if not isinstance(thing, Optimizer):
                got = type(thing).__name__
                raise FactoryError(f"{name}: a {got}, not an mlrtui_trainer.optimizers.Optimizer; see CONTRIBUTING.md")
            OPTIMIZERS.admit(name, thing)
        if name == train.schedule:
            SCHEDULES.admit(name, thing if isinstance(thing, Schedule) else Schedule(f"the function {name}", thing))


def imported(name: str, folder: str, code_hash: str, what: str) -> Callable[..., Any]:
    """The thing of this name from a module among the installed packages or in ``folder``, whose source has this hash.

    Raises FactoryError where there is no such module or thing, where its source is another, and for what it raises.
    """
    module_name, _, attribute = name.partition(":")
    origin = origin_of(name, folder, code_hash, FactoryError)
    with as_factory_error(f"{name}: importing {origin}"):
        module = _module(module_name, folder, code_hash)
    thing = getattr(module, attribute, None)
    if not callable(thing) and not isinstance(thing, LossKind | Optimizer | Schedule):
        raise FactoryError(f"{name}: {origin} has no {what} {attribute!r}")
    return thing  # type: ignore[no-any-return]


def _module(name: str, folder: str, code_hash: str) -> ModuleType:
    """Import it, anew where another folder or another source gave the module of this name before."""
    package = name.partition(".")[0]
    if _loaded.setdefault(name, code_hash) != code_hash:
        for known in [one for one in sys.modules if one == package or one.startswith(f"{package}.")]:
            del sys.modules[known]
        _loaded[name] = code_hash
    if folder not in sys.path:
        for other in [entry for entry in sys.path if entry in _folders]:
            sys.path.remove(other)
        _folders.add(folder)
        sys.path.append(folder)  # last: nothing there may stand in for an installed package
    importlib.invalidate_caches()
    return importlib.import_module(name)
