"""Control: shows the command line that a key would start, starts it when told so, and shows what it prints."""

import shlex
import socket
from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult

from mlrtui.text.lines import Line, line
from mlrtui.tui.control.errands import Errand
from mlrtui.tui.control.offers import Offer
from mlrtui.tui.keymap import bindings
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.rows import RowsPane, sentence
from mlrtui.tui.widgets.typed import Entry

__all__ = ["ControlScreen", "OfferPane"]


class OfferPane(RowsPane):
    """What is offered; then what the command prints."""

    def __init__(self, look: Look, offer: Offer) -> None:
        super().__init__(look, id="offer", classes="pane")
        self.offer = offer
        self.arguments = offer.arguments
        self.trouble = ""
        self.errand: Errand | None = None

    def title(self) -> Line:
        """What it is about."""
        return line(self.offer.title, "title")

    def rows(self, width: int) -> Sequence[Line]:
        """The question, or what came of it."""
        if self.offer.refusal:
            return [*sentence(f"! {self.offer.refusal}", "failed", width), line(), line(" esc goes back", "dim")]
        asked = sentence(f"mlrtui {self.offer.command} {self.arguments.strip()}", "value", width)
        return [*asked, line(), *(self._question(width) if self.errand is None else self._answer(self.errand, width))]

    def _question(self, width: int) -> list[Line]:
        about = self.offer.about(self.arguments)
        where = f"Starts on {socket.gethostname()} in {Path.cwd()}, as a process that goes on when this screen ends."
        texts = (*self.offer.sentences, *filter(None, (about,)), where)
        rows = [row for text in texts for row in sentence(text, "", width)]
        if self.trouble:
            rows += [line(), *sentence(f"! {self.trouble}", "failed", width)]
        return [*rows, line(), line(" enter starts it, esc goes back; nothing has been started yet", "strong")]

    def _answer(self, errand: Errand, width: int) -> list[Line]:
        code = errand.code
        role = "failed" if code else ""
        said = [row for text in errand.lines() for row in sentence(text, role, width)]
        if code is None:
            state = line(" it runs; esc goes back, and its last line is shown when it has ended", "running")
        elif code:
            state = line(f" ! it ended with exit code {code}; esc goes back", "failed")
        else:
            state = line(" done; esc goes back", "strong")
        return [*said, *([line()] if said else []), state]


class ControlScreen(ReadingScreen, inherit_bindings=False):
    """Over any screen; enter starts the command, once."""

    CSS_PATH = "screen.tcss"
    PASSING = True
    BINDINGS = [*bindings("control")]  # noqa: RUF012
    AUTO_FOCUS = ""

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self._offer = offer

    def compose(self) -> ComposeResult:
        """The command line, what it does, footer."""
        yield Entry(self.look, id="words", sign=f"mlrtui {self._offer.command}".strip())
        yield OfferPane(self.look, self._offer)
        yield Footer(self.look, "control")

    def on_mount(self) -> None:
        """What is typed is text from the first letter on, where anything can be started."""
        if self._offer.refusal:
            self.query_one(Entry).display = False
            self.set_focus(self.pane)
        else:
            self.query_one(Entry).put(self._offer.arguments, self._offer.at)
            self.set_focus(self.query_one(Entry))

    @property
    def pane(self) -> OfferPane:
        """The question, and what came of it."""
        return self.query_one(OfferPane)

    def typed(self, text: str) -> None:
        """The command line follows every letter."""
        self.pane.arguments, self.pane.trouble = text, ""
        self.pane.update_rows()

    async def entered(self, text: str) -> None:
        """Start it."""
        self.action_start()

    def passed(self, key: str) -> None:
        """Arrows scroll, escape closes."""
        if key in ("up", "down"):
            self.action_move(0, -1 if key == "up" else 1)
        elif key == "escape":
            self.action_back()

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.pane.move(dx, dy)

    def action_start(self) -> None:
        """Start the command; when it was started, go back."""
        if self.pane.errand is not None or self._offer.refusal:
            self.action_back()
            return
        try:
            words = shlex.split(self.pane.arguments)
            self.pane.errand = self.owner.errands.start([self._offer.command, *words])
        except (OSError, ValueError) as error:  # of a quote that is not closed, or of the system
            self.pane.trouble = f"not started: {str(error).lower()}"
        else:
            self.set_focus(self.pane)
            self.query_one(Entry).display = False
        self.pane.update_rows()

    def ended(self, errand: Errand) -> bool:
        """A command has ended; whether it is the one that is shown here."""
        if errand is not self.pane.errand:
            return False
        self.pane.update_rows()
        return True

    def action_back(self) -> None:
        """Back to the screen below."""
        self.owner.pop_screen()
