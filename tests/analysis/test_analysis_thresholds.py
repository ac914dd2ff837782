"""η* at another threshold from made-up trainings whose accuracies are known at every rate."""

from math import exp, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mlrtui.analysis.thresholds import Ended, at_threshold, judged
from mlrtui_trainer.search import Search, SearchSpec

RULES = SearchSpec("accuracy", tolerance=0.1, eta_min=1e-4, eta_max=1e3)


def accuracy_of(eta: float, edge: float) -> float:
    """Falls from 0.95 far below the edge to 0.1 far above it."""
    return 0.1 + 0.85 / (1.0 + exp(12.0 * (log(eta) - log(edge))))


def trained(edge: float, threshold: float, start: float) -> tuple[list[Ended], Search]:
    """A search whose trainings stop when they have reached the threshold, so that they say no more than that."""
    search, found = Search(RULES, start), []
    while not search.closed:
        for eta in search.ask():
            best = accuracy_of(eta, edge)
            reached = best >= threshold
            verdict = "reached" if reached else "diverged"
            found.append(Ended(eta, verdict, min(best, threshold + 0.01) if reached else best))
            search.tell(eta, verdict)
    return found, search


@given(some.floats(-3.0, 3.0), some.floats(0.2, 0.9), some.floats(0.2, 0.9))
def test_what_is_decided_is_what_a_search_at_that_threshold_finds(ln_edge: float, old: float, new: float) -> None:
    trainings, _ = trained(exp(ln_edge), old, start=1.0)
    found = at_threshold(RULES, trainings, new, trained_to=old)
    _, fresh = trained(exp(ln_edge), new, start=1.0)
    right = fresh.boundary()
    if found.boundary is not None:
        assert found.boundary.eta_star == right.eta_star
        assert not found.missing
    else:
        assert found.missing
    assert right.eta_last is not None
    assert found.low is None or found.low <= right.eta_last
    assert found.high is None or found.high > right.eta_last


def test_the_same_threshold_is_decided_for_every_net() -> None:
    trainings, search = trained(0.7, 0.5, start=3.0)
    found = at_threshold(RULES, trainings, 0.5, trained_to=0.5)
    assert found.boundary == search.boundary()


@pytest.mark.parametrize(
    ("training", "threshold", "right"),
    [
        (Ended(0.1, "reached", 0.6), 0.3, "reached"),
        (Ended(0.1, "reached", 0.6), 0.8, None),
        (Ended(0.1, "reached", 0.85), 0.8, "reached"),
        (Ended(0.1, "not-reached", 0.4), 0.3, "reached"),
        (Ended(0.1, "not-reached", 0.4), 0.45, "not-reached"),
        (Ended(0.1, "diverged", 0.4), 0.8, "diverged"),
        (Ended(0.1, "diverged", nan), 0.3, "diverged"),
        (Ended(0.1, "not-reached", nan), 0.3, None),
        (Ended(0.1, "not-reached", 0.2, given_up=True), 0.3, None),
        (Ended(0.1, "not-reached", 0.2, given_up=True), 0.8, "not-reached"),
    ],
)
def test_what_one_training_says_of_another_threshold(training: Ended, threshold: float, right: str | None) -> None:
    assert judged(training, threshold, trained_to=0.5) == right
