"""The rules by which a trial ends and by which its phase is named, on plain numbers.

Losses are means over samples (mse: ½ sum over outputs). A number that was not measured is NaN and decides nothing;
a final loss that is not finite is a divergence. The rule table, with the reasons of its thresholds, stands in
docs/numerics.md. `phase_evidence` gathers the evidence.
"""

from dataclasses import dataclass
from math import isfinite, isnan, nan

from mlrtui_trainer.divergence import DIVERGENCE_FACTOR, divergence_limit
from mlrtui_trainer.losses import LOSS_KINDS
from mlrtui_trainer.optimizers import OPTIMIZERS

__all__ = [
    "DIVERGENCE_FACTOR",
    "LOGIT_STEPS",
    "PHASES",
    "RULE_EDITION",
    "SUCCESS_RULES",
    "VERDICTS",
    "Evidence",
    "Phase",
    "divergence_limit",
    "is_not_reached",
    "is_success",
    "label",
    "survived",
    "verdict",
]

VERDICTS = ("reached", "finished", "not-reached", "stalled", "diverged", "dead", "failed")
_UNBOUNDED = ("lazy", "catapult", "edge", "divergent", "collapsed", "unfinished")
_BOUNDED = ("stable", "controlled", "catapult", "edge", "catastrophic", "collapsed", "unfinished")
PHASES = {name: _BOUNDED if LOSS_KINDS[name].bounded else _UNBOUNDED for name in LOSS_KINDS.ours}
"""Labels by loss. "lazy" is the name of stable where the gradient by the outputs is not bounded, as under mse;
"catastrophic" that of divergent where it is."""

SUCCESS_RULES = ("accuracy", "loss-below-initial", "finite", "survives")
"""survives: the loss ends below its start, and the net has not collapsed (row 6 of the rule table)."""

RULE_EDITION = 2
"""Of the rule table; raised when the same evidence may get another label."""

CONVEX_EXCESS = 1.0005
"""Of the edge: above it linear regression diverges. λ is constant there and known to a few 1e-4."""

EXCURSION_FULL = 1.1
EXCURSION_MINI = 1.5
"""Smoothed loss over loss at the start that is an excursion. 64 samples have a mean that scatters by 6 to 12 %, so 1.5
is at least four standard deviations; a full batch has no noise."""

WILD_RISE = 3.0
"""Smoothed loss over its running minimum from which a training counts as shaken, so that it can have collapsed."""

LOGIT_GROWTH = 5.0
"""RMS of the outputs within `LOGIT_STEPS` steps over its first value from which a bounded loss has left stability.
Measured: stable trainings stay below 2.95, controlled ones are above 6.1."""

HIDDEN_GROWTH = 3.0
"""The same of the last hidden layer up to which activations count as bounded. Measured: up to 2.3 in controlled
trainings, 6.3 where batches of two rattle."""

LOGIT_STEPS = 10

COLLAPSED = (0.85, 1.15)
"""Final loss over the loss of the best constant output: 1 less it is R² (McFadden's under ce), so less than 15 %
explained."""

CHANCE = 0.1
"""Accuracy above the majority's share up to which a net has learnt nothing."""

FITTED = 1e-6
"""Loss where a fork starts, as a share of that at initialisation, below which a rate that is too large would not show
within the steps of a fork."""

FLAT = 0.03
"""Drift of ln(smoothed loss) over the last quarter below which a loss stands still. Without it 11 of 293 trainings cut
at 10 steps were called collapsed and learnt afterwards."""

HOVER = 0.25
"""Share of measured ratios near the edge from which a training is at the edge of stability. Measured: 0.79 to 1.00 in
full batches, 0.31 in mini-batches."""

HOVER_BAND = (0.85, 1.3)
"""Ratios, smoothed over three, that are near the edge."""

EDGE_RISE = 1.05
"""Rise that shows that an edge was felt. Measured: 1.5 to 4.1 at the edge of stability."""

HIDDEN_RISE = 1.02
"""Rise of a full-batch loss that is a take-off and no rounding."""

SHARPNESS_FALL = 0.97
"""Last λ over the first below which the training has moved to a flatter place."""


@dataclass(frozen=True)
class Evidence:
    """What a phase rests on. NaN: not measured, or without meaning; such a number decides nothing.

    A ratio is η·λ over the optimizer's edge, with the rate η of that step, so 1 is the edge; λ is the preconditioned
    one, of all training samples.
    The smoothed loss is the mean of the last ⌈64/batch⌉ batch losses, the loss at the start standing for those before
    the first (full batch: the loss itself).
    """

    loss_kind: str  # "mse" | "ce" | "mse-softmax"
    verdict: str  # one of `VERDICTS`, not "failed"
    full_batch: bool
    loss_initial: float  # over all training samples
    loss_final: float
    optimizer: str = "sgd"  # a name of `optimizers.OPTIMIZERS`
    beta: float = 0.0  # the setting that its edge depends on
    linear: bool = False  # no hidden layer: under mse λ is constant
    accuracy: float = nan  # at the end
    loss_constant: float = nan  # smallest loss of an output that does not depend on the sample
    majority: float = nan  # share of the largest class
    peak_smoothed: float = 1.0  # largest smoothed loss over the loss at the start
    rise: float = 1.0  # largest smoothed loss over its running minimum, that not below 1e-3 of the start
    rise_at_end: bool = False  # whether the last step is where the rise is largest
    drift: float = nan  # of ln(smoothed loss) over the last quarter; NaN below 20 steps
    logit_growth: float = nan  # RMS of the outputs over its first value, up to step 10; bounded losses: less class mean
    hidden_growth: float = nan  # the same of the last hidden layer
    ratio_initial: float = nan  # from λ at initialisation
    ratio_first: float = nan  # the first one measured along training
    ratio_before_peak: float = nan  # the largest up to the later of peak and rise
    ratio_low: float = nan  # the lowest of the first half
    ratio_hover: float = nan  # share of ratios, smoothed over three, within `HOVER_BAND`
    ratio_last: float = nan

    @property
    def bounded(self) -> bool:
        """Whether the loss's gradient by the outputs is bounded."""
        return LOSS_KINDS[self.loss_kind].bounded

    @property
    def transient(self) -> float | None:
        """`Optimizer.transient` of the one that trained."""
        of = OPTIMIZERS[self.optimizer].transient
        return None if of is None else of(self.beta)

    @property
    def is_plain(self) -> bool:
        """Whether it is gradient descent, whose step depends on the present gradient alone and is linear in it."""
        return self.transient is not None and not OPTIMIZERS[self.optimizer].state

    @property
    def has_sharpness(self) -> bool:
        """Whether λ was measured along training."""
        return not isnan(self.ratio_first)


@dataclass(frozen=True)
class Phase:
    """A label, what it rests on ("loss" or "loss+sharpness"), and which row of the table fired with which numbers."""

    label: str
    basis: str
    reason: str


def verdict(
    success: str | None, reached: bool, diverged: bool, dead: bool, loss_initial: float, loss_final: float
) -> str:
    """How a trial ended, one of `VERDICTS` but never "failed", which is the machine's fault.

    ``success`` is the rule of the search, one of `SUCCESS_RULES`, or None for a scan; ``reached`` says that the
    accuracy threshold was met. Of "survives" this decides by the loss alone: see `survived`.
    Raises ValueError for an unknown rule.
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


def survived(success: str | None, verdict: str, phase: str) -> str:
    """The verdict once the phase is known: a net that has collapsed does not survive, though its loss ended lower.

    >>> survived("survives", "reached", "collapsed"), survived("loss-below-initial", "reached", "collapsed")
    ('stalled', 'reached')
    """
    return "stalled" if success == "survives" and verdict == "reached" and phase == "collapsed" else verdict


def label(evidence: Evidence) -> Phase:
    """Name the phase of a finished trial: one of `PHASES` of its loss, by the first row of the table that holds.

    Sources: catapults at 2/λ under mse, Lewkowycz et al. 2020; the edge of stability, Cohen et al. 2021; controlled
    divergence, Haas et al. 2025. The table and its error rate are in docs/numerics.md.
    Raises ValueError for an unknown loss, and for a failed trial, which shows nothing about its learning rate.

    >>> label(Evidence("mse", "finished", True, loss_initial=1.0, loss_final=0.1, peak_smoothed=40.0)).label
    'catapult'
    """
    if evidence.loss_kind not in LOSS_KINDS:
        raise ValueError(f"unknown loss {evidence.loss_kind!r}: use one of {', '.join(LOSS_KINDS)}")
    if evidence.verdict == "failed":
        raise ValueError("a failed trial has no phase")
    name, reason, used_initial = _row(evidence)
    if evidence.bounded:
        name = {"divergent": "catastrophic"}.get(name, name)
    else:
        name = {"stable": "lazy"}.get(name, name)
    return Phase(name, "loss+sharpness" if evidence.has_sharpness or used_initial else "loss", reason)


def _row(e: Evidence) -> tuple[str, str, bool]:
    """The name, the reason, and whether λ at initialisation decided, of the first row that holds."""
    if e.verdict == "diverged" or not isfinite(e.loss_final):
        return "divergent", "row 1: the loss passed 1e6·max(L₀, 1) or was not finite", False
    if e.verdict == "dead":
        return "collapsed", "row 2: every unit of the last hidden layer is zero on all samples", False
    convex = _convex(e)
    if convex:
        return *convex, True
    excursion, why = _excursion(e)
    return *(_lost(e, excursion, why) or _survived(e, excursion, why)), False


def _convex(e: Evidence) -> tuple[str, str] | None:
    """Row 3: linear regression, whose λ is constant, so that the rate alone decides."""
    ratio = e.ratio_first if isnan(e.ratio_initial) else e.ratio_initial
    if not (e.linear and e.loss_kind == "mse" and e.full_batch and e.transient is not None) or isnan(ratio):
        return None
    numbers = f"λ is constant, η·λ₀ is {ratio:.5g} of the edge (limit {CONVEX_EXCESS:g})"
    if ratio > CONVEX_EXCESS and e.rise > HIDDEN_RISE:
        return "divergent", f"row 3: {numbers} and the loss rose to {e.rise:.4g} × its minimum (limit {HIDDEN_RISE:g})"
    rose = "" if ratio <= CONVEX_EXCESS else f", but the loss rose to {e.rise:.4g} × its minimum only"
    return "stable", f"row 3: {numbers}{rose}"


def _excursion(e: Evidence) -> tuple[bool, str]:
    """Row 4: whether the smoothed loss passed its start by an instability, and what that rests on."""
    limit, beyond = EXCURSION_FULL if e.full_batch else EXCURSION_MINI, e.ratio_before_peak > 1.0
    peak = f"the smoothed loss peaked at {e.peak_smoothed:.4g}·L₀ (limit {limit:g})"
    if not e.peak_smoothed >= limit:
        return False, peak
    before = f"η·λ/edge reached {e.ratio_before_peak:.4g} before it"
    if e.is_plain and e.full_batch and e.has_sharpness:
        return beyond, f"{peak} and {before} (limit 1)"
    if e.transient is None or e.is_plain:
        return True, peak
    if beyond:
        return True, f"{peak} and {before} (limit 1)"
    # of what remembers gradients the first step from rest is another than the later ones: a rise, and no instability
    transient = limit * e.transient
    above = e.peak_smoothed >= transient
    return above, f"{peak}, {'above' if above else 'within'} the first step's transient of {transient:.4g}·L₀"


def _lost(e: Evidence, excursion: bool, why: str) -> tuple[str, str] | None:
    """Rows 5 to 7: trainings that have lost their net, or whose outcome is open."""
    grown = e.bounded and e.logit_growth >= LOGIT_GROWTH
    low, high = COLLAPSED
    ratio = _ratio(e.loss_final, e.loss_constant)
    chance = not e.accuracy > e.majority + CHANCE  # where accuracy has no meaning the loss decides
    if (excursion or e.rise >= WILD_RISE or grown) and low <= ratio <= high and chance:
        shaken = why if excursion else f"the loss rose to {e.rise:.4g} × its minimum (limit {WILD_RISE:g})"
        if not excursion and not e.rise >= WILD_RISE:
            shaken = f"the outputs grew to {e.logit_growth:.4g} × their start (limit {LOGIT_GROWTH:g})"
        accuracy = "" if isnan(e.accuracy) else f", accuracy {e.accuracy:.3f} (majority {e.majority:.3f})"
        ends = f"L_T is {ratio:.4g} of a constant output's loss (within {low:g} to {high:g}){accuracy}"
        if abs(e.drift) < FLAT:
            return "collapsed", f"row 6: {shaken}; {ends}; drift {e.drift:.2g} (limit {FLAT:g})"
        moves = "too short a training to tell a drift" if isnan(e.drift) else f"drift {e.drift:.2g} (limit {FLAT:g})"
        return "unfinished", f"row 6: {shaken}; {ends}; {moves}"
    if e.loss_final >= e.loss_initial:
        at = "" if isnan(e.ratio_last) else f"; η·λ/edge ends at {e.ratio_last:.4g}"
        ends = f"ends at {e.loss_final:.4g}, no lower than it began ({e.loss_initial:.4g}){at}"
        return "unfinished", f"row 7: {ends}; {why}"
    return None


def _survived(e: Evidence, excursion: bool, why: str) -> tuple[str, str]:
    """Rows 8 to 12: trainings that end below their start."""
    if e.bounded and (excursion or e.logit_growth >= LOGIT_GROWTH):
        return _left_stability(e, why)
    if excursion:
        return "catapult", f"row 9: {why}, and it ended at {_ratio(e.loss_final, e.loss_initial):.4g}·L₀"
    rose = f"the loss rose to {e.rise:.4g} × its minimum"
    if e.ratio_hover >= HOVER and e.rise >= EDGE_RISE and e.ratio_low < 1.0:
        band = f"{HOVER_BAND[0]:g} to {HOVER_BAND[1]:g}"
        share = f"{e.ratio_hover:.2f} of η·λ/edge lie within {band} (limit {HOVER:g})"
        low = f"lowest of the first half {e.ratio_low:.4g} (limit 1)"
        return "edge", f"row 10: {share}, {rose} (limit {EDGE_RISE:g}), {low}"
    if e.full_batch and e.loss_kind == "mse" and e.rise >= HIDDEN_RISE:
        if e.is_plain and e.ratio_last > 1.0 and e.rise_at_end:
            at = f"η·λ/edge ends at {e.ratio_last:.4g} (limit 1)"
            return "unfinished", f"row 10b: {rose} (limit {HIDDEN_RISE:g}) at the last step and {at}: a take-off"
        fall = e.ratio_last / e.ratio_first if e.ratio_first > 1.0 else nan
        if fall < SHARPNESS_FALL:
            first = f"η·λ/edge began at {e.ratio_first:.4g} (limit 1)"
            moved = f"λ fell to {fall:.4g} of its start (limit {SHARPNESS_FALL:g})"
            return "catapult", f"row 11: {first}, {rose} (limit {HIDDEN_RISE:g}), {moved}"
    return "stable", f"row 12: {why}, {rose}; nothing else fired"


def _left_stability(e: Evidence, why: str) -> tuple[str, str]:
    """Row 8: controlled divergence keeps the activations bounded while the outputs grow."""
    grown = e.logit_growth >= LOGIT_GROWTH
    unknown = isnan(e.logit_growth)
    outputs = "outputs' growth not measured" if unknown else f"outputs × {e.logit_growth:.4g} (limit {LOGIT_GROWTH:g})"
    if isnan(e.hidden_growth):
        hidden = "last hidden layer not known, so not called controlled"
    else:
        hidden = f"last hidden layer × {e.hidden_growth:.4g} (limit {HIDDEN_GROWTH:g})"
    name = "controlled" if grown and e.hidden_growth <= HIDDEN_GROWTH else "catapult"
    return name, f"row 8: {why}; {outputs}, {hidden}; it ended at {_ratio(e.loss_final, e.loss_initial):.4g}·L₀"


def _ratio(value: float, scale: float) -> float:
    return value / scale if scale > 0.0 else nan


def is_success(verdict: str) -> bool:
    """Whether a trial of a search met its success rule."""
    return verdict == "reached"


def is_not_reached(verdict: str) -> bool:
    """Whether a trial missed its threshold although its loss fell: too slow, or unstable without having lost all."""
    return verdict == "not-reached"
