"""Giving the terminal to the screen of another machine, and taking it back."""

from collections.abc import Callable
from typing import Any

from textual.app import App, SuspendNotSupported

from mlrtui.errors import MlrtuiError

__all__ = ["entered"]


def entered(app: App[Any], enter: Callable[[int], int], sweep_id: int) -> str:
    """Show a sweep there until the user leaves it; what there is to say afterwards."""
    try:
        with app.suspend():
            code = enter(sweep_id)
    except SuspendNotSupported:
        return "this terminal cannot be given to the other machine: open its store by `mlrtui watch user@host:path`"
    except MlrtuiError as error:
        return str(error)
    except KeyboardInterrupt:
        return "left"
    return "" if code == 0 else f"the screen there ended with exit code {code}"
