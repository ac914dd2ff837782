"""The screens by name: their classes, imported when they are needed, and what each needs to be read."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from textual.screen import Screen

from mlrtui.errors import BadInput
from mlrtui.tui.choices import parse_choices
from mlrtui.tui.pages import PAGES, load_fitting
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import Mark, Reading, Wanted

__all__ = [
    "COMPOSED_AHEAD",
    "MODES",
    "OVER",
    "check_choices",
    "load_all",
    "read_choices",
    "screen_class",
    "screen_module",
    "wanted_for",
]

COMPOSED_AHEAD = ("exponents", "phases")  # whose widgets exist before a key asks for them
OVER = ("trial", "help", "palette", "control")  # screens that are put over others


def screen_module(name: str) -> str:
    """A screen is the `screen.py` of its folder; the palette of commands stands beside Help."""
    return "mlrtui.tui.help.palette" if name == "palette" else f"mlrtui.tui.{name}.screen"


def screen_class(name: str) -> type[ReadingScreen]:
    """The class of the screen of this name; the first frame needs one of them only."""
    found: type[ReadingScreen] = getattr(import_module(screen_module(name)), f"{name.capitalize()}Screen")
    return found


def read_choices(name: str, texts: Sequence[str]) -> dict[str, str]:
    """The choices of a command line for the screen of this name, see `choices.parse_choices`."""
    return parse_choices(name, texts, screen_class(name).choice_values())


def check_choices(name: str, choices: Mapping[str, str], reading: Reading) -> None:
    """Whether the data have what a command line chose for the screen of this name.

    Raises:
        BadInput: they do not, with what there is to choose.
    """
    wrong = screen_class(name).misfits(choices, reading) if choices and not reading.trouble else {}
    if wrong:
        raise BadInput("; ".join(f"--show {f'{one}={choices[one]}'!r}: {words}" for one, words in wrong.items()))


def _made(name: str) -> Screen[Any]:
    return screen_class(name)()


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    name: partial(_made, name)
    for name in ("live", "browse", "boundary", "compare", "exponents", "phases", "log", "workers")
}


def load_all(unless: Callable[[], bool]) -> None:
    """Import what any key may lead to, one after the other until `unless` says so: no first visit waits for it then."""
    for name in (*MODES, *OVER):
        if unless():
            return
        screen_class(name)
    load_fitting()
    import_module("mlrtui.data.built_in")  # of which Exponents needs sizes for the line of infinite width


def wanted_for(screen: str, wanted: Wanted, marked: tuple[Mark, ...] = ()) -> Wanted:
    """What a screen needs to be read, of what is looked at."""
    return Wanted(
        wanted.store,
        wanted.sweep_id,
        wanted.cell_id,
        wanted.trial_id,
        browsing=screen == "browse",
        page="onsets" if (screen, wanted.page) == ("phases", "onsets") else screen if screen in PAGES else "",
        detailed=screen == "trial",
        compared=marked if screen == "compare" else (),
        measure=wanted.measure,
        beside=wanted.beside,
        seconds=wanted.seconds,
    )
