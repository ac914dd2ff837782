"""Keys one after another: their order, waiting for what is read, and the end of waiting."""

import asyncio
from collections.abc import Awaitable, Callable

from textual.events import Key

from mlrtui.tui.keyline import PATIENCE, KeyLine


class Desk:
    """A line of keys with what a test sets and sees."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.done: list[str] = []
        self.now = 0.0
        self.due: list[Callable[[], Awaitable[None]]] = []
        self.line = KeyLine(self.ready, self.waits, self.do, self.later, lambda: self.now)

    async def ready(self) -> None:
        await asyncio.sleep(0)

    def waits(self, key: Key) -> bool:
        return key.key in self.held

    async def do(self, key: Key) -> None:
        self.done.append(key.key)

    def later(self, seconds: float, what: Callable[[], Awaitable[None]]) -> None:
        assert seconds > 0
        self.due.append(what)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.line.take(Key(key, None))


async def test_keys_are_done_in_their_order() -> None:
    desk = Desk()
    await desk.press("a", "b", "c")
    assert desk.done == ["a", "b", "c"]
    assert desk.due == []


async def test_a_key_that_waits_holds_those_behind_it_and_none_is_lost() -> None:
    desk = Desk()
    desk.held = {"b"}
    await desk.press("a", "b", "c", "d")
    assert desk.done == ["a"]
    assert len(desk.due) == 1  # one look ahead, however many keys wait
    await desk.due.pop()()
    assert desk.done == ["a"]
    desk.held = set()
    await desk.line.go_on()  # a reading has come
    assert desk.done == ["a", "b", "c", "d"]


async def test_no_key_waits_for_ever() -> None:
    desk = Desk()
    desk.held = {"b"}
    await desk.press("b", "c")
    desk.now = PATIENCE
    await desk.due.pop()()
    assert desk.done == ["b", "c"]
    await desk.press("b")  # the next one has its own time
    assert desk.done == ["b", "c"]
    assert len(desk.due) == 1
