"""Claims of papers held against what a store measured: a number, its band, a verdict.

A claim names the shipped example that measures it, by the sweep's name, and where its band comes from. Bands were
fixed from the literature and from small runs with other code and seeds; a miss is reported as a miss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Claim", "Finding", "Measured", "Results", "Row", "check"]

Row = Mapping[str, object]


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
    """A number and how well it is known; no value: the rows do not hold it, and ``note`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


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
    """A claim held against a sweep. ``verdict``: "holds", "misses" or "not measured"."""

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
    return "holds" if claim.low <= measured.value <= claim.high else "misses"
