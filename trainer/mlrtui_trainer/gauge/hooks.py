"""A hook of a recorder in a user's model, which stays behind when the model is copied or saved."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

__all__ = ["ForwardHook"]


class ForwardHook:
    """Call a method before a forward pass. In a copy or a pickle of the model it is a hook that does nothing."""

    def __init__(self, method: Callable[[nn.Module, Any], None]) -> None:
        self._method = weakref.WeakMethod(method)

    def __call__(self, module: nn.Module, args: Any) -> None:
        """As torch calls a hook."""
        method = self._method()
        if method is not None:
            method(module, args)

    def __deepcopy__(self, memo: object) -> Any:
        return partial(dict.get, {})  # of two arguments it returns the second: the model's own, unchanged

    def __reduce__(self) -> tuple[Any, ...]:
        return partial, (dict.get, {})  # which can be loaded without mlrtui
