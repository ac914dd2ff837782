"""Searches with several rates a round: "section" and "profile"."""

from dataclasses import replace
from math import inf, log, log2

import numpy as np
import pytest
from search_edges import SPEC, edge, found, run

from mlrtui_trainer.search import METHODS, Search, SearchSpec

RELATIVE = 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_a_quick_search_stays_near_the_planned_number_of_trials(method):
    spec = replace(SPEC, method=method)
    assert found(edge(0.31), 0.2, spec).trials <= spec.typical_trials


@pytest.mark.parametrize("points", [2, 5, 16])
@pytest.mark.parametrize("start", [1e-9, 0.02, 0.3, 7.0, inf])
def test_section_finds_a_clean_edge_in_fewer_rounds(points, start):
    spec = replace(SPEC, method="section", points=points)
    search, one_by_one = Search(spec, start), Search(SPEC, start)
    while wanted := search.ask():
        assert len(wanted) <= points
        for eta in wanted:
            search.tell(eta, edge(0.31, slow=0.05)(eta))
    run(one_by_one, edge(0.31, slow=0.05))
    low, high = search.boundary().bracket
    assert low is not None
    assert high is not None
    assert low < 0.31 <= high <= 1.05 * low
    assert search.round < one_by_one.round


def test_section_divides_the_bracket_evenly_and_probes_above_it():
    search = Search(SearchSpec("accuracy", 0.2, 1e-4, 1e2, method="section", points=3), 1.0)
    # ½ and 1 succeed, 2 fails: three rates between 1 and 2; then probes above the failure at 2^½
    assert search.ask() == (0.5, 1.0, 2.0)
    for eta in search.ask():
        search.tell(eta, edge(1.3)(eta))
    assert search.ask() == pytest.approx([2.0**0.25, 2.0**0.5, 2.0**0.75], rel=RELATIVE)
    for eta in search.ask():
        search.tell(eta, edge(1.3)(eta))
    assert search.ask() == pytest.approx([2.0, 2.0**1.5, 2.0**2.0][1:], rel=RELATIVE)  # 2 itself is known
    for eta in search.ask():
        search.tell(eta, edge(1.3)(eta))
    assert search.closed
    assert search.boundary().eta_star == pytest.approx(2.0**0.25, rel=RELATIVE)


def test_a_band_in_which_coarse_rates_look_slow_on_both_sides_is_still_found():
    """Above the edge a net may end a little below its start: the rates between the lower pair are looked at first."""

    def outcome(eta: float) -> str:
        return "reached" if 0.9 < eta < 1.05 else "too-slow" if eta < 0.9 or 3.0 < eta < 5.0 else "diverged"

    boundary = found(outcome, 3.2, replace(SPEC, method="section", points=8))
    assert boundary.eta_star is not None
    assert 1.0 < boundary.eta_star < 1.05


def test_profile_lays_one_grid_over_the_whole_zone():
    search = Search(replace(SPEC, method="profile"), 1.0)
    coarse = search.ask()
    assert coarse == pytest.approx([2.0**i for i in range(-4, 5)], rel=RELATIVE)
    # plateau up to ½, an island at 2, failures from 4 on: the zone is ½ to 4
    for eta in coarse:
        search.tell(eta, "reached" if eta < 0.7 or 1.9 < eta < 2.1 else "diverged")
    grid = search.ask()
    assert 12 <= len(grid) + 2 <= 16 + 2
    steps = np.diff(np.log([0.5, *sorted([*grid, 1.0, 2.0]), 4.0]))
    assert steps.max() <= 1.001 * log(8.0) / 17
    for eta in grid:
        search.tell(eta, "reached" if eta < 0.7 or 1.9 < eta < 2.1 else "diverged")
    boundary = search.boundary()
    assert search.closed
    assert boundary.reversals == 1
    assert boundary.eta_star == pytest.approx(2.0, rel=0.05)
    assert boundary.first_failure == pytest.approx(0.7, rel=0.1)
    assert boundary.zone_octaves == pytest.approx(log2(2.0 / 0.7), abs=0.2)
    assert boundary.eta_area == pytest.approx(0.7 * 2.1 / 1.9, rel=0.1)
