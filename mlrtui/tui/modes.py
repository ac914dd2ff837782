"""The screens by name: which of them stand by themselves, and what each needs to be read."""

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from mlrtui.tui.pages import PAGES
from mlrtui.tui.screens.boundary import BoundaryScreen
from mlrtui.tui.screens.browse import BrowseScreen
from mlrtui.tui.screens.compare import CompareScreen
from mlrtui.tui.screens.exponents import ExponentsScreen
from mlrtui.tui.screens.live import LiveScreen
from mlrtui.tui.screens.log import LogScreen
from mlrtui.tui.screens.phases import PhasesScreen
from mlrtui.tui.state import Mark, Wanted

__all__ = ["MODES", "wanted_for"]

MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    "live": LiveScreen,
    "browse": BrowseScreen,
    "boundary": BoundaryScreen,
    "compare": CompareScreen,
    "exponents": ExponentsScreen,
    "phases": PhasesScreen,
    "log": LogScreen,
}


def wanted_for(screen: str, wanted: Wanted, marked: tuple[Mark, ...] = ()) -> Wanted:
    """What a screen needs to be read, of what is looked at."""
    return Wanted(
        wanted.store,
        wanted.sweep_id,
        wanted.cell_id,
        wanted.trial_id,
        browsing=screen == "browse",
        page=screen if screen in PAGES else "",
        detailed=screen == "trial",
        compared=marked if screen == "compare" else (),
    )
