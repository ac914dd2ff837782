"""η* as the area over a window of the lattice: unbiased, and the same from any start, by any method, in any order."""

from dataclasses import replace
from math import exp, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_edges import by_place, edge, found, run

from mlrtui_trainer.search import Boundary, Search, SearchSpec

SPEC = SearchSpec("accuracy", tolerance=0.05, eta_min=1e-5, eta_max=1e3)
METHODS = [("bisect", 8), ("section", 3), ("section", 8), ("section", 63), ("profile", 8)]
LOST = ("diverged", "dead", "stalled", "not-reached")


def answer(boundary: Boundary) -> tuple[object, ...]:
    """What must not depend on how the search was made: all but the number of trainings."""
    return tuple(value for name, value in vars(boundary).items() if name != "trials")


def test_every_rate_is_the_lattice_s_to_the_bit() -> None:
    """One formula in double precision, written here once more."""
    for tolerance in (0.3, 0.1, 0.05, 0.01):
        lattice = {exp(k * np.log1p(tolerance).item()) for k in range(-5000, 5000) if k * log(1 + tolerance) < 20}
        for method, points in METHODS:
            spec = SearchSpec("accuracy", tolerance, 1e-5, 1e3, method=method, points=points)
            for start in (1e-9, 0.0123, 1.0, 44.0, inf):
                assert set(run(Search(spec, start), edge(0.31, slow=0.004))) <= lattice


@pytest.mark.parametrize(
    ("tolerance", "margin", "coarse"), [(0.05, 6, 14), (0.1, 3, 7), (0.025, 12, 28), (1e-3, 12, 693), (1.0, 2, 1)]
)
def test_the_window_ends_with_as_many_in_a_row_as_three_tenths_hold(tolerance, margin, coarse) -> None:
    spec = replace(SPEC, tolerance=tolerance)
    assert (spec.in_a_row, spec.coarse) == (margin, coarse)
    boundary = found(edge(0.31), 0.1, spec)
    assert boundary.successes == margin
    assert boundary.eta_last is not None
    assert boundary.window_low == pytest.approx(boundary.eta_last * (1 + tolerance) ** (1 - margin), rel=1e-12)
    assert boundary.window_high == pytest.approx(boundary.eta_last * (1 + tolerance) ** margin, rel=1e-12)


def test_a_clean_edge_is_met_without_bias() -> None:
    """ln η* − x is uniform over a cell of the lattice: mean 0, at most δ/2, standard deviation δ/√12."""
    draws = np.random.default_rng(1).uniform(-0.5, 0.5, 2000) * SPEC.spacing
    errors = np.array([log(found(edge(exp(x)), 1.0, SPEC).eta_star or inf) - x for x in draws]) / SPEC.spacing
    assert abs(errors.mean()) < 4 / sqrt(12 * len(draws))
    assert abs(errors).max() <= 0.5 + 1e-9
    assert errors.std() == pytest.approx(1 / sqrt(12), rel=0.03)
    assert found(edge(1.0), 1.0, SPEC).eta_star_se == pytest.approx(SPEC.spacing / sqrt(12), rel=0.03)


@pytest.mark.parametrize(("width", "spread"), [(0.03, 0.037), (0.06, 0.056), (0.12, 0.079)])
def test_a_ragged_edge_is_met_without_bias(width: float, spread: float) -> None:
    """Every rate is a draw of its own, of a logistic chance about 0: the spreads are those measured for the rule."""
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(400):
        middle = float(rng.uniform(-1.5, 1.5))
        told: dict[int, str] = {}

        def outcome(k: int, middle: float = middle, told: dict[int, str] = told) -> str:
            chance = 1.0 / (1.0 + exp(min((k * SPEC.spacing - middle) / width, 700.0)))
            return told.setdefault(k, "reached" if rng.random() < chance else "diverged")

        boundary = found(by_place(SPEC, outcome), exp(middle + rng.uniform(-0.35, 0.35)), SPEC)
        assert boundary.eta_star is not None
        errors.append(log(boundary.eta_star) - middle)
    assert abs(np.mean(errors)) < 3.5 * spread / sqrt(len(errors))
    assert np.std(errors) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("start", [-90, -3, 1, 6, 8, 9, 40, 120])
@pytest.mark.parametrize(("method", "points"), METHODS)
def test_an_island_beyond_a_gap_does_not_count_and_one_within_does(start: int, method: str, points: int) -> None:
    spec = replace(SPEC, method=method, points=points)
    for islands, last, area in (((8, 9), 0, 0.5), ((5, 8, 9), 9, 3.5)):

        def outcome(k: int, islands: tuple[int, ...] = islands) -> str:
            return "reached" if k <= 0 or k in islands else "diverged"

        boundary = found(by_place(spec, outcome), exp(start * spec.spacing), spec)
        assert boundary.eta_last == spec.rate(last)
        assert boundary.eta_star == spec.rate(area)
        assert boundary.first_failure == spec.rate(1)
        assert boundary.reversals == (0 if last == 0 else 2)
        changes = 2 * boundary.reversals + 1
        expected = spec.rate(area) * spec.spacing * sqrt((changes - 1) / 2 + 1 / 12)
        assert boundary.eta_star_se == pytest.approx(expected, rel=1e-12)


def test_a_second_plateau_is_reported_by_the_searches_that_start_at_it() -> None:
    """The documented exception: M successes in a row above M failures in a row. The method still changes nothing."""

    def outcome(k: int) -> str:
        return "reached" if k <= 0 or 20 <= k < 50 else "diverged"

    for start, last in ((-14.0, 0), (0.0, 0), (28.0, 49), (90.0, 49)):
        for method, points in METHODS:
            spec = replace(SPEC, method=method, points=points)
            assert found(by_place(spec, outcome), exp(start * spec.spacing), spec).eta_last == spec.rate(last)


# Any profile with one edge


@st.composite
def profiles(draw: st.DrawFn) -> dict[int, str]:
    """Verdicts by place: a slow side, a plateau of at least a coarse step, a ragged zone, a desert with islands.

    Within the zone neither M successes nor M failures follow one another; no island of the desert has M successes, and
    M failures lie below the first.
    """
    m, step = SPEC.in_a_row, SPEC.coarse
    slow_to = draw(st.integers(SPEC.lowest - 1, 60))
    plateau = draw(st.integers(step, 80))
    told = dict.fromkeys(range(SPEC.lowest, slow_to + 1), "not-reached")
    k = max(slow_to, SPEC.lowest - 1) + plateau
    told |= dict.fromkeys(range(max(slow_to, SPEC.lowest - 1) + 1, k + 1), "reached")
    lost = st.sampled_from(LOST)

    def run_of(length: int, verdict: str | None) -> None:
        nonlocal k
        for _ in range(length):
            k += 1
            told[k] = draw(lost) if verdict is None else verdict

    for _ in range(draw(st.integers(0, 4))):
        run_of(draw(st.integers(1, m - 1)), None)
        run_of(draw(st.integers(1, m - 1)), "reached")
    run_of(draw(st.integers(m, 2 * step)), None)
    for _ in range(draw(st.integers(0, 3))):
        run_of(draw(st.integers(1, m - 1)), "reached")
        run_of(draw(st.integers(1, 2 * step)), None)
    above = draw(lost)
    return {k: told.get(k, above) for k in range(SPEC.lowest, SPEC.highest + 1)}


def searched(told: dict[int, str], spec: SearchSpec, start: float) -> Boundary:
    return found(by_place(spec, told.__getitem__), start, spec)


def window_of(told: dict[int, str]) -> tuple[int, int, bool]:
    """Lowest and highest place of the window by a look at the whole profile, and whether M failures close it."""
    m, last, failures = SPEC.in_a_row, None, 0
    for k in sorted(told):
        if told[k] == "reached":
            last, failures = k, 0
        elif last is not None:
            failures += 1
        if failures == m:
            break
    assert last is not None
    low = last - m + 1
    while any(told[k] != "reached" for k in range(low, low + m)):
        low -= 1
    return low, k, failures == m


@settings(max_examples=200, deadline=None)
@given(profiles(), st.lists(st.floats(log(1e-6), log(1e4)), min_size=2, max_size=4), st.data())
def test_one_edge_gives_one_answer_from_any_start_by_any_method(told, starts, data) -> None:
    low, high, closed = window_of(told)
    successes = sum(told[k] == "reached" for k in range(low, high + 1))
    method, points = data.draw(st.sampled_from(METHODS))
    first = searched(told, SPEC, exp(starts[0]))
    assert (first.window_low, first.window_high) == (SPEC.rate(low), SPEC.rate(high))
    assert first.successes == successes
    assert first.censored == (None if closed else "at_max")
    assert first.eta_star == min(SPEC.rate(low - 0.5 + successes), inf if closed else SPEC.rate(SPEC.highest))
    for start in starts[1:]:
        other = searched(told, replace(SPEC, method=method, points=points), exp(start))
        assert answer(other) == answer(first)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(("reached", *LOST)), min_size=1, max_size=90),
    st.floats(1e-6, 1e4),
    st.sampled_from(METHODS),
)
def test_no_method_changes_the_answer_whatever_the_verdicts(table, start, how) -> None:
    """Also where the start decides: the walk is the same, only how much is asked ahead of it differs."""
    told = {k: table[k % len(table)] for k in range(SPEC.lowest, SPEC.highest + 1)}
    method, points = how
    one = searched(told, SPEC, start)
    many = searched(told, replace(SPEC, method=method, points=points), start)
    assert answer(many) == answer(one)
    assert many.trials >= one.trials


@settings(max_examples=60, deadline=None)
@given(profiles(), st.floats(1e-6, 1e4), st.sampled_from(METHODS), st.data())
def test_trials_that_the_walk_never_needs_change_nothing(told, start, how, data) -> None:
    """What a sweep trained ahead of need, or by an older rule off the lattice, is no evidence for η*."""
    spec = replace(SPEC, method=how[0], points=how[1])
    search = Search(spec, start)
    extra = data.draw(st.lists(st.integers(SPEC.lowest, SPEC.highest), max_size=30))
    for k in data.draw(st.permutations(extra)):
        search.tell(spec.rate(k), told[k])
    for k in dict.fromkeys(extra):
        search.tell(spec.rate(k + 0.37), data.draw(st.sampled_from(("reached", *LOST))))
    run(search, by_place(spec, told.__getitem__))
    assert answer(search.boundary()) == answer(searched(told, SPEC, start))


# The ends of the range, and the slow side


def test_a_range_whose_ends_are_off_the_lattice_is_searched_to_the_last_rate_within() -> None:
    spec = SearchSpec("accuracy", 0.05, 0.97, 30.0)
    assert 0.97 <= spec.rate(spec.lowest) < 0.97 * 1.05
    assert 30.0 / 1.05 < spec.rate(spec.highest) <= 30.0
    boundary = found(lambda eta: "reached", 2.0, spec)
    assert (boundary.censored, boundary.eta_star) == ("at_max", spec.rate(spec.highest))
    assert boundary.eta_star_se is None
    assert boundary.reason == f"still succeeds at eta_max = {spec.rate(spec.highest):.4g}; raise eta_max"
    with pytest.raises(ValueError, match=r"no rate \(1 \+ 0.5\)\^k lies between"):
        SearchSpec("accuracy", 0.5, 1.1, 1.4)


@pytest.mark.parametrize("start", [1e-5, 1.0, 20.0, 1e3])
def test_a_window_that_meets_eta_max_is_a_lower_bound(start: float) -> None:
    spec = replace(SPEC, eta_max=25.0)
    top = spec.highest

    def outcome(k: int) -> str:
        return "reached" if k < top - 4 or k == top - 2 else "diverged"

    boundary = found(by_place(spec, outcome), start, spec)
    assert (boundary.censored, boundary.window_high) == ("at_max", spec.rate(top))
    assert boundary.eta_last == spec.rate(top - 2)
    assert boundary.eta_star == spec.rate(top - 5 + 0.5 + 1)
    assert boundary.reason is not None
    assert boundary.reason.startswith("fewer than 6 failures in a row up to eta_max")


@pytest.mark.parametrize("start", [1e-5, 1e-2, 1.0, 1e3])
@pytest.mark.parametrize("width", [1, 4, 6, 13])
def test_a_narrow_band_counts_from_its_lowest_success(start: float, width: int) -> None:
    """Slowness ends it below: what misses the threshold there is no part of the measure."""
    low = 28 - width // 2  # around a coarse rate

    def outcome(k: int) -> str:
        return "not-reached" if k < low else "reached" if k < low + width else "diverged"

    boundary = found(by_place(SPEC, outcome), start, SPEC)
    assert boundary.censored is None
    assert boundary.eta_star == SPEC.rate(low + width - 0.5)
    assert boundary.successes == min(width, SPEC.in_a_row)
    assert boundary.window_low == SPEC.rate(low + width - min(width, SPEC.in_a_row))


def test_a_plateau_that_meets_eta_min_is_enough_and_an_island_above_it_is_not() -> None:
    bottom = SPEC.lowest

    def plateau(k: int) -> str:
        return "reached" if k < bottom + 3 else "diverged"

    boundary = found(by_place(SPEC, plateau), 1e-4, SPEC)
    assert (boundary.censored, boundary.eta_star, boundary.successes) == (None, SPEC.rate(bottom + 2.5), 3)

    def island(k: int) -> str:
        return "reached" if k == bottom + 2 else "diverged"

    boundary = found(by_place(SPEC, island), SPEC.rate(bottom + 2), replace(SPEC, factor=1.06))
    assert (boundary.censored, boundary.eta_star, boundary.eta_last) == ("at_min", None, SPEC.rate(bottom + 2))
    assert boundary.reason is not None
    assert "fewer than 6 rates in a row succeed above it; lower eta_min" in boundary.reason
