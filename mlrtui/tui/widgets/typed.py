"""A row in which text is typed: where the next letter goes, and what keys do to the text."""

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from textual import events
from textual.keys import KEY_NAME_REPLACEMENTS

from mlrtui.text.lines import Line, clean
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.pane import LinesWidget

__all__ = ["Entry", "Prompt", "TypedRow", "TypingScreen"]

_NAMELESS = frozenset(KEY_NAME_REPLACEMENTS.values())  # signs such as / and +, asked for without their character
LONGEST = 500
"""Characters that are taken; also the longest expression that is read."""


class TypingScreen(Protocol):
    """What a row asks of its screen: at once and not by messages, since the next key may be here already."""

    def typed(self, text: str) -> None:
        """The text is another one."""

    async def entered(self, text: str) -> None:
        """It was entered."""

    def left(self) -> None:
        """Typing has ended: the screen takes the focus back."""

    def passed(self, key: str) -> None:
        """A key that the row leaves to the screen."""


class TypedRow(LinesWidget, can_focus=True):
    """No blinking cursor, and nothing is sent while nothing is typed.

    While it has the focus its keys are text, also those that are commands elsewhere; the app hands them over with
    `take`. `finish` takes the keys that end typing or ask for help with it.
    """

    ENDING: tuple[str, ...] = ()  # keys for `finish`

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id)
        self.typed = ""
        self._at = 0

    @property
    def host(self) -> TypingScreen:
        """The screen."""
        return cast("TypingScreen", self.screen)

    async def finish(self, key: str) -> None:
        """One of the `ENDING` keys."""
        raise NotImplementedError

    def typed_line(self, room: int) -> Line:
        """The text with the mark at the next letter, moved so that the mark is within `room` cells."""
        start = max(self._at - room + 1, 0)
        start += start > 0  # for the sign that there is more to the left
        text = clean(self.typed)[start:]
        at = self._at - start
        return (
            ("‹" if start else "", "dim"),
            (text[:at], "value"),
            (text[at : at + 1] or " ", "cursor"),
            (text[at + 1 :], "value"),
        )

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters belong to the text, and the keys that work on it are no commands."""
        printable = character is not None and character.isprintable()
        return key in self.ENDING or key in self._edits() or printable or key in _NAMELESS

    async def take(self, key: str, character: str | None) -> None:
        """One key of typing, of those that `check_consume_key` names."""
        edit = self._edits().get(key)
        if key in self.ENDING:
            await self.finish(key)
        elif edit is not None:
            edit()
        elif character is not None:
            self.insert(character)
        self.update_rows()

    def on_paste(self, event: events.Paste) -> None:
        """The first line of what is pasted."""
        event.stop()
        self.insert("".join(event.text.splitlines()[:1]))
        self.update_rows()

    def insert(self, text: str) -> None:
        """Text where the mark is."""
        self.put(self.typed[: self._at] + text + self.typed[self._at :], self._at + len(text))

    def put(self, text: str, at: int | None = None) -> None:
        """Another text, with the mark at its end if no place is given."""
        changed = text[:LONGEST] != self.typed
        self.typed = text[:LONGEST]
        self._go(len(self.typed) if at is None else at)
        if changed:
            self.update_rows()
            self.host.typed(self.typed)

    def on_focus(self) -> None:
        """The mark shows where letters go."""
        self.call_later(self.update_rows)  # the library notes the focus after this

    def on_blur(self) -> None:
        """The mark goes."""
        self.call_later(self.update_rows)  # the library notes the focus after this

    def _edits(self) -> dict[str, Callable[[], None]]:
        back = lambda: self._cut(self._at - 1, self._at)  # noqa: E731  (two keys, one edit)
        return {
            "backspace": back,
            "ctrl+h": back,
            "delete": lambda: self._cut(self._at, self._at + 1),
            "ctrl+u": lambda: self._cut(0, self._at),
            "ctrl+w": lambda: self._cut(self.typed[: self._at].rstrip().rfind(" ") + 1, self._at),
            "left": lambda: self._go(self._at - 1),
            "right": lambda: self._go(self._at + 1),
            "home": lambda: self._go(0),
            "end": lambda: self._go(len(self.typed)),
        }

    def _go(self, to: int) -> None:
        self._at = min(max(to, 0), len(self.typed))

    def _cut(self, start: int, stop: int) -> None:
        start = max(start, 0)
        self.put(self.typed[:start] + self.typed[stop:], start)


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
