"""The panes of Phases: a picture, what stands beside it, what is under its cursor."""

from collections.abc import Sequence

from mlrtui.text.lines import Line
from mlrtui.tui.phases.picture import Picture
from mlrtui.tui.phases.trials import PhaseView
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import RowsPane

__all__ = ["MapPane", "MarkPane", "PhaseWidget", "RangesPane"]


class PhaseWidget(Pane):
    """A pane that shows a picture; the screen sets `view` before it shows a reading."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane")
        self.view: Picture = PhaseView()


class MapPane(PhaseWidget):
    """The picture."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "map")

    def title(self) -> Line:
        """What is drawn against what."""
        return self.view.title()

    def caption(self) -> Line:
        """What the signs mean."""
        return self.view.caption(self.look.marks, self.size.width - 6)

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The picture."""
        return self.view.drawn(width, height, self.look.marks)


class RangesPane(PhaseWidget, RowsPane):
    """What stands beside it."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "ranges")

    def title(self) -> Line:
        """What it is."""
        return self.view.aside_title()

    def rows(self, width: int) -> Sequence[Line]:
        """All of it."""
        return self.view.aside(width, self.look.marks)


class MarkPane(PhaseWidget, RowsPane):
    """What is under the cursor."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "mark")

    def title(self) -> Line:
        """What it is."""
        return self.view.cursor_title()

    def rows(self, width: int) -> Sequence[Line]:
        """All of it."""
        return self.view.under_cursor(width, self.look.marks)
