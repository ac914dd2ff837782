"""Keys in the order in which they came: each is done before the next, and none acts on what is still being read.

The terminal library hands keys to widgets, whose answers come later; in a burst, keys would then act on an older
picture than the one that the keys before them made.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.events import Event, Key

from mlrtui.tui.widgets.typed import TypedRow

__all__ = ["PATIENCE", "KeyLine", "KeyedApp"]

PATIENCE = 10.0  # seconds that a key waits for what it is about; then it does what it can
_LOOK = 0.05  # seconds between two looks whether it has come


class KeyLine:
    """The keys that wait. Used by the app's task alone."""

    def __init__(
        self,
        ready: Callable[[], Awaitable[None]],
        waits: Callable[[Key], bool],
        do: Callable[[Key], Awaitable[None]],
        later: Callable[[float, Callable[[], Awaitable[None]]], object],
        clock: Callable[[], float],
    ) -> None:
        """`ready` returns once the screen is there, `waits` says whether a key must wait for the next reading, `do`
        does it; `later` calls something after so many seconds of `clock`.
        """
        self._ready, self._waits, self._do, self._later, self._clock = ready, waits, do, later, clock
        self._keys: deque[Key] = deque()
        self._since: float | None = None  # when the first key began to wait
        self._due = False

    async def take(self, key: Key) -> None:
        """One more key."""
        self._keys.append(key)
        await self.go_on()

    async def go_on(self) -> None:
        """Do the keys whose turn it is."""
        while self._keys:
            await self._ready()
            if self._waits(self._keys[0]):
                now = self._clock()
                self._since = now if self._since is None else self._since
                if now - self._since < PATIENCE:
                    self._look_again()
                    return
            self._since = None
            await self._do(self._keys.popleft())

    def _look_again(self) -> None:
        if not self._due:
            self._due = True
            self._later(_LOOK, self._again)

    async def _again(self) -> None:
        self._due = False
        await self.go_on()


class KeyedApp(App[None], inherit_bindings=False):
    """An app that does its keys one after another: text goes to the row that is typed in, commands are done at once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.line = KeyLine(self._on_screen, self._waits, self._do, self.set_timer, time.monotonic)

    def must_wait(self, event: Key) -> bool:
        """Whether a command is about something that is still being read."""
        return False

    async def on_event(self, event: Event) -> None:
        """Everything but keys as the library does it; ctrl+c waits for nothing."""
        if isinstance(event, Key) and not event.is_forwarded and event.key != "ctrl+c":
            await self.line.take(event)
        else:
            await super().on_event(event)

    async def _on_screen(self) -> None:
        """Wait for the screen that the last key led to."""
        while not self.screen.is_mounted:
            await asyncio.sleep(0.005)

    def _waits(self, event: Key) -> bool:
        return self._typed_in(event) is None and self.must_wait(event)

    async def _do(self, event: Key) -> None:
        row = self._typed_in(event)
        if row is None:
            await super().on_event(event)
        else:
            await row.take(event.key, event.character)

    def _typed_in(self, event: Key) -> TypedRow | None:
        """The row for which a key is text."""
        row = self.focused
        return row if isinstance(row, TypedRow) and row.check_consume_key(event.key, event.character) else None
