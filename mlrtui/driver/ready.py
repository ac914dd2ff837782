"""Cells that may want something now, in an order of work: nothing walks the thousands that want nothing."""

from bisect import insort
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Ready"]

T = TypeVar("T")


class Ready(Generic[T]):
    """Places of cells in an order, from 0. A place is put in whenever its cell may have begun to want something else.

    One that is found to want nothing is taken out, and what another wants is kept until it is put in again; so over a
    sweep each is looked at about as often as its cell changes, however many slots ask.
    """

    def __init__(self, count: int, look: Callable[[int], Sequence[T]]) -> None:
        """All of so many places are in; ``look`` says what a place's cell wants."""
        self._places = list(range(count))
        self._is_in = bytearray(b"\1") * count
        self._look = look
        self._wants: dict[int, Sequence[T]] = {}
        self.looks = 0
        """How many places were looked at so far."""

    def add(self, place: int) -> None:
        """Put a place in; one that is in is looked at again."""
        self._wants.pop(place, None)
        if not self._is_in[place]:
            insort(self._places, place)
            self._is_in[place] = 1

    def first(self, most: int) -> list[tuple[int, Sequence[T]]]:
        """The first places, up to ``most``, whose cells want something, and what."""
        found: list[tuple[int, Sequence[T]]] = []
        spent: list[int] = []
        for index, place in enumerate(self._places):
            if len(found) >= most:
                break
            work = self._wants.get(place)
            if work is None:
                self.looks += 1
                work = self._look(place)
                if not work:
                    spent.append(index)
                    continue
                self._wants[place] = work
            found.append((place, work))
        for index in reversed(spent):
            self._is_in[self._places.pop(index)] = 0
        return found
