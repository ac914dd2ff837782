"""What a screen asks of the app that shows it: what was read, what is looked at, and the ways to another screen."""

from collections.abc import Mapping
from typing import Any, Protocol

from mlrtui.tui.browse.bookmarks import Bookmarks
from mlrtui.tui.control.errands import Errands
from mlrtui.tui.keymap import Key
from mlrtui.tui.state import Look, Mark, Reading, Wanted
from mlrtui_db.models import TrialRow

__all__ = ["Owner"]


class Owner(Protocol):
    """The app, as its screens see it; `mlrtui.tui.app` says what each method does."""

    look: Look
    wanted: Wanted
    reading: Reading | None
    bookmarks: Bookmarks
    errands: Errands

    def take_choices(self, screen: object) -> Mapping[str, str]:
        """How the command line sets this screen, once."""

    def want(self, wanted: Wanted) -> None:
        """Look at another sweep, cell or trial."""

    def follow(self) -> None:
        """Look at the newest trial, whichever it is."""

    def change(self, **how: Any) -> None:
        """Show the same in another way: fields of `Look`."""

    def say(self, words: str) -> None:
        """Put a sentence into the status line."""

    def open_sweep(self, wanted: Wanted) -> None:
        """Show a sweep in Live."""

    def open_trial(self, trial: TrialRow) -> None:
        """Show a trial in full."""

    def close_trial(self) -> None:
        """Back from the trial to the screen below it."""

    def leave_compare(self) -> None:
        """Back from Compare to where it was opened."""

    def toggle(self, mark: Mark) -> None:
        """Mark a trial for Compare, or unmark it."""

    def action_page(self, mode: str) -> None:
        """Switch to the screen of this name."""

    def action_control(self, kind: str) -> None:
        """Ask whether a command is to be started; one of `control.offers.KINDS`."""

    async def do_below(self, key: Key) -> None:
        """Do a key's command on the screen below this one."""

    def pop_screen(self) -> Any:
        """Take this screen away."""
