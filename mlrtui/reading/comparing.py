"""Two sweeps compared: cells that both have, ratios of their learning rates, exponents, settings.

Numbers only: the report and the screen put them into words. Cells are the same where they agree in depth, width and
every other axis that varies within one of the sweeps. What does not vary in either, such as the loss of two sweeps of
one loss each, is what the comparison is about.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, isnan, log, sqrt
from statistics import fmean, stdev
from typing import Any

from mlrtui.analysis.fits import t_quantile
from mlrtui.figures.rows import Row, number, text_of
from mlrtui.text.numbers import counted, exact
from mlrtui_db.axes import AXIS, SIZES, axis_values
from mlrtui_db.models import SweepRow
from mlrtui_db.own import own_values

__all__ = [
    "Agreement",
    "MeanRatio",
    "Shared",
    "agreement",
    "differing",
    "flat",
    "geometric_cell",
    "lacking",
    "ln_mean",
    "matched",
    "mean_ratio",
    "spec_of",
]


@dataclass(frozen=True)
class Shared:
    """A cell that both sweeps have: its nets there and here."""

    label: str
    nets: tuple[Sequence[Row], Sequence[Row]]

    @property
    def ratio(self) -> float | None:
        """ln of the second's mean over the first's; None where one of them has none."""
        means = [ln_mean(nets) for nets in self.nets]
        return None if means[0] is None or means[1] is None else means[1] - means[0]


@dataclass(frozen=True)
class MeanRatio:
    """The geometric mean of ratios, with its 95 % interval over cells from three cells on."""

    value: float
    low: float | None
    high: float | None
    smallest: float
    largest: float
    cells: int


@dataclass(frozen=True)
class Agreement:
    """The difference of two exponents and the half-width of its 95 % interval."""

    difference: float
    half: float

    @property
    def agree(self) -> bool:
        """Whether 0 lies in the interval."""
        return abs(self.difference) <= self.half


def ln_mean(nets: Sequence[Row]) -> float | None:
    """Mean of ln η* over a cell's nets; None where one of them is censored or not done."""
    values = [number(row, "eta_star") for row in nets]
    if not nets or any(text_of(row, "censored") for row in nets) or not all(value > 0 for value in values):
        return None
    return fmean(map(log, values))


def matched(rows: tuple[Sequence[Row], Sequence[Row]]) -> tuple[list[Shared], list[list[str]]]:
    """The cells that both sweeps have, and the labels of those that only one has; ``rows`` are of their nets."""
    varying = {name for its in rows for name in _varying(its)} | set(SIZES)
    cells: list[dict[tuple[object, ...], list[Row]]] = [{}, {}]
    for place, its in enumerate(rows):
        for row in its:
            values = _values(row)
            key = tuple(values.get(name) for name in sorted(varying))
            cells[place].setdefault(key, []).append(row)
    shared = [
        Shared(text_of(nets[0], "cell"), (nets, cells[1][key])) for key, nets in cells[0].items() if key in cells[1]
    ]
    return shared, [
        [text_of(nets[0], "cell") for key, nets in cells[place].items() if key not in cells[1 - place]]
        for place in (0, 1)
    ]


def mean_ratio(ratios: Sequence[float]) -> MeanRatio | None:
    """Over the cells that have one, of logarithms of ratios; None where none has."""
    if not ratios:
        return None
    mean = fmean(ratios)
    low = high = None
    if len(ratios) >= 3:
        half = t_quantile(len(ratios) - 1) * stdev(ratios) / sqrt(len(ratios))
        low, high = exp(mean - half), exp(mean + half)
    return MeanRatio(exp(mean), low, high, exp(min(ratios)), exp(max(ratios)), len(ratios))


def agreement(first: Row, second: Row) -> Agreement | None:
    """Whether two exponents, each with its interval, are the same; None where one of them has no interval."""
    pair = first, second
    values = [number(row, "exponent") for row in pair]
    halves = [(number(row, "high") - number(row, "low")) / 2 for row in pair]
    if any(map(isnan, [*values, *halves])):
        return None
    return Agreement(values[1] - values[0], hypot(*halves))


def differing(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of flat settings, but the sweep's name, that are not the same in all."""
    keys = dict.fromkeys(key for spec in specs for key in spec if key != "sweep.name")
    return [key for key in keys if any(spec.get(key) != specs[0].get(key) for spec in specs)]


def spec_of(sweep: SweepRow) -> dict[str, Any]:
    """A sweep's stored settings; none where they cannot be read."""
    try:
        document = json.loads(sweep.spec)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Settings by their whole key: search.threshold."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from flat(f"{path}.{name}" if path else str(name), inside)
    else:
        yield path, value


def geometric_cell(nets: Sequence[Row]) -> str:
    """The geometric mean over a cell's nets; with a censored net the bound that it gives, and how many there are."""
    values = [row for row in nets if not text_of(row, "censored") and number(row, "eta_star") > 0]
    censored = [row for row in nets if text_of(row, "censored")]
    if not nets or (not values and not censored):
        return "–"
    if not censored:
        logs = [log(number(row, "eta_star")) for row in values]
        return exact(exp(sum(logs) / len(logs)), 3)
    above = [number(row, "eta_star") for row in censored if text_of(row, "censored") == "at_max"]
    count = f" ({len(censored)} of {len(nets)} censored)"
    if len(above) == len(censored) and above:
        return f"≥ {exact(min([*above, *(number(row, 'eta_star') for row in values)]), 3)}{count}"
    below = [number(row, "eta_star") for row in censored if text_of(row, "censored") == "at_min"]
    if len(below) == len(censored) and not any(map(isnan, below)):  # in a scan, whose lowest rate may be the best
        return f"≤ {exact(max([*below, *(number(row, 'eta_star') for row in values)]), 3)}{count}"
    return f"none{count}"


def lacking(nets: Sequence[Row]) -> str:
    """Which nets of a cell have no value, in words; "" where all have one."""
    censored = [text_of(row, "censored") for row in nets if text_of(row, "censored")]
    waiting = sum(not text_of(row, "censored") and not number(row, "eta_star") > 0 for row in nets)
    names = {"at_max": "succeed at every rate", "at_min": "at the lowest rate", "none": "succeed at no rate"}
    parts = [f"{censored.count(kind)} {names.get(kind, kind)}" for kind in dict.fromkeys(censored)]
    if waiting:
        parts.append(f"{waiting} not done")
    return f"of {counted(len(nets), 'net')}: {', '.join(parts)}" if parts else ""


def _values(row: Row) -> dict[str, object]:
    """The settings of a row's cell; None where one does not apply, so that it equals itself."""
    every = own_values(row.get("own")) | axis_values(row)
    return {
        name: None if isinstance(value, float) and isnan(value) else value
        for name, value in every.items()
        if not (name in AXIS and AXIS[name].follows)
    }


def _varying(rows: Sequence[Row]) -> Iterator[str]:
    values = [_values(row) for row in rows]
    for name in {name for its in values for name in its}:
        if len({its.get(name) for its in values}) > 1:
            yield name
