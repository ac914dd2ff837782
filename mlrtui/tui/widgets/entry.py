"""A row whose text acts as it is typed: a filter, the words of a command."""

from mlrtui.tui.state import Look
from mlrtui.tui.text import Line, clean
from mlrtui.tui.widgets.typed import TypedRow

__all__ = ["Entry"]


class Entry(TypedRow):
    """Text after a sign, with a note behind it; the screen says what the other keys do."""

    ENDING = ("enter", "escape", "tab", "up", "down")

    def __init__(self, look: Look, *, id: str, sign: str = "/", hint: str = "") -> None:
        super().__init__(look, id)
        self.sign = sign
        self.hint = hint
        self.note: Line = ()

    def lines(self, width: int, height: int) -> list[Line]:
        """Sign, text, hint, note."""
        room = max(width - 30, 10)
        text = self.typed_line(room) if self.has_focus else ((clean(self.typed)[:room], "value"),)
        hint = (f" {self.hint}", "dim") if self.has_focus and not self.typed else ("", "")
        return [((f" {self.sign} ", "key"), *text, hint, ("  ", ""), *self.note)]

    async def finish(self, key: str) -> None:
        """Hand it to the screen."""
        if key == "enter":
            await self.host.entered(self.typed)
        else:
            self.host.passed(key)
