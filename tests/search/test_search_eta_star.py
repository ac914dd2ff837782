"""The search for η*: on closed forms, on synthetic edges, and on any sequence of verdicts."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from math import inf, log, log2, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_edges import SPEC, by_place, edge, found, run
from sklearn.datasets import load_digits

from mlrtui_trainer.phases import verdict
from mlrtui_trainer.search import EVIDENCE, METHODS, Search, SearchSpec

RELATIVE = 1e-12
LOWEST, HIGHEST = SPEC.rate(SPEC.lowest), SPEC.rate(SPEC.highest)


# Closed forms


def descend(curvatures: np.ndarray, targets: np.ndarray, eta: float, steps: int) -> str:
    """Gradient descent on ½ Σ h (w − t)² from w = 0 in the eigenbasis of h."""
    with np.errstate(over="ignore"):
        error = targets * (1.0 - eta * curvatures) ** steps  # [dimensions]
        first, last = 0.5 * float(curvatures @ targets**2), 0.5 * float(curvatures @ error**2)
    return verdict("loss-below-initial", False, False, False, first, last)


@pytest.mark.parametrize("start_over_edge", [1e-3, 0.3, 1.0, 40.0])
@pytest.mark.parametrize("tolerance", [0.2, 0.05, 0.02])
def test_eta_star_of_linear_regression_on_digits_is_two_over_lambda(start_over_edge, tolerance):
    digits = load_digits()
    x = (digits.data - digits.data.mean(axis=0)) / digits.data.std()  # [samples, pixels]
    curvatures, basis = np.linalg.eigh(x.T @ x / len(x))
    optimum = np.linalg.lstsq(x, digits.target - digits.target.mean(), rcond=None)[0]
    curvatures, targets = np.maximum(curvatures, 0.0), basis.T @ optimum
    two_over_lambda = 2.0 / float(curvatures[-1])
    spec = SearchSpec("loss-below-initial", tolerance, 1e-6, 1e3)

    boundary = found(lambda eta: descend(curvatures, targets, eta, 4000), start_over_edge * two_over_lambda, spec)

    # The top direction holds only a part of the loss, so a finite horizon moves the edge up by ln(1/part) / (2 steps).
    assert boundary.eta_last is not None
    assert boundary.eta_star is not None
    assert boundary.first_failure is not None
    assert boundary.eta_last < two_over_lambda * 1.002
    assert boundary.first_failure > two_over_lambda
    assert boundary.first_failure / boundary.eta_last == pytest.approx(1.0 + tolerance, rel=RELATIVE)
    assert boundary.eta_star == pytest.approx(sqrt(boundary.eta_last * boundary.first_failure), rel=RELATIVE)
    assert (boundary.censored, boundary.reversals, boundary.zone_octaves) == (None, 0, 0.0)


def test_eta_star_of_the_solvable_model_is_four_over_lambda():
    def train(eta: float) -> str:
        f, lam = 1.0, 2.5
        for _ in range(400):
            f, lam = f * (1 - eta * lam + (eta * f) ** 2 / 64), lam + eta * f * f / 64 * (eta * lam - 4)
            if abs(f) > 1e6:
                return "diverged"
        return "reached" if f * f < 1 else "stalled"

    boundary = found(train, start=2.0 / 2.5, spec=SearchSpec("loss-below-initial", 0.01, 1e-5, 1e3))
    assert boundary.eta_last is not None
    assert boundary.eta_star is not None
    assert 3.96 / 2.5 < boundary.eta_last < 4.0 / 2.5
    assert boundary.eta_star == pytest.approx(4.0 / 2.5, rel=0.006)


# Synthetic edges


@pytest.mark.parametrize("start", [1e-9, 1e-4, 0.02, 0.3, 0.9, 7.0, 1e2, inf])
@pytest.mark.parametrize("slow", [0.0, 0.01, 0.25])
def test_a_clean_edge(start, slow):
    boundary = found(edge(0.31, slow), start)
    low, high = boundary.bracket
    assert low is not None
    assert high is not None
    assert low == boundary.eta_last < 0.31 <= high == boundary.first_failure
    assert high / low == pytest.approx(1.05, rel=RELATIVE)
    assert boundary.eta_star == boundary.eta_area == pytest.approx(sqrt(low * high), rel=RELATIVE)
    assert (boundary.reversals, boundary.zone_octaves, boundary.censored, boundary.reason) == (0, 0.0, None, None)


def test_a_band_between_slow_and_unstable_is_found_where_steps_jump_over_it():
    boundary = found(edge(0.72, slow=0.55), start=0.5)
    assert boundary.eta_last is not None
    assert 0.72 / 1.05 <= boundary.eta_last < 0.72
    assert boundary.successes == 6  # of the lattice's rates, 1.05^-12 to 1.05^-7


def test_a_band_narrower_than_the_tolerance_has_no_eta_star():
    boundary = found(edge(0.709, slow=0.7))
    assert (boundary.eta_star, boundary.eta_area, boundary.first_failure) == (None, None, None)
    assert (boundary.censored, boundary.zone_octaves) == ("none", None)
    assert boundary.reason is not None
    assert boundary.reason.startswith("no success: not reached up to 0.6768, unstable from 0.7107;")
    slow, unstable = boundary.bracket
    assert slow is not None
    assert unstable is not None
    assert 1.0 < unstable / slow <= 1.05


@pytest.mark.parametrize("bad", ["diverged", "dead", "stalled"])
def test_unstable_everywhere_is_censored_at_the_lower_end(bad):
    boundary = found(lambda eta: bad)
    assert (boundary.eta_star, boundary.censored, boundary.bracket) == (None, "at_min", (None, LOWEST))
    assert boundary.reason == f"unstable at every rate down to eta_min = {LOWEST:.4g}; lower eta_min"


def test_nothing_reached_anywhere_has_no_eta_star():
    boundary = found(lambda eta: "not-reached")
    assert (boundary.eta_star, boundary.censored, boundary.bracket) == (None, "none", (HIGHEST, None))
    assert boundary.reason is not None
    assert f"no success up to eta_max = {HIGHEST:.4g}" in boundary.reason


def test_success_everywhere_is_censored_at_the_upper_end():
    boundary = found(lambda eta: "reached")
    assert (boundary.eta_star, boundary.censored, boundary.bracket) == (HIGHEST, "at_max", (HIGHEST, None))
    assert (boundary.eta_area, boundary.first_failure) == (None, None)
    assert boundary.reason == f"still succeeds at eta_max = {HIGHEST:.4g}; raise eta_max"


def test_a_missed_threshold_above_a_success_counts_as_a_failure():
    boundary = found(lambda eta: "reached" if eta < 0.31 else "not-reached", start=0.05)
    assert boundary.eta_last is not None
    assert 0.31 / 1.05 < boundary.eta_last < 0.31
    assert boundary.censored is None


def test_filling_finds_an_island_above_the_first_failure():
    search = Search(SPEC, 0.5)

    def outcome(eta: float) -> str:
        return "reached" if eta < 0.31 or 0.331 < eta < 0.361 else "diverged"

    run(search, outcome)
    boundary = search.boundary()
    assert boundary.eta_last is not None
    assert boundary.first_failure is not None
    assert 0.331 < boundary.eta_last < 0.361
    assert 0.31 <= boundary.first_failure <= 0.331
    assert boundary.reversals == 1
    assert boundary.zone_octaves is not None
    assert 0.0 < boundary.zone_octaves < log2(0.361 / 0.29)
    assert boundary.eta_area is not None
    assert 0.31 / 1.05 < boundary.eta_area < boundary.eta_last


def test_ragged_edges_stay_inside_their_zone_and_are_seen_as_ragged():
    def tossed(phase: float) -> Callable[[float], str]:
        def outcome(eta: float) -> str:
            chance = log(eta / 0.2) / log(0.4 / 0.2)  # of failure: 0 up to 0.2, 1 from 0.4 on
            return "diverged" if float(np.sin(1e4 * log(eta) + phase)) ** 2 < chance else "reached"

        return outcome

    boundaries = [found(tossed(phase), start=0.01) for phase in range(20)]
    for boundary in boundaries:
        assert boundary.eta_star is not None
        assert boundary.eta_last is not None
        assert boundary.first_failure is not None
        assert 0.2 / 1.05 < boundary.eta_last < 0.4
        assert boundary.first_failure > 0.2
        assert 0.2 / 1.05 < boundary.eta_star < 0.4
        assert (boundary.first_failure < boundary.eta_last) == (boundary.reversals > 0)
    assert sum(boundary.reversals > 0 for boundary in boundaries) >= 5


def test_area_of_a_ragged_edge_by_hand():
    """Rates 1.5^k with M = 2, a coarse step is one place: the walk by the verdicts, written down place by place."""
    spec = SearchSpec("accuracy", 0.5, 1e-4, 1e2, margin=2)
    places = {-2: "reached", -1: "reached", 0: "reached", 1: "dead", 2: "reached", 3: "diverged", 4: "stalled"}
    search = Search(spec, 1.0)
    assert run(search, by_place(spec, places.__getitem__)) == [spec.rate(k) for k in (0, 1, 2, 3, 4, -1)]
    boundary = search.boundary()
    assert boundary.eta_star == spec.rate(-1 - 0.5 + 3) == pytest.approx(1.5**1.5, rel=RELATIVE)
    assert (boundary.window_low, boundary.window_high) == (spec.rate(-1), spec.rate(4))
    assert (boundary.eta_last, boundary.first_failure, boundary.successes) == (spec.rate(2), spec.rate(1), 3)
    assert boundary.zone_octaves == pytest.approx(2 * log2(1.5), rel=RELATIVE)
    assert boundary.reversals == 1
    assert boundary.eta_star_se == pytest.approx(boundary.eta_star * log(1.5) * sqrt(2 / 2 + 1 / 12), rel=RELATIVE)


# Asking and telling


def test_failed_trials_are_asked_for_again():
    search = Search(SPEC, 1.0)
    assert search.ask() == search.ask() == (1.0,)
    search.tell(1.0, "failed")
    assert search.ask() == (1.0,)
    assert search.boundary().trials == 0
    search.tell(1.0, "reached")
    search.tell(1.0, "failed")
    assert search.ask() == (SPEC.rate(14),)
    assert search.round == 1


def test_half_answered_questions_show_in_the_boundary_and_stay_open():
    search = Search(replace(SPEC, method="section", points=3), 1.0)
    low, middle, high = search.ask()
    assert (low, middle, high) == (SPEC.rate(-14), 1.0, SPEC.rate(14))
    search.tell(low, "reached")
    search.tell(high, "diverged")
    assert search.ask() == (middle,)
    assert search.round == 0
    boundary = search.boundary()
    assert (boundary.eta_last, boundary.bracket, boundary.eta_star) == (low, (low, high), None)


def test_answers_to_questions_not_yet_asked_wait():
    search = Search(SPEC, 1.0)
    search.tell(SPEC.rate(28), "diverged")
    search.tell(SPEC.rate(21), "reached")
    assert search.ask() == (1.0,)
    assert search.boundary().trials == 0
    search.tell(1.0, "reached")
    assert search.ask() == (SPEC.rate(14),)
    search.tell(SPEC.rate(14), "reached")
    assert search.boundary().bracket == (SPEC.rate(21), SPEC.rate(28))


def test_rates_off_the_lattice_are_no_evidence_and_rounding_takes_none_off_it():
    search = Search(SPEC, 1.0)
    search.tell(1.02, "diverged")
    assert (search.ask(), search.boundary().trials) == ((1.0,), 0)
    for eta in (0.0, inf, 5e-324):
        search.tell(eta, "diverged")
    search.tell(1.0 + 1e-14, "reached")
    assert (search.ask(), search.boundary().trials) == ((SPEC.rate(14),), 1)
    with pytest.raises(ValueError, match="cannot become 'reached'"):
        search.tell(1.02, "reached")


def test_misuse_is_refused():
    search = Search(SPEC, 1.0)
    with pytest.raises(ValueError, match="no meaning in a search"):
        search.tell(1.0, "finished")
    search.tell(1.0, "reached")
    search.tell(1.0, "reached")
    with pytest.raises(ValueError, match="cannot become 'dead'"):
        search.tell(1.0, "dead")
    for start in (0.0, -1.0, nan):
        with pytest.raises(ValueError, match="start_eta"):
            Search(SPEC, start)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("luck", 0.05, 1e-4, 1e2), "success"),
        (("accuracy", 0.0, 1e-4, 1e2), "tolerance"),
        (("accuracy", nan, 1e-4, 1e2), "tolerance"),
        (("accuracy", 0.05, 0.0, 1e2), "eta_min"),
        (("accuracy", 0.05, 1.0, 1.0), "eta_min"),
        (("accuracy", 0.05, 1.0, inf), "eta_max"),
        (("accuracy", 0.05, 1e-4, 1e2, 1.0), "factor"),
        (("accuracy", 0.05, 1e-4, 1e2, 2.0, "luck"), "method"),
        (("accuracy", 0.05, 1e-4, 1e2, 2.0, "section", 1), "points"),
        (("accuracy", 0.05, 1e-4, 1e2, 2.0, "section", 8, 0), "margin"),
        (("accuracy", 0.5, 1.1, 1.4), "eta_min is 1.1, eta_max 1.4: no rate"),
    ],
)
def test_rules_that_cannot_work_are_refused(arguments, field):
    with pytest.raises(ValueError, match=field):
        SearchSpec(*arguments)


# Any verdicts at all

specs = st.builds(
    lambda tolerance, low, span, factor, *how: SearchSpec("accuracy", tolerance, low, low * span, factor, *how),
    st.floats(0.03, 3.0),
    st.floats(1e-6, 1.0),
    st.floats(4.1, 1e5),
    st.floats(1.1, 10.0),
    st.sampled_from(METHODS),
    st.integers(2, 20),
    st.none() | st.integers(1, 9),
)
tables = st.lists(st.sampled_from(EVIDENCE), min_size=1, max_size=60)


def looked_up(table: list[str]) -> Callable[[float], str]:
    """A function of the rate alone that still looks arbitrary."""
    return lambda eta: table[int(abs(log(eta)) * 1e6) % len(table)]


@settings(max_examples=150, deadline=None)
@given(specs, tables, st.floats(1e-8, 1e8))
def test_any_verdicts_end_within_the_bound_and_the_range(spec, table, start):
    outcome = looked_up(table)
    search = Search(spec, start)
    asked = []
    while wanted := search.ask():
        assert list(wanted) == sorted(wanted)
        assert len(wanted) <= spec.at_once
        for eta in wanted:
            assert spec.eta_min <= eta <= spec.eta_max
            asked.append(eta)
            search.tell(eta, outcome(eta))
        low, high = search.boundary().bracket
        assert low is None or high is None or low < high
    assert len(set(asked)) == len(asked) <= spec.max_trials

    boundary = search.boundary()
    assert boundary.trials == len(asked)
    assert (boundary.reason is None) == (boundary.censored is None)
    assert (boundary.eta_star is None) == (boundary.censored in ("none", "at_min"))
    if boundary.eta_star is None:
        return
    low, high = (spec.place(eta or nan) for eta in (boundary.window_low, boundary.window_high))
    assert low is not None
    assert high is not None
    window = [spec.rate(k) for k in range(low, high + 1)]
    assert set(window) <= set(asked)  # all of it
    succeeded = [eta for eta in window if outcome(eta) == "reached"]
    assert boundary.successes == len(succeeded) > 0
    assert boundary.eta_last == succeeded[-1]
    assert window[0] == succeeded[0]
    if boundary.censored is None:
        assert boundary.eta_star == spec.rate(low - 0.5 + len(succeeded))
        assert window[-1] == spec.rate(low + window.index(succeeded[-1]) + spec.in_a_row)
        assert boundary.first_failure is not None
        assert (boundary.reversals > 0) == (boundary.zone_octaves != 0.0)
        assert (boundary.first_failure < boundary.eta_last) == (boundary.reversals > 0)


@settings(max_examples=80, deadline=None)
@given(specs, tables, st.floats(1e-8, 1e8), st.data())
def test_a_replay_in_any_order_goes_on_as_the_live_search(spec, table, start, data):
    outcome = looked_up(table)
    live = Search(spec, start)
    history: list[tuple[float, str]] = []
    states = [(live.round, live.ask(), live.boundary())]
    while wanted := live.ask():
        for eta in wanted:
            live.tell(eta, outcome(eta))
            history.append((eta, outcome(eta)))
            states.append((live.round, live.ask(), live.boundary()))
    told = data.draw(st.integers(0, len(history)))
    replayed = Search(spec, start)
    for eta, answer in data.draw(st.permutations(history[:told])):
        replayed.tell(eta, answer)
    assert (replayed.round, replayed.ask(), replayed.boundary()) == states[told]


def test_the_search_needs_no_torch():
    code = (
        "import mlrtui_trainer.search, mlrtui_trainer.theory, sys; print(sorted({'torch', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_start_beyond_the_range_is_moved_to_the_coarse_rate_next_to_its_end():
    assert Search(SPEC, 1e-9).ask() == (SPEC.rate(-182),)  # of -188 … 94; -182 is a multiple of 14
    assert Search(SPEC, inf).ask() == (HIGHEST,)


def test_a_start_above_the_band_where_failures_look_slow_still_finds_the_band():
    """Above its edge a net may end a little below its initial loss, again and again, before it blows up."""

    def verdict(eta: float) -> str:
        if eta > 40.0:
            return "diverged"
        return "reached" if 0.01 < eta <= 0.5 else "not-reached"

    search = Search(SearchSpec("accuracy", 0.05, 1e-5, 1e3), 8.0)
    while not search.closed:
        for eta in search.ask():
            search.tell(eta, verdict(eta))
    boundary = search.boundary()
    assert boundary.censored is None
    assert boundary.eta_star is not None
    assert boundary.first_failure is not None
    assert boundary.eta_last is not None
    assert boundary.eta_last <= 0.5 < boundary.first_failure
    assert boundary.first_failure / boundary.eta_last <= 1.05 * (1 + 1e-12)
