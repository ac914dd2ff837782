"""Browse: every sweep of every store that was opened."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult

from mlrtui.tui.finding import SORTS, complete
from mlrtui.tui.keymap import bindings
from mlrtui.tui.screens.base import ReadingScreen
from mlrtui.tui.state import Look, Reading, StoreState
from mlrtui.tui.text import Line, clean, line
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.pane import LinesWidget
from mlrtui.tui.widgets.prompt import Prompt
from mlrtui.tui.widgets.sweep_list import SweepList

__all__ = ["BrowseScreen"]

_HINT = "words of the name, or: trials_failed > 0 and status == 'done'   tab completes"


class StoreLine(LinesWidget):
    """Which stores are open, and what is wrong with them."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="status")

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        stores: Sequence[StoreState] = () if self.reading is None else self.reading.stores
        trouble = next((store.trouble for store in stores if store.trouble), "")
        if trouble:
            return [((" ! ", "failed"), (clean(trouble), "failed"))]
        names = " ".join(option.split()[-1] for option in options[:6])
        trouble = found.trouble and not options
        self.prompt.note = line(found.trouble, "failed") if trouble else line(names, "dim")
        self.prompt.update_rows()
