"""What all screens share: the look, the reading, and repainting what differs."""

from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from mlrtui.tui.state import Look, Reading
from mlrtui.tui.text import Line, fit, plain
from mlrtui.tui.widgets.pane import LinesWidget

if TYPE_CHECKING:
    from mlrtui.tui.app import MlrtuiApp

__all__ = ["ReadingScreen"]


class ReadingScreen(Screen[None], inherit_bindings=False):
    """A screen that shows readings. Focus, selection and layout belong to it; data to the app."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (100, "-wide"), (140, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-high"), (40, "-tall")]  # noqa: RUF012

    @property
    def owner(self) -> "MlrtuiApp":
        """The app, by its type."""
        return cast("MlrtuiApp", self.app)

    @property
    def look(self) -> Look:
        """How things are drawn now."""
        return self.owner.look

    def show(self, reading: Reading | None) -> None:
        """Hand a reading to every widget; each repaints only what differs. One batch is one write to the terminal."""
        with self.app.batch_update():
            for widget in self.query(LinesWidget):
                widget.show(reading, self.look)

    def text(self) -> str:
        """What is on the screen, without colours."""
        rows: list[Line] = [()] * self.size.height
        for widget in sorted(self.query(LinesWidget), key=lambda widget: widget.region.x):
            region = widget.region
            for y, runs in zip(range(region.y, region.bottom), widget.picture(), strict=False):
                if y < len(rows):
                    rows[y] = (*fit(rows[y], region.x), *runs)
        return "\n".join(plain(runs).rstrip() for runs in rows)

    def on_screen_resume(self) -> None:
        """Show what was read while another screen was up."""
        self.show(self.owner.reading)
