"""The search for η*: on closed forms, on synthetic edges, and on any sequence of verdicts."""

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from math import inf, log, log2, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_edges import SPEC, edge, found, run
from sklearn.datasets import load_digits

from mlrtui_trainer.phases import verdict
from mlrtui_trainer.search import EVIDENCE, METHODS, Search, SearchSpec

RELATIVE = 1e-12


# Closed forms


def descend(curvatures: np.ndarray, targets: np.ndarray, eta: float, steps: int) -> str:
    """Gradient descent on ½ Σ h (w − t)² from w = 0 in the eigenbasis of h."""
    with np.errstate(over="ignore"):
        error = targets * (1.0 - eta * curvatures) ** steps  # [dimensions]
        first, last = 0.5 * float(curvatures @ targets**2), 0.5 * float(curvatures @ error**2)
    return verdict("loss-below-initial", False, False, False, first, last)


@pytest.mark.parametrize("start_over_edge", [1e-3, 0.3, 1.0, 40.0])
@pytest.mark.parametrize("tolerance", [0.2, 0.05, 0.005])
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
    assert boundary.eta_star is not None
    assert boundary.first_failure is not None
    assert boundary.eta_star < two_over_lambda * 1.002
    assert boundary.first_failure > two_over_lambda
    assert boundary.first_failure / boundary.eta_star <= 1.0 + tolerance
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
    assert boundary.eta_star is not None
    assert 3.96 / 2.5 < boundary.eta_star < 4.0 / 2.5


# Synthetic edges


@pytest.mark.parametrize("start", [1e-9, 1e-4, 0.02, 0.3, 0.9, 7.0, 1e2, inf])
@pytest.mark.parametrize("slow", [0.0, 0.01, 0.25])
def test_a_clean_edge(start, slow):
    boundary = found(edge(0.31, slow), start)
    low, high = boundary.bracket
    assert low is not None
    assert high is not None
    assert low == boundary.eta_star < 0.31 <= high == boundary.first_failure
    assert high / low <= 1.05
    assert boundary.eta_area == pytest.approx(sqrt(low * high), rel=RELATIVE)
    assert (boundary.reversals, boundary.zone_octaves, boundary.censored, boundary.reason) == (0, 0.0, None, None)


def test_a_band_between_slow_and_unstable_is_found_where_steps_jump_over_it():
    boundary = found(edge(0.72, slow=0.55), start=0.5)
    assert boundary.eta_star is not None
    assert 0.55 <= boundary.eta_star < 0.72


def test_a_band_narrower_than_the_tolerance_has_no_eta_star():
    boundary = found(edge(0.7, slow=0.699))
    assert (boundary.eta_star, boundary.eta_area, boundary.first_failure) == (None, None, None)
    assert (boundary.censored, boundary.zone_octaves) == ("none", None)
    assert boundary.reason is not None
    assert boundary.reason.startswith("no success: too slow up to 0.6771, unstable from 0.7071;")
    slow, unstable = boundary.bracket
    assert slow is not None
    assert unstable is not None
    assert 1.0 < unstable / slow <= 1.05


@pytest.mark.parametrize("bad", ["diverged", "dead", "stalled"])
def test_unstable_everywhere_is_censored_at_the_lower_end(bad):
    boundary = found(lambda eta: bad)
    assert (boundary.eta_star, boundary.censored, boundary.bracket) == (None, "at_min", (None, 1e-4))
    assert boundary.reason == "unstable at every rate down to eta_min = 0.0001; lower eta_min"


def test_too_slow_everywhere_has_no_eta_star():
    boundary = found(lambda eta: "too-slow")
    assert (boundary.eta_star, boundary.censored, boundary.bracket) == (None, "none", (1e2, None))
    assert boundary.reason is not None
    assert "no success up to eta_max = 100" in boundary.reason


def test_success_everywhere_is_censored_at_the_upper_end():
    boundary = found(lambda eta: "reached")
    assert (boundary.eta_star, boundary.censored, boundary.bracket) == (1e2, "at_max", (1e2, None))
    assert (boundary.eta_area, boundary.first_failure) == (None, None)
    assert boundary.reason == "still succeeds at eta_max = 100; raise eta_max"


def test_a_slow_failure_above_a_success_counts_as_a_failure():
    boundary = found(lambda eta: "reached" if eta < 0.31 else "too-slow", start=0.05)
    assert boundary.eta_star is not None
    assert 0.31 / 1.05 < boundary.eta_star < 0.31
    assert boundary.censored is None


def test_probes_find_an_island_above_the_first_failure():
    search = Search(SPEC, 0.5)

    def outcome(eta: float) -> str:
        return "reached" if eta < 0.31 or 0.331 < eta < 0.345 else "diverged"

    run(search, outcome)
    boundary = search.boundary()
    assert boundary.eta_star is not None
    assert boundary.first_failure is not None
    assert 0.331 < boundary.eta_star < 0.345
    assert 0.31 <= boundary.first_failure <= 0.331
    assert boundary.reversals == 1
    assert boundary.zone_octaves is not None
    assert 0.0 < boundary.zone_octaves < log2(0.345 / 0.29)
    assert boundary.eta_area is not None
    assert 0.31 / 1.05 < boundary.eta_area < boundary.eta_star


def test_ragged_edges_stay_inside_their_zone_and_are_seen_as_ragged():
    def tossed(phase: float) -> Callable[[float], str]:
        def outcome(eta: float) -> str:
            chance = log(eta / 0.2) / log(0.4 / 0.2)  # of failure: 0 up to 0.2, 1 from 0.4 on
            return "diverged" if float(np.sin(1e4 * log(eta) + phase)) ** 2 < chance else "reached"

        return outcome

    boundaries = [found(tossed(phase), start=0.01) for phase in range(20)]
    for boundary in boundaries:
        assert boundary.eta_star is not None
        assert boundary.first_failure is not None
        assert boundary.eta_area is not None
        assert 0.2 / 1.05 < boundary.eta_star < 0.4
        assert boundary.first_failure > 0.2
        assert 0.2 / 1.05 < boundary.eta_area < 0.4
        assert (boundary.first_failure < boundary.eta_star) == (boundary.reversals > 0)
    assert sum(boundary.reversals > 0 for boundary in boundaries) >= 5


def test_area_of_a_ragged_edge_by_hand():
    search = Search(SearchSpec("accuracy", 0.5, 1e-4, 1e2), 1.0)
    # 1 succeeds, 2 fails, √2 fails: bracket (1, √2), probes at 2√2 and 4√2
    verdicts = iter(["reached", "diverged", "diverged"])
    asked = run(search, lambda eta: next(verdicts, "reached" if 2.5 < eta < 3.5 else "diverged"))
    assert asked[:3] == pytest.approx([1.0, 2.0, sqrt(2.0)], rel=RELATIVE)
    assert asked[3:5] == pytest.approx([2 * sqrt(2.0), 4 * sqrt(2.0)], rel=RELATIVE)
    # 2√2 succeeds, 4√2 fails: middle 4 fails, probes above fail
    assert asked[5] == pytest.approx(4.0, rel=RELATIVE)
    boundary = search.boundary()
    # in ln 2: a success at 0 reaches to ¼; one at 1½ stands for 1¼ to 1¾
    assert boundary.eta_area == pytest.approx(2.0**0.75, rel=RELATIVE)
    assert boundary.zone_octaves == pytest.approx(1.5, rel=RELATIVE)
    assert boundary.reversals == 1


# Asking and telling


def test_failed_trials_are_asked_for_again():
    search = Search(SPEC, 1.0)
    assert search.ask() == search.ask() == (1.0,)
    search.tell(1.0, "failed")
    assert search.ask() == (1.0,)
    assert search.boundary().trials == 0
    search.tell(1.0, "reached")
    search.tell(1.0, "failed")
    assert search.ask() == (2.0,)
    assert search.round == 1


def test_half_answered_questions_show_in_the_boundary_and_stay_open():
    search = Search(SearchSpec("accuracy", 0.5, 1e-4, 1e2), 1.0)
    for _ in range(3):
        search.tell(search.ask()[0], "reached" if search.ask()[0] == 1.0 else "diverged")
    near, far = search.ask()
    round_before = search.round
    search.tell(far, "reached")
    assert search.ask() == (near,)
    assert search.round == round_before
    assert search.boundary().eta_star == far


def test_answers_to_questions_not_yet_asked_wait():
    search = Search(SPEC, 1.0)
    search.tell(4.0, "diverged")
    search.tell(3.0, "reached")
    assert search.ask() == (1.0,)
    assert search.boundary().trials == 0
    search.tell(1.0, "reached")
    search.tell(2.0, "reached")
    assert search.boundary().bracket == (2.0, 4.0)


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
    st.floats(1.5, 1e5),
    st.floats(1.1, 10.0),
    st.sampled_from(METHODS),
    st.integers(2, 20),
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
    widths: list[tuple[float | None, float]] = []
    asked = []
    while wanted := search.ask():
        assert list(wanted) == sorted(wanted)
        for eta in wanted:
            assert spec.eta_min <= eta <= spec.eta_max
            asked.append(eta)
            search.tell(eta, outcome(eta))
        low, high = search.boundary().bracket
        assert low is None or high is None or low < high
        if low is not None and high is not None and high / low > 1.0 + spec.tolerance:
            widths.append((search.boundary().eta_star, log(high / low)))
    assert len(set(asked)) == len(asked) <= spec.max_trials

    boundary = search.boundary()
    assert boundary.trials == len(asked)
    assert (boundary.reason is None) == (boundary.censored is None)
    assert (boundary.eta_star is None) == (boundary.censored in ("none", "at_min"))
    stars = [star for star, _ in widths if star is not None]
    assert stars == sorted(stars)
    for (star, width), (next_star, next_width) in pairwise(widths):
        assert next_width < width or star != next_star or star is None
    if boundary.censored is None:
        low, high = boundary.bracket
        assert low is not None
        assert high is not None
        assert high / low <= 1.0 + spec.tolerance or spec.method == "profile"
        assert boundary.eta_area is not None
        assert boundary.first_failure is not None
        assert boundary.first_failure <= high
        assert boundary.eta_area < high
        assert (boundary.reversals > 0) == (boundary.zone_octaves != 0.0)


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


def test_the_range_is_searched_from_its_ends():
    assert Search(SPEC, 1e-9).ask() == (1e-4,)
    assert Search(SPEC, inf).ask() == (1e2,)


def test_a_start_above_the_band_where_failures_look_slow_still_finds_the_band():
    """Above its edge a net may end a little below its initial loss, again and again, before it blows up."""

    def verdict(eta: float) -> str:
        if eta > 40.0:
            return "diverged"
        return "reached" if 0.01 < eta <= 0.5 else "too-slow"

    search = Search(SearchSpec("accuracy", 0.05, 1e-5, 1e3), 8.0)
    while not search.closed:
        for eta in search.ask():
            search.tell(eta, verdict(eta))
    boundary = search.boundary()
    assert boundary.censored is None
    assert boundary.eta_star is not None
    assert boundary.first_failure is not None
    assert boundary.eta_star <= 0.5 < boundary.first_failure
    assert boundary.first_failure / boundary.eta_star <= 1.05 * (1 + 1e-12)
