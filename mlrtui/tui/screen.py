"""What all screens share: the look, the reading, and repainting what differs."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from textual.screen import Screen

from mlrtui.text.lines import Line, fit, plain
from mlrtui.tui.control.errands import Errand
from mlrtui.tui.control.offers import Target, target_of
from mlrtui.tui.keymap import Key
from mlrtui.tui.owner import Owner
from mlrtui.tui.state import Look, Reading
from mlrtui.tui.tables import Table
from mlrtui.tui.widgets.pane import LinesWidget
from mlrtui.tui.widgets.typed import Prompt

__all__ = ["FilterScreen", "ReadingScreen"]


class ReadingScreen(Screen[None], inherit_bindings=False):
    """A screen that shows readings. Focus, selection and layout belong to it; data to the app."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (100, "-wide"), (140, "-huge")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (24, "-high"), (40, "-tall")]  # noqa: RUF012
    PASSING: ClassVar[bool] = False  # it lies over another screen until a key takes it away, and none lies over it

    @property
    def owner(self) -> Owner:
        """The app, by its type."""
        return cast("Owner", self.app)

    @property
    def look(self) -> Look:
        """How things are drawn now."""
        return self.owner.look

    def show(self, reading: Reading | None) -> None:
        """Hand a reading to every widget; each repaints only what differs. One batch is one write to the terminal."""
        with self.app.batch_update():
            for widget in self.query(LinesWidget):
                widget.show(reading, self.look)

    def waits(self, key: Key) -> bool:
        """Whether a command of this screen is about something that was chosen and is still being read."""
        return False

    def tables(self) -> Sequence[Table]:
        """The data behind what is shown, for files."""
        return ()

    def target(self) -> Target | None:
        """What a command that is started from here acts on: the sweep that is looked at."""
        return target_of(self.owner.reading)

    def ended(self, errand: Errand) -> bool:
        """A command that was started has ended; whether this screen shows what came of it."""
        return False

    def trials(self) -> Sequence[int]:
        """The trials that are chosen or compared here, by number, for the command that shows them again."""
        return ()

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """The values that its own choices take, by name; one that is not here takes any text."""
        return {}

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """What is wrong with choices that only the data can tell, a sentence by the choice's name."""
        return {}

    def sweeps(self) -> Sequence[tuple[int, int]]:
        """Store and number of the sweeps that are compared here."""
        return ()

    def choices(self) -> dict[str, str]:
        """How the screen is set, where that is not how it opens: names of `choices.CHOICES` that are no part of the
        look.
        """
        return {}

    def choose(self, choices: Mapping[str, str]) -> None:
        """Set it so; what does not fit its data is left as it is."""

    def typed(self, text: str) -> None:
        """The text of the row that is typed in is another one."""

    async def entered(self, text: str) -> None:
        """It was entered."""

    def left(self) -> None:
        """Typing has ended."""

    def passed(self, key: str) -> None:
        """A key that the row leaves to the screen."""

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
        choices = self.owner.take_choices(self)
        if choices:
            self.choose(choices)
        self.show(self.owner.reading)


class FilterScreen(ReadingScreen, inherit_bindings=False):
    """A screen whose first widget shows what passes the words in its prompt; the screen says what typing does."""

    async def entered(self, text: str) -> None:
        """Keep what was typed."""
        self.query_one(Prompt).accept()

    def left(self) -> None:
        """Back to what is filtered."""
        self.set_focus(self.query_one(str(self.AUTO_FOCUS)))

    def action_type(self) -> None:
        """Type what to look for."""
        self.query_one(Prompt).begin()
        self.set_focus(self.query_one(Prompt))
