"""Keys in the order in which they came: each is done before the next, and none acts on what is still being read.

The terminal library hands keys to widgets, whose answers come later; in a burst, keys would then act on an older
picture than the one that the keys before them made.
"""

from collections import deque
from collections.abc import Awaitable, Callable

from textual.events import Key

__all__ = ["PATIENCE", "KeyLine"]

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
