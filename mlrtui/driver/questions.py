"""What a net still wants to know: a list of rates (scan) or a search. Both are asked and told in the same way."""

from collections.abc import Iterable
from typing import Protocol

from mlrtui_trainer.search import Boundary, Search, SearchSpec

__all__ = ["Questions", "ScanQuestions", "SearchQuestions"]


class Questions(Protocol):
    """A pure function of the outcomes told so far, so that a resumed sweep asks the same."""

    @property
    def told(self) -> int:
        """How many outcomes were told."""

    @property
    def round(self) -> int:
        """Number of the current question, from 0."""

    @property
    def closed(self) -> bool:
        """Nothing more is wanted."""

    def ask(self) -> tuple[float, ...]:
        """Learning rates wanted now that have not been told."""

    def tell(self, eta: float, verdict: str) -> None:
        """The outcome of a training at ``eta``."""

    def boundary(self) -> Boundary | None:
        """What is known of eta*; None for a scan."""


class ScanQuestions:
    """Every rate of a list, once."""

    round = 0

    def __init__(self, etas: Iterable[float]) -> None:
        self._open = dict.fromkeys(etas)
        self._places = {eta: place for place, eta in enumerate(self._open)}

    @property
    def told(self) -> int:
        """How many rates are ticked off."""
        return len(self._places) - len(self._open)

    def place(self, eta: float) -> int:
        """Where a rate stands in the list; the end for another."""
        return self._places.get(eta, len(self._places))

    @property
    def closed(self) -> bool:
        """All rates have been told."""
        return not self._open

    def ask(self) -> tuple[float, ...]:
        """The rates that are left, in the file's order."""
        return tuple(self._open)

    def tell(self, eta: float, verdict: str) -> None:
        """Tick a rate off, whatever came of it."""
        self._open.pop(eta, None)

    def boundary(self) -> None:
        """A scan searches no boundary."""


class SearchQuestions:
    """The search for eta*, which wants each outcome once.

    ``unfinished``: rates of trials that the store holds without an outcome. Those that the search does not ask for, of
    an older rule, are trained to their end all the same: they are rows of the store, though no evidence for eta*.
    """

    def __init__(self, spec: SearchSpec, start_eta: float, unfinished: Iterable[float] = ()) -> None:
        self._search = Search(spec, start_eta)
        on_lattice = ((eta, spec.place(eta)) for eta in unfinished)
        self._unfinished = dict.fromkeys(eta for eta, place in on_lattice if place is None or spec.rate(place) == eta)
        self.told = 0

    @property
    def round(self) -> int:
        """Number of the current question."""
        return self._search.round

    @property
    def closed(self) -> bool:
        """The window is filled, and nothing that was begun is left."""
        return self._search.closed and not self._unfinished

    def ask(self) -> tuple[float, ...]:
        """Rates wanted now."""
        return tuple(dict.fromkeys((*self._search.ask(), *self._unfinished)))

    def tell(self, eta: float, verdict: str) -> None:
        """The outcome of a training."""
        self.told += 1
        self._unfinished.pop(eta, None)
        self._search.tell(eta, verdict)

    def boundary(self) -> Boundary:
        """What the search knows."""
        return self._search.boundary()
