"""How many rates a question holds: "bisect", "section" and "profile" differ in nothing else."""

from dataclasses import replace
from math import exp, inf
from statistics import fmean

import numpy as np
import pytest
from search_edges import SPEC, edge, found, run

from mlrtui_trainer.search import METHODS, Search


@pytest.mark.parametrize("tolerance", [0.05, 0.1, 0.3, 0.01])
@pytest.mark.parametrize("method", METHODS)
def test_a_quick_search_stays_near_the_planned_number_of_trials(method: str, tolerance: float) -> None:
    """Mean over edges that lie anywhere between the lattice's rates, from starts within half an octave of them."""
    spec = replace(SPEC, method=method, tolerance=tolerance)
    rng = np.random.default_rng(3)
    edges = np.exp(rng.uniform(-2.0, 1.0, 40))
    counts = [found(edge(at), at * exp(rng.uniform(-0.35, 0.35)), spec).trials for at in edges]
    assert 0.65 * spec.typical_trials <= fmean(counts) <= 1.05 * spec.typical_trials


@pytest.mark.parametrize("points", [2, 5, 16, 63])
@pytest.mark.parametrize("start", [1e-9, 0.02, 0.3, 7.0, inf])
def test_more_rates_a_question_take_fewer_rounds(points: int, start: float) -> None:
    spec = replace(SPEC, method="section", points=points)
    search, one_by_one = Search(spec, start), Search(SPEC, start)
    while wanted := search.ask():
        assert len(wanted) <= points
        for eta in wanted:
            search.tell(eta, edge(0.31, slow=0.05)(eta))
    run(one_by_one, edge(0.31, slow=0.05))
    assert search.round < one_by_one.round
    assert search.boundary().eta_star == one_by_one.boundary().eta_star


def places(search: Search) -> list[int | None]:
    return [search.spec.place(eta) for eta in search.ask()]


def answer_all(search: Search, at: float) -> None:
    for eta in search.ask():
        search.tell(eta, edge(at)(eta))


def test_what_is_asked_ahead_is_what_the_walk_may_need_next() -> None:
    """The edge lies between places 4 and 5; a coarse step is 14 places, a run that ends the window 6."""
    at = SPEC.rate(4.5)
    search = Search(replace(SPEC, method="section", points=4), 1.0)
    assert places(search) == [-14, 0, 14, 28]
    answer_all(search, at)
    assert places(search) == [1, 3, 7, 10]  # the middles of 0..14, 0..7, 7..14 and 0..3
    answer_all(search, at)
    assert places(search) == [4, 5, 6]  # between 3 and 7
    answer_all(search, at)
    assert places(search) == [-1, 2, 8, 9]  # of the six failures from 5 on and the six successes up to 4
    answer_all(search, at)
    assert search.closed
    assert search.boundary().eta_star == SPEC.rate(4.5)
