"""Cells that may want something now, in an order of work: nothing walks the thousands that want nothing."""

from bisect import insort
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["Ready"]

T = TypeVar("T")


class Ready:
    """Places of cells in an order, from 0. A place is put in whenever its cell may have begun to want something.

    One that is found to want nothing is taken out, so over a sweep each is looked at about as often as it is put in.
    """

    def __init__(self, count: int) -> None:
        """All of so many places are in."""
        self._places = list(range(count))
        self._is_in = bytearray(b"\1") * count
        self.looks = 0
        """How many places were looked at so far."""

    def add(self, place: int) -> None:
        """Put a place in; one that is in stays."""
        if not self._is_in[place]:
            insort(self._places, place)
            self._is_in[place] = 1

    def first(self, most: int, look: Callable[[int], Sequence[T] | None]) -> list[tuple[int, Sequence[T]]]:
        """The first places, up to ``most``, whose cells want something, and what.

        ``look`` says what a place's cell wants; None passes it over, and it stays in.
        """
        found: list[tuple[int, Sequence[T]]] = []
        spent: list[int] = []
        for index, place in enumerate(self._places):
            if len(found) >= most:
                break
            self.looks += 1
            work = look(place)
            if work:
                found.append((place, work))
            elif work is not None:
                spent.append(index)
        for index in reversed(spent):
            self._is_in[self._places.pop(index)] = 0
        return found
