"""One row in which the user types: no blinking cursor, and nothing is sent while nothing is typed."""

from textual import events
from textual.message import Message

from mlrtui.tui.state import Look
from mlrtui.tui.text import Line, clean, line
from mlrtui.tui.widgets.pane import LinesWidget

__all__ = ["Entry"]

_EDITING = {"backspace", "ctrl+h", "ctrl+u", "ctrl+w", "tab", "enter", "escape", "up", "down"}
_LONGEST = 500


class Entry(LinesWidget, can_focus=True):
    """Text after a sign. While it has the focus it takes printable keys, also those that are commands elsewhere."""

    class Changed(Message):
        """The text is another one."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Pressed(Message):
        """Enter, escape, tab, up or down."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    def __init__(self, look: Look, *, id: str, sign: str = "/", hint: str = "") -> None:
        super().__init__(look, id=id)
        self.sign = sign
        self.hint = hint
        self.typed = ""
        self.note: Line = ()  # stands at the right

    def lines(self, width: int, height: int) -> list[Line]:
        """Sign, text, a mark where the next letter goes, note."""
        shown = clean(self.typed)[-max(width - 30, 10) :]
        mark = (" ", "cursor") if self.has_focus else ("", "")
        hint = (f" {self.hint}", "dim") if self.has_focus and not self.typed else ("", "")
        left: Line = ((f" {self.sign} ", "key"), (shown, "strong"), mark, hint, ("  ", ""))
        return [(*left, *(self.note or line()))]

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters belong to the text."""
        return key in _EDITING or (character is not None and character.isprintable())

    def on_key(self, event: events.Key) -> None:
        """One key of typing."""
        if not self.check_consume_key(event.key, event.character):
            return
        event.stop()
        event.prevent_default()
        if event.key in ("backspace", "ctrl+h"):
            self.put(self.typed[:-1])
        elif event.key == "ctrl+u":
            self.put("")
        elif event.key == "ctrl+w":
            self.put(self.typed.rstrip()[: self.typed.rstrip().rfind(" ") + 1])
        elif event.key in _EDITING:
            self.post_message(self.Pressed(event.key))
        elif event.character is not None:
            self.put(self.typed + event.character)

    def on_paste(self, event: events.Paste) -> None:
        """The first line of what is pasted."""
        event.stop()
        self.put(self.typed + "".join(event.text.splitlines()[:1]))

    def put(self, text: str) -> None:
        """Another text."""
        if text != self.typed:
            self.typed = text[:_LONGEST]
            self.update_rows()
            self.post_message(self.Changed(self.typed))

    def on_focus(self) -> None:
        """The mark shows where letters go."""
        self.call_later(self.update_rows)  # the library notes the focus after this

    def on_blur(self) -> None:
        """The mark goes."""
        self.call_later(self.update_rows)  # the library notes the focus after this
