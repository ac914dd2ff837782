"""The rules by which a trial ends and by which its phase is named, on plain numbers.

Losses are means over samples (mse: ½ sum over outputs). A number that was not measured is NaN and decides nothing;
a final loss that is not finite is a divergence.
"""

from math import isfinite

__all__ = [
    "ACCURACY_LEARNT",
    "DIVERGENCE_FACTOR",
    "LOGIT_GROWTH",
    "LOGIT_STEPS",
    "LOSS_SPIKE",
    "PHASES",
    "RISE_FRACTION",
    "SUCCESS_RULES",
    "VERDICTS",
    "divergence_limit",
    "is_success",
    "is_not_reached",
    "label",
    "verdict",
]

VERDICTS = ("reached", "finished", "not-reached", "stalled", "diverged", "dead", "failed")
_BOUNDED = ("stable", "controlled", "catastrophic")  # losses whose gradient by the outputs is bounded
PHASES = {"mse": ("lazy", "catapult", "divergent"), "ce": _BOUNDED, "mse-softmax": _BOUNDED}
SUCCESS_RULES = ("accuracy", "loss-below-initial", "finite")

DIVERGENCE_FACTOR = 1e6
"""Of max(loss at the start, 1). Catapults peak at O(width) times the start (Lewkowycz et al. 2020): never less."""

RISE_FRACTION = 0.01
"""A catapult raises the loss in one step by more than this part of the loss at the start; a lazy run does not."""

LOSS_SPIKE = 1.5
"""Batch loss over loss at the start from which a cross-entropy run has left stability (Haas et al., edge of CE)."""

LOGIT_GROWTH = 5.0
"""RMS logit within `LOGIT_STEPS` steps over its first value from which a cross-entropy run has left stability."""

LOGIT_STEPS = 10

ACCURACY_LEARNT = 0.5
"""A cross-entropy run that ends below this accuracy has not survived its learning rate."""


def divergence_limit(loss_initial: float) -> float:
    """Loss above which a trial is stopped as diverged."""
    return DIVERGENCE_FACTOR * max(loss_initial, 1.0)


def verdict(
    success: str | None, reached: bool, diverged: bool, dead: bool, loss_initial: float, loss_final: float
) -> str:
    """How a trial ended, one of `VERDICTS` but never "failed", which is the machine's fault.

    ``success`` is the rule of the search ("accuracy", "loss-below-initial", "finite") or None for a scan;
    ``reached`` says that the accuracy threshold was met. Raises ValueError for an unknown rule.
    """
    if success is not None and success not in SUCCESS_RULES:
        raise ValueError(f"unknown success rule {success!r}: use one of {', '.join(SUCCESS_RULES)}")
    if diverged or not isfinite(loss_final):
        return "diverged"
    if dead:
        return "dead"
    if success is None:
        return "finished"
    if success == "finite" or (success == "accuracy" and reached):
        return "reached"
    improved = loss_final < loss_initial
    if success == "accuracy":
        return "not-reached" if improved else "stalled"
    return "reached" if improved else "stalled"


def label(
    loss_kind: str,
    verdict: str,
    loss_initial: float,
    loss_final: float,
    largest_rise: float,
    peak_batch_ratio: float,
    logit_rms_initial: float,
    logit_rms_peak: float,
    final_accuracy: float,
) -> str:
    """Name the phase of a trial that ended with ``verdict``, one of ``PHASES[loss_kind]``.

    ``largest_rise`` is the largest growth of the loss in a single step, in units of the loss; ``peak_batch_ratio`` the
    largest batch loss over ``loss_initial``; the logits' RMS at the start and its peak over `LOGIT_STEPS` steps.
    mse follows Lewkowycz et al. 2020 (2/λ and 4/λ for one hidden layer), the others, whose gradient by the outputs is
    bounded, the controlled divergence of Haas et al. 2025.
    Raises ValueError for an unknown loss, and for a failed trial, which shows nothing about its learning rate.
    """
    if loss_kind not in PHASES:
        raise ValueError(f"unknown loss {loss_kind!r}: use one of {', '.join(PHASES)}")
    if verdict == "failed":
        raise ValueError("a failed trial has no phase")
    calm, risen, lost = PHASES[loss_kind]
    survived = verdict not in ("diverged", "dead") and loss_final < loss_initial
    if loss_kind == "mse":
        if not survived:
            return lost
        return risen if largest_rise > RISE_FRACTION * loss_initial else calm
    spiked = peak_batch_ratio >= LOSS_SPIKE
    grown = logit_rms_initial > 0.0 and logit_rms_peak >= LOGIT_GROWTH * logit_rms_initial
    left_stability = spiked or grown
    # A small rate that only ran out of steps has not lost anything: low accuracy alone is no catastrophe.
    unlearnt = final_accuracy < ACCURACY_LEARNT and (verdict != "not-reached" or left_stability)
    if not survived or unlearnt:
        return lost
    return risen if left_stability else calm


def is_success(verdict: str) -> bool:
    """Whether a trial of a search met its success rule."""
    return verdict == "reached"


def is_not_reached(verdict: str) -> bool:
    """Whether a trial missed its threshold although its loss fell: too slow, or unstable without having lost all."""
    return verdict == "not-reached"
