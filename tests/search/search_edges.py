"""Searches over made edges, driven to their end."""

from collections.abc import Callable

from mlrtui_trainer.search import Boundary, Search, SearchSpec

SPEC = SearchSpec("accuracy", tolerance=0.05, eta_min=1e-4, eta_max=1e2)


def run(search: Search, outcome: Callable[[float], str]) -> list[float]:
    """Answer every question; the rates in the order in which they were asked."""
    asked = []
    while wanted := search.ask():
        for eta in wanted:
            asked.append(eta)
            search.tell(eta, outcome(eta))
    assert search.closed
    return asked


def found(outcome: Callable[[float], str], start: float = 1.0, spec: SearchSpec = SPEC) -> Boundary:
    search = Search(spec, start)
    asked = run(search, outcome)
    assert len(set(asked)) == len(asked) == search.boundary().trials <= spec.max_trials
    return search.boundary()


def edge(at: float, slow: float = 0.0) -> Callable[[float], str]:
    return lambda eta: "not-reached" if eta < slow else "reached" if eta < at else "diverged"


def by_place(spec: SearchSpec, verdict: Callable[[int], str]) -> Callable[[float], str]:
    """Verdicts by the place on the lattice."""

    def outcome(eta: float) -> str:
        place = spec.place(eta)
        assert place is not None, f"{eta!r} is off the lattice"
        return verdict(place)

    return outcome
