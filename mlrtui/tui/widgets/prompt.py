"""One row in which text is typed: a condition, a filter. What was applied stays visible."""

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message

from mlrtui.tui.state import Look
from mlrtui.tui.text import Line, clean
from mlrtui.tui.widgets.pane import LinesWidget

__all__ = ["Prompt"]


class Prompt(LinesWidget, can_focus=True):
    """A line of text with a cursor. enter applies, esc gives up, tab completes a name."""

    class Applied(Message):
        """The text was entered; the screen answers with `accept` or `refuse`."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Changed(Message):
        """The text is being typed, or was given up and is what it was before."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Closed(Message):
        """Typing has ended: the screen takes the focus back."""

    def __init__(self, look: Look, label: str, hint: str, names: Sequence[str] = ()) -> None:
        """`label` stands before the text, `hint` where there is none; `names` are what tab completes."""
        super().__init__(look, id="prompt")
        self.text = ""
        self._label, self._hint, self._names = label, hint, sorted(names)
        self._typed = ""
        self._at = 0
        self._trouble = ""

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        if not self.has_focus:
            shown = (clean(self.text), "value") if self.text else (self._hint, "dim")
            return [((f" {self._label}: ", "dim"), shown)]
        text = clean(self._typed)
        under = text[self._at : self._at + 1] or " "
        typed: Line = ((text[: self._at], "value"), (under, "cursor"), (text[self._at + 1 :], "value"))
        trouble: Line = (("  ! ", "failed"), (self._trouble, "failed")) if self._trouble else ()
        return [((f" {self._label}: ", "strong"), *typed, *trouble)]

    def set(self, text: str) -> None:
        """Show another text than the one that was typed."""
        self.text = text
        self.update_rows()

    def accept(self) -> None:
        """What was entered holds."""
        self.text = self._typed
        self.post_message(self.Closed())

    def refuse(self, trouble: str) -> None:
        """What was entered cannot be read; typing goes on."""
        self._trouble = trouble
        self.update_rows()

    def on_focus(self) -> None:
        """Start from what holds."""
        self._typed, self._at, self._trouble = self.text, len(self.text), ""
        self.update_rows()

    def on_blur(self) -> None:
        """Show what holds."""
        self.update_rows()

    def on_key(self, event: events.Key) -> None:
        """Every key is text here, or moves in it."""
        event.stop()
        event.prevent_default()
        act = self._acts().get(event.key)
        before = self._typed
        if act is not None:
            act()
        elif event.character is not None and event.is_printable:
            self._insert(event.character)
        if self._typed != before:
            self._trouble = ""
            self.post_message(self.Changed(self._typed))
        self.update_rows()

    def on_paste(self, event: events.Paste) -> None:
        """The first line of what was pasted."""
        event.stop()
        self._insert("".join(event.text.splitlines()[:1]))
        self.post_message(self.Changed(self._typed))
        self.update_rows()

    def _acts(self) -> dict[str, Callable[[], None]]:
        return {
            "enter": lambda: self._post(self.Applied(self._typed)),
            "escape": self._give_up,
            "ctrl+c": self.app.exit,
            "tab": self._complete,
            "backspace": lambda: self._cut(self._at - 1, self._at),
            "delete": lambda: self._cut(self._at, self._at + 1),
            "ctrl+u": lambda: self._cut(0, self._at),
            "left": lambda: self._go(self._at - 1),
            "right": lambda: self._go(self._at + 1),
            "home": lambda: self._go(0),
            "end": lambda: self._go(len(self._typed)),
        }

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def _give_up(self) -> None:
        self._typed = self.text
        self.post_message(self.Changed(self.text))
        self.post_message(self.Closed())

    def _go(self, to: int) -> None:
        self._at = min(max(to, 0), len(self._typed))

    def _insert(self, text: str) -> None:
        self._typed = self._typed[: self._at] + text + self._typed[self._at :]
        self._at += len(text)

    def _cut(self, start: int, stop: int) -> None:
        start = max(start, 0)
        self._typed = self._typed[:start] + self._typed[stop:]
        self._at = start

    def _complete(self) -> None:
        """The name that is begun before the cursor, as far as it is certain."""
        start = self._at
        while start and (self._typed[start - 1].isalnum() or self._typed[start - 1] == "_"):
            start -= 1
        begun = self._typed[start : self._at]
        found = [name for name in self._names if name.startswith(begun)] if begun else []
        if not found:
            return
        first, last = found[0], found[-1]
        common = next((k for k, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
        self._insert(first[len(begun) : common])
