"""The bits of ``step.flags``: what is said beside a step's numbers. The store's one list of them.

Made from it: the text about the column, the views' ``loss_state``, the rules of `invariants`,
and how curves are drawn. The instrument has the same bits by the same names in `mlrtui_trainer.spec`, which a test
compares: the two packages know nothing of each other.

>>> bits("sharpness"), LOSS_STATES[FLAG_LOSS_POS_INF]
(24, '+inf')
"""

from dataclasses import dataclass
from math import inf, nan
from types import MappingProxyType

__all__ = [
    "FLAGS",
    "FLAG_ACCURACY_NONFINITE",
    "FLAG_ALL_SAMPLES",
    "FLAG_LOSS_NAN",
    "FLAG_LOSS_NEG_INF",
    "FLAG_LOSS_POS_INF",
    "FLAG_SHARPNESS_INF",
    "FLAG_SHARPNESS_NAN",
    "FLAG_SHARPNESS_NOT_CONVERGED",
    "FLAG_STEP_SKIPPED",
    "LOSS_STATES",
    "Flag",
    "bits",
    "loss_state",
    "nonfinite",
]

FLAG_LOSS_NAN = 1
FLAG_LOSS_POS_INF = 2
FLAG_LOSS_NEG_INF = 4
FLAG_SHARPNESS_NAN = 8
FLAG_SHARPNESS_INF = 16
FLAG_SHARPNESS_NOT_CONVERGED = 32
FLAG_ACCURACY_NONFINITE = 64
FLAG_ALL_SAMPLES = 128
FLAG_STEP_SKIPPED = 256


@dataclass(frozen=True)
class Flag:
    """One bit. ``was`` is what a column that is NULL with it was; None where the bit says something else."""

    bit: int
    text: str
    column: str = ""
    was: float | None = None
    state: str = ""  # in the views' loss_state


FLAGS = (
    Flag(FLAG_LOSS_NAN, "loss NaN", "loss", nan, "nan"),
    Flag(FLAG_LOSS_POS_INF, "loss +Inf", "loss", inf, "+inf"),
    Flag(FLAG_LOSS_NEG_INF, "loss -Inf", "loss", -inf, "-inf"),
    Flag(FLAG_SHARPNESS_NAN, "sharpness NaN", "sharpness", nan),
    Flag(FLAG_SHARPNESS_INF, "sharpness infinite", "sharpness", inf),
    Flag(FLAG_SHARPNESS_NOT_CONVERGED, "sharpness not converged"),
    Flag(FLAG_ACCURACY_NONFINITE, "accuracy not finite", "accuracy", nan),
    Flag(FLAG_ALL_SAMPLES, "loss is over all training samples instead of this step's batch"),
    Flag(FLAG_STEP_SKIPPED, "the optimizer made no step"),
)

LOSS_STATES = MappingProxyType({flag.bit: flag.state for flag in FLAGS if flag.state})
"""Bit: what the loss was, as ``trial.bad_kind`` and the views say it."""


def nonfinite(column: str) -> dict[int, float]:
    """Bit: what a column that is NULL with it was."""
    return {flag.bit: flag.was for flag in FLAGS if flag.column == column and flag.was is not None}


def bits(column: str) -> int:
    """All bits with which a column is NULL, as one number."""
    return sum(nonfinite(column))


def loss_state() -> str:
    """SQL on ``flags``: finite, or what the loss was."""
    cases = " ".join(f"WHEN p.flags & {bit} THEN '{state}'" for bit, state in LOSS_STATES.items())
    return f"CASE {cases} ELSE 'finite' END"
