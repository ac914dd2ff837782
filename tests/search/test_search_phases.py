"""The rules of `mlrtui_trainer.phases`, case by case, and on the solvable model."""

from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlrtui_trainer import phases


@pytest.mark.parametrize(
    ("success", "reached", "diverged", "dead", "initial", "final", "expected"),
    [
        ("accuracy", True, False, False, 2.3, 1.0, "reached"),
        ("accuracy", False, False, False, 2.3, 2.0, "not-reached"),
        ("accuracy", False, False, False, 2.3, 2.3, "stalled"),
        ("accuracy", False, False, False, 2.3, 9.0, "stalled"),
        ("accuracy", False, True, False, 2.3, 2.0, "diverged"),
        ("accuracy", False, False, True, 2.3, 2.0, "dead"),
        ("accuracy", True, False, True, 2.3, 2.0, "dead"),
        ("accuracy", False, True, True, 2.3, nan, "diverged"),
        ("accuracy", False, False, False, 2.3, inf, "diverged"),
        ("loss-below-initial", False, False, False, 1.0, 0.999, "reached"),
        ("loss-below-initial", False, False, False, 1.0, 1.0, "stalled"),
        ("loss-below-initial", True, False, False, 1.0, 2.0, "stalled"),
        ("finite", False, False, False, 1.0, 100.0, "reached"),
        ("finite", False, False, False, 1.0, nan, "diverged"),
        (None, False, False, False, 1.0, 5.0, "finished"),
        (None, False, True, False, 1.0, 5.0, "diverged"),
        (None, False, False, True, 1.0, 0.5, "dead"),
    ],
)
def test_verdict(success, reached, diverged, dead, initial, final, expected):
    assert phases.verdict(success, reached, diverged, dead, initial, final) == expected


def test_unknown_rules_are_refused():
    with pytest.raises(ValueError, match="unknown success rule"):
        phases.verdict("luck", False, False, False, 1.0, 1.0)
    with pytest.raises(ValueError, match="unknown loss"):
        phases.label("hinge", "finished", 1.0, 0.5, 0.0, 1.0, nan, nan, nan)
    with pytest.raises(ValueError, match="no phase"):
        phases.label("mse", "failed", 1.0, 0.5, 0.0, 1.0, nan, nan, nan)


@pytest.mark.parametrize(
    ("verdict", "initial", "final", "rise", "expected"),
    [
        ("finished", 2.0, 0.1, 0.0, "lazy"),
        ("finished", 2.0, 0.1, 0.02, "lazy"),
        ("finished", 2.0, 0.1, 0.021, "catapult"),
        ("finished", 2.0, 2.0, 0.0, "divergent"),
        ("finished", 2.0, nan, 9.0, "divergent"),
        ("diverged", 2.0, 0.1, 9.0, "divergent"),
        ("dead", 2.0, 0.1, 0.0, "divergent"),
        ("reached", 2.0, 0.1, 50.0, "catapult"),
    ],
)
def test_mse_label(verdict, initial, final, rise, expected):
    assert phases.label("mse", verdict, initial, final, rise, 1.0, nan, nan, nan) == expected


@pytest.mark.parametrize(
    ("verdict", "final", "ratio", "logits", "accuracy", "expected"),
    [
        ("finished", 0.2, 1.0, (1.0, 2.0), 0.9, "stable"),
        ("finished", 0.2, 1.5, (1.0, 2.0), 0.9, "controlled"),
        ("finished", 0.2, 1.0, (1.0, 5.0), 0.9, "controlled"),
        ("finished", 0.2, 1.0, (1.0, 2.0), nan, "stable"),
        ("finished", 0.2, 1.0, (nan, nan), 0.9, "stable"),
        ("finished", 0.2, 1.0, (0.0, 1.0), 0.9, "stable"),
        ("finished", 0.2, 9.0, (1.0, 9.0), 0.49, "catastrophic"),
        ("finished", 2.3, 1.0, (1.0, 2.0), 0.9, "catastrophic"),
        ("diverged", nan, 9.0, (1.0, 9.0), nan, "catastrophic"),
        ("reached", 0.9, 3.0, (1.0, 9.0), 0.52, "controlled"),
    ],
)
def test_ce_label(verdict, final, ratio, logits, accuracy, expected):
    assert phases.label("ce", verdict, 2.3, final, 0.0, ratio, *logits, accuracy) == expected


def trained_scalar(c: float, width: int, steps: int = 200) -> tuple[str, float, float, float]:
    """Gradient descent on f = v·u/√n with label 0 at η = c/λ₀: verdict, first loss, last loss, largest rise."""
    f, lam = 1.0, 1.0
    eta = c / lam
    losses = [0.5 * f * f]
    for _ in range(steps):
        f, lam = (
            f * (1.0 - eta * lam + eta * eta * f * f / width),
            lam + eta * f * f / width * (eta * lam - 4.0),
        )
        losses.append(0.5 * f * f)
        if losses[-1] > phases.divergence_limit(losses[0]):
            break
    rise = max(b - a for a, b in pairwise(losses))
    ended = phases.verdict(None, False, losses[-1] > phases.divergence_limit(losses[0]), False, losses[0], losses[-1])
    return ended, losses[0], losses[-1], rise


@pytest.mark.parametrize(
    ("c", "expected"), [(0.5, "lazy"), (1.9, "lazy"), (2.1, "catapult"), (3.8, "catapult"), (4.2, "divergent")]
)
def test_solvable_model_is_labelled_as_theory_says(c, expected):
    ended, first, last, rise = trained_scalar(c, width=512)
    assert phases.label("mse", ended, first, last, rise, 1.0, nan, nan, nan) == expected


def test_a_catapult_stays_below_the_divergence_limit_at_any_width():
    ended, first, last, _ = trained_scalar(3.0, width=262_144, steps=400)
    assert ended == "finished"
    assert last < first


def test_divergence_limit_never_falls_below_a_million():
    assert phases.divergence_limit(0.01) == 1e6
    assert phases.divergence_limit(3.0) == 3e6


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.sampled_from(phases.SUCCESS_RULES), st.booleans(), st.booleans(), st.booleans(), numbers, numbers)
def test_every_end_has_a_verdict_and_every_verdict_a_phase(success, reached, diverged, dead, initial, final):
    ended = phases.verdict(success, reached, diverged, dead, initial, final)
    assert ended in phases.VERDICTS
    assert phases.is_success(ended) == (ended == "reached")
    assert phases.is_not_reached(ended) == (ended == "not-reached")
    for loss_kind, names in phases.PHASES.items():
        assert phases.label(loss_kind, ended, initial, final, 0.0, 1.0, 1.0, 1.0, nan) in names
