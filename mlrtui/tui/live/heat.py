"""The grid as a heat map: how far up a cell's value lies between the smallest and the largest, in five shades.

A shade is a sign and a colour, and every cell has its number too: nothing is told by colour alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlrtui.text.lines import Line, Run
from mlrtui.text.numbers import number, span, whole
from mlrtui_db.models import CellRow

__all__ = ["HEATS", "Heat", "amount", "bound_text", "heat_text"]

SHADES = (" ", "░", "▒", "▓", "█")
SHADES_ASCII = (" ", ",", ";", "%", "#")
HEATS = ("η*", "λ₀", "time", "diverged", "failures")
"""The values of the grid that are drawn as a heat map."""

_COUNTS = ("diverged", "failures")  # on a linear scale, from none on


@dataclass(frozen=True)
class Heat:
    """The scale of one heat map."""

    value: str
    low: float
    high: float
    ascii_only: bool = False

    @classmethod
    def of(
        cls, cells: Sequence[CellRow], value: str, seconds: Mapping[int, float], ascii_only: bool = False
    ) -> "Heat | None":
        """The scale over these cells; None for a value that has none, or where no cell has a value."""
        if value not in HEATS:
            return None
        amounts = (amount(cell, value, seconds) for cell in cells)
        known = [one for one in amounts if one is not None and _has_place(one, value)]
        if not known:
            return None
        return cls(value, 0.0 if value in _COUNTS else min(known), max(known), ascii_only)

    def level(self, one: float | None) -> int | None:
        """0 to 4; None without a value on the scale. A map with one value has the lowest shade alone."""
        if one is None or not _has_place(one, self.value):
            return None
        low, high, at = (x if self.value in _COUNTS else math.log(x) for x in (self.low, self.high, one))
        return 0 if high <= low else min(int((at - low) / (high - low) * len(SHADES)), len(SHADES) - 1)

    def shade(self, level: int | None) -> Run:
        """The sign before a number with its role."""
        signs = SHADES_ASCII if self.ascii_only else SHADES
        return (" ", "") if level is None else (signs[level], f"heat-{level}")

    def legend(self) -> Line:
        """The ends of the scale with the shades between them."""
        ends = [_spelled(end, self.value) for end in (self.low, self.high)]
        scale = "" if self.value in _COUNTS else " log"
        return (
            (f" {ends[0]} ", "dim"),
            *(self.shade(level) for level in range(len(SHADES))),
            (f" {ends[1]}{scale}", "dim"),
        )


def amount(cell: CellRow, value: str, seconds: Mapping[int, float]) -> float | None:
    """The number that is shaded; None: not known."""
    if value == "η*":
        mean = cell.ln_eta_star_mean
        return math.exp(mean) if mean is not None else cell.bound_eta or None
    if value == "λ₀":
        return cell.lambda0_mean or None
    if value == "time":
        return seconds.get(cell.cell_id) or None
    return float(cell.diverged if value == "diverged" else cell.trials_failed) if cell.trials_done else None


def heat_text(cell: CellRow, value: str, seconds: Mapping[int, float]) -> str:
    """The number of a cell, in words of its value."""
    if value == "η*":
        mean = cell.ln_eta_star_mean
        return number(math.exp(mean), 2) if mean is not None else bound_text(cell)
    one = amount(cell, value, seconds)
    return "-" if one is None else _spelled(one, value)


def bound_text(cell: CellRow) -> str:
    """What is known of η* where all nets are censored: "≥0.1", "≤0.001", "none" (no rate succeeds), "-" (nothing)."""
    sign = {"at_max": "≥", "at_min": "≤"}.get(cell.bound)
    if sign is None:
        return {"none": "none", "mixed": "mixed"}.get(cell.bound, "-")
    return f"{sign}{number(cell.bound_eta, 2)}" if cell.bound_eta else f"{sign}?"


def _has_place(one: float, value: str) -> bool:
    """Whether a number lies on the scale of its value: a logarithmic one has none for 0 and less."""
    return math.isfinite(one) and (value in _COUNTS or one > 0)


def _spelled(one: float, value: str) -> str:
    if value == "time":
        return span(one)
    return whole(one) if value in _COUNTS else number(one, 2 if value == "η*" else 3)
