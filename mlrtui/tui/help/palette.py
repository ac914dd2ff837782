"""The command palette: every command of the screen below, found by typing."""

from collections.abc import Sequence

from textual.app import ComposeResult

from mlrtui.text.lines import Line, fit, holds, line
from mlrtui.tui.keymap import Key, bindings, commands, shown_keys
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.pane import Pane
from mlrtui.tui.widgets.rows import window
from mlrtui.tui.widgets.typed import Entry

__all__ = ["PaletteScreen"]


class CommandList(Pane):
    """The commands that fit what is typed."""

    def __init__(self, look: Look, offered: Sequence[Key]) -> None:
        super().__init__(look, id="commands", classes="pane")
        self.typed = ""
        self._offered = offered
        self._at = 0

    def title(self) -> Line:
        """What it is."""
        return line("commands", "title")

    def caption(self) -> Line:
        """How many fit."""
        return line(f"{len(self.fitting())} of {len(self._offered)}", "dim")

    def body(self, width: int, height: int) -> Sequence[Line]:
        """One command a row: what it does, its keys."""
        found = self.fitting()
        if not found:
            return [line(" no command is called so", "note")]
        self._at = min(self._at, len(found) - 1)
        rows = []
        for index in window(len(found), self._at, height):
            key = found[index]
            keys = shown_keys(key, self.look.marks.ascii_only, self.look.keys)
            text = fit(((f" {key.help:<28} ", ""), (f"{key.group:<16} ", "dim"), (keys, "key")), width)
            rows.append(tuple((part, "cursor") for part, _ in text) if index == self._at else text)
        return rows

    def move(self, dx: int, dy: int) -> bool:
        """Up and down the list."""
        self._at = min(max(self._at + dy, 0), max(len(self.fitting()) - 1, 0))
        self.update_rows()
        return True

    def find(self, typed: str) -> None:
        """Other words."""
        self.typed, self._at = typed, 0
        self.update_rows()

    def fitting(self) -> list[Key]:
        """The commands in which every typed word occurs."""
        return [key for key in self._offered if holds(f"{key.help} {key.label} {key.group}", self.typed)]

    def chosen(self) -> Key | None:
        """The command under the cursor."""
        found = self.fitting()
        return found[min(self._at, len(found) - 1)] if found else None


class PaletteScreen(ReadingScreen, inherit_bindings=False):
    """Over any screen; enter does the command there."""

    CSS_PATH = "palette.tcss"
    PASSING = True
    BINDINGS = [*bindings("palette")]  # noqa: RUF012
    AUTO_FOCUS = "#words"

    def __init__(self, below: str) -> None:
        super().__init__()
        self._below = below

    def compose(self) -> ComposeResult:
        """What is typed, what fits, footer."""
        yield Entry(self.look, id="words", sign=":", hint="a few letters of a command; enter does it, esc closes")
        yield CommandList(self.look, commands(self._below))
        yield Footer(self.look, "palette")

    def on_mount(self) -> None:
        """What is typed is text from the first letter on."""
        self.set_focus(self.query_one(Entry))

    def typed(self, text: str) -> None:
        """The list follows every letter."""
        self.query_one(CommandList).find(text)

    async def entered(self, text: str) -> None:
        """Do it on the screen below."""
        await self.action_open()

    def passed(self, key: str) -> None:
        """Arrows choose, escape closes."""
        if key in ("up", "down"):
            self.action_move(0, -1 if key == "up" else 1)
        elif key == "escape":
            self.action_back()

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.query_one(CommandList).move(dx, dy)

    async def action_open(self) -> None:
        """Do the command under the cursor."""
        key = self.query_one(CommandList).chosen()
        if key is not None:
            await self.owner.do_below(key)

    def action_back(self) -> None:
        """Back to the screen below."""
        self.owner.pop_screen()
