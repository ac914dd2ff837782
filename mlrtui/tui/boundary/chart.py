"""The search of one net as a picture: every trial at its learning rate, rounds downwards, the bracket closing in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.charts import ticks
from mlrtui.text.lines import Line, Run, centred, line, merge
from mlrtui.text.marks import CHART_SIGNS

__all__ = ["LEFT", "Bracket", "Probe", "Ragged", "draw_boundary", "drawable", "eta_axis", "eta_column", "eta_range"]

LEFT = 7  # cells of the round numbers and the axis line


@dataclass(frozen=True)
class Probe:
    """One trial of the search as it is drawn."""

    eta: float
    round: int
    glyph: str
    role: str
    chosen: bool = False


@dataclass(frozen=True)
class Bracket:
    """What the answers up to a round leave open: between the last success and the failure above it."""

    round: int
    low: float
    high: float


@dataclass(frozen=True)
class Ragged:
    """The zone in which successes and failures mix, and the estimate that weighs it."""

    plateau: float  # where the unbroken successes end
    last_success: float
    area: float | None


def draw_boundary(
    probes: Sequence[Probe],
    eta_star: float | None,
    first_failure: float | None,
    width: int,
    height: int,
    ascii_only: bool = False,
    brackets: Sequence[Bracket] = (),
    ragged: Ragged | None = None,
) -> list[Line]:
    """Draw `probes` into `width` x `height` cells: log η to the right, rounds from top to bottom.

    η* (last success) and the first failure above it are vertical lines, named in the row above the axis labels. Where
    there are more rounds than rows, neighbouring rounds share a row. `brackets` are drawn behind their rounds, `ragged`
    as a row of its own.
    """
    plot_width, plot_height = width - LEFT, height - 2 - (ragged is not None)
    probes = [probe for probe in probes if drawable(probe.eta)]
    eta_star, first_failure = (eta if drawable(eta) else None for eta in (eta_star, first_failure))
    if not probes or plot_width < 12 or plot_height < 2:
        words = "no room for this chart" if probes else "no trial yet: the search starts from the sharpness at init"
        return centred(words, width, height)
    low, high = eta_range(probes, eta_star, first_failure)
    first, last = min(probe.round for probe in probes), max(probe.round for probe in probes)
    rounds = last - first + 1
    per_row = math.ceil(rounds / plot_height)
    used = math.ceil(rounds / per_row)
    spread = min(plot_height // used, 2)  # few rounds stand apart, many stand close
    cells: list[list[Run]] = [[(" ", "")] * plot_width for _ in range(plot_height)]
    for bracket in brackets:
        row = cells[min((bracket.round - first) // per_row * spread, plot_height - 1)]
        start, stop = (eta_column(eta, low, high, plot_width) for eta in (bracket.low, bracket.high))
        row[start : stop + 1] = [("-" if ascii_only else "─", "axis")] * (stop + 1 - start)
    bar = "|" if ascii_only else "┆"
    lines = [(first_failure, "diverged"), (eta_star, "done")]
    for eta, role in lines:
        if eta is not None:
            for row in cells:
                row[eta_column(eta, low, high, plot_width)] = (bar, role)
    for probe in sorted(probes, key=lambda probe: probe.chosen):
        row_index = (probe.round - first) // per_row * spread
        cells[row_index][eta_column(probe.eta, low, high, plot_width)] = (
            probe.glyph,
            f"{probe.role}-chosen" if probe.chosen else probe.role,
        )
    axis = "|" if ascii_only else "│"
    out = []
    for row_index, row in enumerate(cells):
        shown = row_index % spread == 0 and row_index // spread < used
        name = f"r{first + row_index // spread * per_row}" if shown else ""
        out.append(merge([(f"{name:>{LEFT - 1}}{axis}", "axis"), *row]))
    if ragged is not None:
        out.append(_ragged_row(ragged, low, high, plot_width, ascii_only))
    out.append(_names(eta_star, first_failure, low, high, plot_width, width, ascii_only))
    out.append(eta_axis(low, high, plot_width, width))
    return out


def eta_range(probes: Sequence[Probe], *extra: float | None) -> tuple[float, float]:
    """The range of log10 η with a margin, at least half a decade wide."""
    known = [math.log10(probe.eta) for probe in probes]
    known += [math.log10(eta) for eta in extra if eta is not None and eta > 0]
    low, high = min(known), max(known)
    margin = max(0.05 * (high - low), (0.5 - (high - low)) / 2, 0.02)
    return low - margin, high + margin


def drawable(eta: float | None) -> bool:
    """Whether a rate has a place on a log axis."""
    return eta is not None and 0 < eta < math.inf


def eta_column(eta: float, low: float, high: float, width: int) -> int:
    """The cell of a rate among `width`, from 10^low to 10^high."""
    if not eta > 0:
        return 0
    share = (math.log10(eta) - low) / (high - low) if eta < math.inf else 1.0
    return min(max(round(share * (width - 1)), 0), width - 1)


def _ragged_row(ragged: Ragged, low: float, high: float, plot_width: int, ascii_only: bool) -> Line:
    """The zone as a shade, the area estimate as a mark on it."""
    row: list[Run] = [(" ", "")] * plot_width
    if ragged.plateau < ragged.last_success:
        start, stop = (eta_column(eta, low, high, plot_width) for eta in (ragged.plateau, ragged.last_success))
        row[start : stop + 1] = [(":" if ascii_only else "░", "zone")] * (stop + 1 - start)
    if ragged.area is not None:
        row[eta_column(ragged.area, low, high, plot_width)] = (CHART_SIGNS["area"][ascii_only], "value")
    return merge([(f"{'zone':>{LEFT - 1}}" + ("|" if ascii_only else "│"), "axis"), *row])


def _names(
    eta_star: float | None,
    first_failure: float | None,
    low: float,
    high: float,
    plot_width: int,
    width: int,
    ascii_only: bool,
) -> Line:
    """The words under the two vertical lines: η* ends at its line, the failure starts at its own."""
    left = right = ""
    text = [" "] * width
    at_star = at_failure = 0
    if eta_star is not None:
        left = "eta*" if ascii_only else "η*"
        at_star = LEFT + eta_column(eta_star, low, high, plot_width) - len(left) + 1
        text[at_star : at_star + len(left)] = left
    if first_failure is not None:
        right = "fails"
        at_failure = LEFT + eta_column(first_failure, low, high, plot_width)
        at_failure = min(max(at_failure, at_star + len(left) + 1 if left else 0), width - len(right))
        if not left or at_failure > at_star + len(left):
            text[at_failure : at_failure + len(right)] = right
    return line("".join(text)[:width], "axis")


def eta_axis(low: float, high: float, plot_width: int, width: int) -> Line:
    """Labels of 1, 2 and 5 times powers of ten, as many as there is room for."""
    first, last = max(math.floor(low), -307), min(math.ceil(high), 308)
    decades = [10.0**k for k in range(first, last + 1)]
    steps = (1.0,) if high - low > 2.5 else (1.0, 2.0, 5.0)
    text = [" "] * width
    free = 0
    for value in [decade * step for decade in decades for step in steps]:
        if not (value < math.inf and low <= math.log10(value) <= high):
            continue
        name = ticks.label(value)
        at = LEFT + eta_column(value, low, high, plot_width) - (len(name) - 1) // 2
        if at >= free and at + len(name) <= width:
            text[at : at + len(name)] = name
            free = at + len(name) + 1
    return line("".join(text), "axis")
