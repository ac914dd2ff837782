"""When a measure of the recorder is due."""

from dataclasses import dataclass
from math import floor, inf, log10

__all__ = ["Plan", "rounded"]


@dataclass
class Plan:
    """When a measure is due."""

    interval: int | None = None  # None: not known before the calibration
    due: int = 0
    failures: int = 0
    off: bool = False
    fixed: bool = False
    is_warm: bool = False  # it has been measured before


def rounded(steps: float) -> int:
    """The next of 1, 2, 5, 10, …: a plan that is the same in runs of about the same speed."""
    if not steps > 1.0:
        return 1
    if steps == inf:
        return 10**9
    decade = 10 ** floor(log10(steps))
    return int(next(m * decade for m in (1, 2, 5, 10) if m * decade >= steps))
