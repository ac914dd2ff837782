"""A row in which text is typed: where the next letter goes, and what keys do to the text."""

from collections.abc import Callable
from typing import Protocol, cast

from textual import events
from textual.keys import KEY_NAME_REPLACEMENTS

from mlrtui.tui.state import Look
from mlrtui.tui.text import Line, clean
from mlrtui.tui.widgets.pane import LinesWidget

__all__ = ["TypedRow", "TypingScreen"]

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
        text = clean(self.typed)[start:]
        at = self._at - start
        return ((text[:at], "value"), (text[at : at + 1] or " ", "cursor"), (text[at + 1 :], "value"))

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
