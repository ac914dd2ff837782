"""The walk over a lattice of learning rates that decides which of them the estimate of η* is made of.

A place k stands for the rate exp(k·δ). What the walk does next depends on the verdicts at the places that it has
visited and on nothing else: answers that were asked for ahead of need are looked up when the walk comes by.

1. Coarse steps over the multiples of the step, from the one nearest to the start, to a success with a failure above it.
   They are the same multiples from any start.
2. Halving, to neighbours.
3. Filling: up from there until M failures in a row; then down from the last success until M successes in a row.
4. M failures in a row below mean that this was an island, or the whole of a narrow band: coarse steps down from there,
   and again from 2 with the success that they meet. Without one, the window begins at the island's lowest success.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

from mlrtui_trainer.phases import is_not_reached, is_success

__all__ = ["COARSE_POINTS", "End", "Known", "Range", "walk"]

COARSE_POINTS = 9
"""Coarse steps that are asked at once at most: further ones are seldom needed."""

Known = Mapping[int, str]
Question = tuple[int, ...]


@dataclass(frozen=True)
class Range:
    """The lattice's places that may be asked, and the sizes of the walk's steps and runs."""

    lowest: int
    highest: int
    step: int
    in_a_row: int
    rate: Callable[[int], float]  # for sentences

    def nearest(self, place: float) -> int:
        """The coarse place nearest to ``place``."""
        return min(max(self.step * round(place / self.step), self.lowest), self.highest)

    def up(self, k: int) -> Iterator[int]:
        """Coarse places above ``k``: multiples of the step, then the highest place."""
        while k < self.highest:
            k = min((k // self.step + 1) * self.step, self.highest)
            yield k

    def down(self, k: int) -> Iterator[int]:
        """Coarse places below ``k``: multiples of the step, then the lowest place."""
        while k > self.lowest:
            k = max((k - 1) // self.step * self.step, self.lowest)
            yield k


@dataclass(frozen=True)
class End:
    """Where the walk ended. ``window``: its lowest success and its highest place; None: it met no success.

    ``band``: then the highest place that did not reach its threshold below the lowest unstable one, and that one.
    """

    window: tuple[int, int] | None = None
    censored: str | None = None
    reason: str | None = None
    band: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True)
class _Crossing:
    """A success and a failure above it; None above the highest place, which has succeeded."""

    success: int
    failure: int | None


_Walk = Generator[Question, None, End]


def walk(places: Range, start: float, known: Known, at_once: int) -> _Walk:
    """Questions of at most ``at_once`` places, ascending; ``known`` holds the answers when the walk goes on.

    The first of a question's places is needed, the others are what may be needed next. ``start`` is in units of places.
    """
    return _Walker(places, known, at_once).walk(places.nearest(start))


class _Walker:
    """The walk's steps, each of which asks for what it needs and returns what it found."""

    def __init__(self, places: Range, known: Known, at_once: int) -> None:
        self._places = places
        self._known = known
        self._at_once = at_once

    def walk(self, start: int) -> _Walk:
        """From the coarse place ``start`` to the window."""
        crossing = yield from self._find(start)
        while isinstance(crossing, _Crossing):
            success = yield from self._halve(crossing)
            last, top = yield from self._fill_up(success)
            first, gap, enough = yield from self._fill_down(last)
            if gap is not None:
                lower = yield from self._descend(gap)
                if lower is not None:
                    crossing = lower
                    continue
            return self._end(first, last, top, enough)
        return crossing

    def _verdict(self, k: int, likely: Iterable[int] = (), most: int | None = None) -> Generator[Question, None, str]:
        """The verdict at ``k``; asked for together with the ``likely`` next places where it is unknown."""
        if k not in self._known:
            count = self._at_once if most is None else min(self._at_once, most)
            lowest, highest = self._places.lowest, self._places.highest
            others = (place for place in likely if lowest <= place <= highest and place not in self._known)
            yield tuple(sorted(islice(dict.fromkeys(islice(chain((k,), others), 2 * count)), count)))
        return self._known[k]

    # --- the first crossing --------------------------------------------------------------------------------------

    def _find(self, start: int) -> Generator[Question, None, _Crossing | End]:
        """Coarse steps: up from a success or a missed threshold, down from an unstable rate, at last down to the end.

        That descent is for rates above the band that look slow: an unstable training may end a little below its
        initial loss, and the search must not say that no rate succeeds before it has looked below.
        """
        places = self._places
        verdict = yield from self._verdict(start, _by_turns(places.up(start), places.down(start)), COARSE_POINTS)
        slow = unstable = None
        if is_success(verdict):
            return (yield from self._rise(start))
        if is_not_reached(verdict):
            slow = lowest = start
            for k in places.up(start):
                verdict = yield from self._verdict(k, places.up(k), COARSE_POINTS)
                if is_success(verdict):
                    return (yield from self._rise(k))
                if not is_not_reached(verdict):
                    unstable = k
                    break
                slow = k
        else:
            unstable = lowest = start
            for k in places.down(start):
                verdict = yield from self._verdict(k, places.down(k), COARSE_POINTS)
                if is_success(verdict):
                    return _Crossing(k, unstable)
                lowest = k
                if is_not_reached(verdict):
                    slow = k
                    break
                unstable = k
        if slow is None:
            at = f"eta_min = {places.rate(places.lowest):.4g}"
            return End(None, "at_min", f"unstable at every rate down to {at}; lower eta_min", (None, unstable))
        if unstable is None:
            nowhere = (
                f"no success up to eta_max = {places.rate(places.highest):.4g}, where the loss still falls; "
                "give more epochs or raise eta_max"
            )
        else:
            while unstable - slow > 1:
                middle = (slow + unstable) // 2
                verdict = yield from self._verdict(middle, _halvings(slow, unstable))
                if is_success(verdict):
                    return _Crossing(middle, unstable)
                slow, unstable = (middle, unstable) if is_not_reached(verdict) else (slow, middle)
            nowhere = (
                f"no success: not reached up to {places.rate(slow):.4g}, unstable from {places.rate(unstable):.4g}; "
                "give more epochs or a lower tolerance"
            )
        crossing = yield from self._descend(lowest)
        return End(None, "none", nowhere, (slow, unstable)) if crossing is None else crossing

    def _rise(self, success: int) -> Generator[Question, None, _Crossing]:
        """Coarse steps up from a success to the first failure."""
        places = self._places
        for k in places.up(success):
            verdict = yield from self._verdict(k, places.up(k), COARSE_POINTS)
            if not is_success(verdict):
                return _Crossing(success, k)
            success = k
        return _Crossing(success, None)

    def _descend(self, failure: int) -> Generator[Question, None, _Crossing | None]:
        """Coarse steps down from a failure to the first success; None: there is none down to the lowest place."""
        places = self._places
        for k in places.down(failure):
            verdict = yield from self._verdict(k, places.down(k), COARSE_POINTS)
            if is_success(verdict):
                return _Crossing(k, failure)
            failure = k
        return None

    # --- the window ----------------------------------------------------------------------------------------------

    def _halve(self, crossing: _Crossing) -> Generator[Question, None, int]:
        """A success whose upper neighbour fails, between those of the crossing."""
        success, failure = crossing.success, crossing.failure
        while failure is not None and failure - success > 1:
            middle = (success + failure) // 2
            verdict = yield from self._verdict(middle, _halvings(success, failure))
            success, failure = (middle, failure) if is_success(verdict) else (success, middle)
        return success

    def _fill_up(self, success: int) -> Generator[Question, None, tuple[int, int]]:
        """Every place up to M failures in a row, or to the range's end: the last success and the last place."""
        in_a_row, last, k = self._places.in_a_row, success, success
        while k - last < in_a_row and k < self._places.highest:
            k += 1
            above = range(k + 1, last + in_a_row + 1)
            below = range(success - 1, success - in_a_row, -1)
            verdict = yield from self._verdict(k, chain(above, below))
            if is_success(verdict):
                last = k
        return last, k

    def _fill_down(self, last: int) -> Generator[Question, None, tuple[int, int | None, bool]]:
        """Every place down from the last success to M successes in a row, M failures in a row, or the range's end.

        Returns the lowest success, the last of M failures (else None), and whether there were M successes in a row.
        """
        in_a_row, first = self._places.in_a_row, last
        successes = failures = 0
        for k in range(last, self._places.lowest - 1, -1):
            likely = range(k - 1, k - (in_a_row - successes), -1)
            verdict = yield from self._verdict(k, likely)
            if is_success(verdict):
                first, successes, failures = k, successes + 1, 0
                if successes == in_a_row:
                    return first, None, True
            else:
                successes, failures = 0, failures + 1
                if failures == in_a_row:
                    return first, k, False
        return first, None, False

    def _end(self, first: int, last: int, top: int, enough: bool) -> End:
        places = self._places
        lowest = self._known.get(places.lowest)
        if not enough and lowest is not None and not is_success(lowest) and not is_not_reached(lowest):
            few = f"and fewer than {places.in_a_row} rates in a row succeed above it; lower eta_min"
            return End((first, top), "at_min", f"unstable at eta_min = {places.rate(places.lowest):.4g}, {few}")
        if top - last < places.in_a_row:
            state = "still succeeds at" if top == last else f"fewer than {places.in_a_row} failures in a row up to"
            return End((first, top), "at_max", f"{state} eta_max = {places.rate(places.highest):.4g}; raise eta_max")
        return End((first, top))


def _halvings(low: int, high: int) -> Iterator[int]:
    """Places between two, in the order in which halving may come by: the middle, the quarters, the eighths."""
    level = [(low, high)]
    while level:
        below = []
        for a, b in level:
            if b - a > 1:
                middle = (a + b) // 2
                yield middle
                below += [(a, middle), (middle, b)]
        level = below


def _by_turns(*streams: Iterator[int]) -> Iterator[int]:
    """The first of each, the second of each, while there are any."""
    left = list(streams)
    while left:
        for stream in list(left):
            try:
                yield next(stream)
            except StopIteration:
                left.remove(stream)
