"""When a solve along a training may stop: one table, which the general and the compiled solver both read.

A small residual proves that a value is *an* eigenvalue, not that it is the largest: where the operator has changed much
since the last step, another one may have grown past it that the space at hand hardly shows. So the more the top
eigenvector has turned, the more products are made before a value is taken.
"""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["AUDITED", "FALL", "FALLEN", "RULES", "Last", "Rule", "rules_of"]

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", float, Floats)


@dataclass(frozen=True)
class Last:
    """What is known of the lanes' last values, by which a solve along a training is judged."""

    value: Floats  # [lanes], the largest; NaN: not known
    audits: npt.NDArray[np.bool_]  # [lanes], who is judged as strictly as can be


class Rule(NamedTuple, Generic[Number]):
    """What a solve must have reached where the top vector has turned by at most ``turn``; of several, [lanes] each."""

    turn: Number  # sine of the angle between the largest's Ritz vector and that of the step before
    products: Number  # at least
    residual: Number  # the relative residual at most, in tolerances
    error: Number  # the estimated relative error at most, in tolerances
    crowding: Number  # the residual of the next value at most, in its distance: above one, another may be the largest


RULES = (
    Rule(0.2, 3, 10.0, 0.1, 0.7),
    Rule(0.5, 6, 10.0, 0.1, 0.5),
    Rule(0.9, 7, 2.0, 0.1, 0.2),
    Rule(1.0, 9, 1.5, 0.1, 0.1),
)
"""By growing turn; the last one has no limit."""

FALL = 0.96
"""A value below this part of the one before, or with none before, is judged by `FALLEN` at least."""

FALLEN, AUDITED = 1, len(RULES) - 1
"""Places in `RULES`: of values that have fallen, and of audits."""

_TABLE = np.array(RULES)
_TURNS = _TABLE[:-1, 0]


def rules_of(turn: Floats, value: Floats, before: Floats, audits: npt.NDArray[np.bool_]) -> Rule[Floats]:
    """The rule of each lane; all numbers [lanes].

    Example:
        >>> float(rules_of(np.array([0.1]), np.array([2.0]), np.array([2.0]), np.array([False])).products[0])
        3.0
    """
    place = np.searchsorted(_TURNS, turn)
    place = np.maximum(place, np.where(value >= FALL * before, 0, FALLEN))  # NaN: has fallen
    return Rule(*_TABLE[np.where(audits, AUDITED, place)].T)
