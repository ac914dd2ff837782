"""Claims of papers compared with what a store measured: a number with its interval, a band, a verdict.

A claim names the shipped example that measures it, by the sweep's name, and where its band comes from. Bands were
fixed from the literature and from small runs with other code and seeds; a miss is reported as a miss. The verdict is on
the whole interval: "holds" where all of it lies in the band, "misses" where none of it does, else "undecided".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Claim", "Finding", "Measured", "Results", "Row", "check", "verdict_text"]

Row = Mapping[str, object]

ROUNDING = 1e-12
"""Relative error of stored numbers: a rate of 8/λ₀ times λ₀ is 8 to the last digits alone."""


@dataclass(frozen=True)
class Results:
    """A finished sweep. ``read(view, sweep)`` gives the rows of a view; of a sweep that the store lacks, none."""

    sweep: str
    read: Callable[[str, str], Sequence[Row]]

    def view(self, name: str, **where: object) -> list[Row]:
        """The sweep's rows whose columns have these values."""
        return [row for row in self.read(name, self.sweep) if all(row[key] == value for key, value in where.items())]

    def of(self, sweep: str) -> "Results":
        """Another sweep of the same store."""
        return Results(sweep, self.read)


@dataclass(frozen=True)
class Measured:
    """A number and how well it is known; no value: the rows do not hold it, and ``note`` says why.

    ``low`` and ``high`` are the ends of a fit's 95 % interval or, where ``is_range``, the smallest and the largest of
    the networks' values; None where the number has neither.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""
    is_range: bool = False

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True)
class Claim:
    """One claim: a number that ``measure`` takes from a sweep lies in [low, high]."""

    sweep: str
    text: str
    source: str
    low: float
    high: float
    measure: Callable[[Results], Measured]
    digits: int = 2  # to which the number is known


@dataclass(frozen=True)
class Finding:
    """A claim compared with a sweep. ``verdict``: "holds", "misses", "undecided" or "not measured"."""

    claim: Claim
    measured: Measured
    verdict: str


def check(claims: Sequence[Claim], results: Results) -> list[Finding]:
    """Every one of these claims that this sweep can speak to."""
    found = []
    for claim in claims:
        if claim.sweep == results.sweep:
            measured = claim.measure(results)
            found.append(Finding(claim, measured, _verdict(claim, measured)))
    return found


def _verdict(claim: Claim, measured: Measured) -> str:
    if measured.value is None:
        return "not measured"
    low, high = measured.interval or (measured.value, measured.value)
    slack = ROUNDING * max(abs(claim.low), abs(claim.high))
    if claim.low - slack <= low and high <= claim.high + slack:
        return "holds"
    return "misses" if high < claim.low - slack or low > claim.high + slack else "undecided"


def verdict_text(finding: Finding) -> str:
    """The verdict, and what it rests on where that is a point without an interval: "holds (by the point alone)"."""
    decided = finding.verdict in ("holds", "misses")
    return f"{finding.verdict} (by the point alone)" if decided and not finding.measured.interval else finding.verdict
