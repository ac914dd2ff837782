"""Results that are used again while a cursor moves: the last few of a function, by the identity of its arrays."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

__all__ = ["Kept"]

T = TypeVar("T")


class Kept(Generic[T]):
    """At most `size` results. Arrays are never changed in place here, so the same array means the same values."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._results: OrderedDict[Hashable, tuple[tuple[Any, ...], T]] = OrderedDict()

    def get(self, arrays: tuple[Any, ...], rest: Hashable, make: Callable[[], T]) -> T:
        """The result for these arrays and this rest; made only where it is not known."""
        key = (tuple(map(id, arrays)), rest)
        found = self._results.get(key)
        if found is None:  # the arrays are kept with the result, so that no other array can get their identity
            found = arrays, make()
            self._results[key] = found
            if len(self._results) > self._size:
                self._results.popitem(last=False)
        else:
            self._results.move_to_end(key)
        return found[1]
