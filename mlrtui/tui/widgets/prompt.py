"""A row whose text holds only once it was entered: a condition. What was applied stays visible."""

from collections.abc import Sequence

from mlrtui.tui.state import Look
from mlrtui.tui.text import Line, clean
from mlrtui.tui.widgets.typed import TypedRow

__all__ = ["Prompt"]


class Prompt(TypedRow):
    """enter applies, to which the screen answers with `accept` or `refuse`; esc gives up, tab completes a name."""

    ENDING = ("enter", "escape", "tab", "shift+tab", "up", "down", "pageup", "pagedown")

    def __init__(self, look: Look, label: str, hint: str, names: Sequence[str] = ()) -> None:
        """`label` stands before the text, `hint` where there is none; `names` are what tab completes."""
        super().__init__(look, "prompt")
        self.text = ""  # what holds
        self._label, self._hint, self._names = label, hint, sorted(names)
        self._trouble = ""
        self._typing = False

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        if not self.has_focus:
            shown = (clean(self.text), "value") if self.text else (self._hint, "dim")
            return [((f" {self._label}: ", "dim"), shown)]
        trouble: Line = (("  ! ", "failed"), (self._trouble, "failed")) if self._trouble else ()
        return [((f" {self._label}: ", "strong"), *self.typed_line(max(width - len(self._label) - 4, 10)), *trouble)]

    def accept(self) -> None:
        """What was entered holds."""
        self.text = self.typed
        self._leave()

    def refuse(self, trouble: str) -> None:
        """What was entered cannot be read; typing goes on."""
        self._trouble = trouble
        self.update_rows()

    def put(self, text: str, at: int | None = None) -> None:
        """Another text: what was wrong with the last one is no news any more."""
        self._trouble = ""
        super().put(text, at)

    def begin(self) -> None:
        """Start from what holds; called before the row gets the focus, since letters may come before its event does."""
        self.typed, self._trouble = self.text, ""
        self._go(len(self.typed))
        self._typing = True

    def on_focus(self) -> None:
        """By the mouse, nobody has begun yet."""
        if not self._typing:
            self.begin()
        super().on_focus()

    async def finish(self, key: str) -> None:
        """Apply, give up, complete; the other keys would leave the row and do nothing here."""
        if key == "enter":
            await self.host.entered(self.typed)
        elif key == "escape":
            self.put(self.text)
            self._leave()
        elif key == "tab":
            self._complete()

    def _leave(self) -> None:
        self._typing = False
        self.host.left()

    def _complete(self) -> None:
        """The name that is begun before the cursor, as far as it is certain."""
        start = self._at
        while start and (self.typed[start - 1].isalnum() or self.typed[start - 1] == "_"):
            start -= 1
        begun = self.typed[start : self._at]
        found = [name for name in self._names if name.startswith(begun)] if begun else []
        if not found:
            return
        first, last = found[0], found[-1]
        common = next((k for k, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
        self.insert(first[len(begun) : common])
