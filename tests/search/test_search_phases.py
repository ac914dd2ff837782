"""The rules of `mlrtui_trainer.phases`, case by case, and on the solvable model."""

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


def trained_scalar(c: float, width: int, steps: int = 200) -> phases.Evidence:
    """What gradient descent on f = v·u/√n with label 0 shows at η = c/λ₀."""
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
    diverged = losses[-1] > phases.divergence_limit(losses[0])
    ended = phases.verdict(None, False, diverged, False, losses[0], losses[-1])
    rise = max(loss / min(losses[: k + 1]) for k, loss in enumerate(losses) if loss > 1e-3 * losses[0])
    peak = max(losses) / losses[0]
    return phases.Evidence("mse", ended, True, losses[0], losses[-1], peak_smoothed=peak, rise=rise)


@pytest.mark.parametrize(
    ("c", "expected"), [(0.5, "lazy"), (1.9, "lazy"), (2.1, "catapult"), (3.8, "catapult"), (4.2, "divergent")]
)
def test_solvable_model_is_labelled_as_theory_says(c, expected):
    assert phases.label(trained_scalar(c, width=512)).label == expected


def test_a_catapult_stays_below_the_divergence_limit_at_any_width():
    evidence = trained_scalar(3.0, width=262_144, steps=400)
    assert evidence.verdict == "finished"
    assert evidence.loss_final < evidence.loss_initial


def test_divergence_limit_never_falls_below_a_million():
    assert phases.divergence_limit(0.01) == 1e6
    assert phases.divergence_limit(3.0) == 3e6


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.sampled_from(phases.SUCCESS_RULES), st.booleans(), st.booleans(), st.booleans(), numbers, numbers)
def test_every_end_has_a_verdict(success, reached, diverged, dead, initial, final):
    ended = phases.verdict(success, reached, diverged, dead, initial, final)
    assert ended in phases.VERDICTS
    assert phases.is_success(ended) == (ended == "reached")
    assert phases.is_not_reached(ended) == (ended == "not-reached")
