"""What marked sweeps have in common and what not: their fits, their exponents, ratios by cell. No widgets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp

from mlrtui.analysis.expressions import ExpressionError
from mlrtui.analysis.quantities import lacks
from mlrtui.figures.forest import condition_of, name_of
from mlrtui.figures.rows import text_of
from mlrtui.reading.comparing import (
    Agreement,
    MeanRatio,
    agreement,
    differing,
    flat,
    geometric_cell,
    lacking,
    matched,
    mean_ratio,
    spec_of,
)
from mlrtui.text.lines import clean
from mlrtui.text.numbers import counted, exact, power
from mlrtui.text.phrases import exponent, quantity, setting
from mlrtui.tui.compare.differences import LETTERS, Difference
from mlrtui.tui.exponents.fit import Choice, first_choice, fit_cells, stored
from mlrtui.tui.exponents.groups import Group
from mlrtui.tui.exponents.tables import fit_tables
from mlrtui.tui.state import ComparedSweep, headline
from mlrtui.tui.tables import Table, Value
from mlrtui_db.models import FitRow

__all__ = [
    "Exponent",
    "Laws",
    "Ratios",
    "agreement_text",
    "exponents_of",
    "laws",
    "names_of",
    "ratio_sentences",
    "ratios_of",
    "stored_choices",
    "sweep_result_rows",
    "sweep_setting_rows",
    "sweep_tables",
]


@dataclass(frozen=True)
class Laws:
    """One fit made over the cells of each sweep; a sweep whose cells do not know a name of it has none."""

    choice: Choice
    groups: tuple[Group, ...]
    lacking: tuple[str, ...] = ()  # letters of those without


@dataclass(frozen=True)
class Exponent:
    """A stored fitted term that at least one sweep has: its row in each, None where it has none."""

    y: str
    term: str
    where: str  # as people write it; "": all cells
    rows: tuple[FitRow | None, ...]


@dataclass(frozen=True)
class Ratio:
    """One sweep against the first in one cell; without a value, why."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Ratios:
    """Every cell of the first sweep, against each other sweep."""

    cells: tuple[tuple[str, str, tuple[Ratio, ...]], ...]  # label, the first's value, ratios
    means: tuple[MeanRatio | None, ...]
    alone: tuple[tuple[int, int], ...]  # cells of the first only, of the other only
    what: str  # η*, or in scans the rate of the lowest loss


def names_of(sweeps: Sequence[ComparedSweep]) -> tuple[str, ...]:
    """Of each sweep, with its store where two have one name."""
    names = [one.sweep.name for one in sweeps]
    return tuple(
        clean(name if names.count(name) == 1 else f"{name} ({one.store})")
        for name, one in zip(names, sweeps, strict=True)
    )


def stored_choices(sweeps: Sequence[ComparedSweep]) -> list[Choice]:
    """The stored fits of any of the sweeps, the main fit of the first that has one first."""
    ordered = sorted(sweeps, key=lambda one: not one.fits)  # a sweep without fits has no main one
    first = [first_choice(one.fits, one.sweep.mode == "search", one.page) for one in ordered[:1]]
    return list(dict.fromkeys([*first, *(choice for one in sweeps for choice in stored(one.fits, one.page))]))


def laws(sweeps: Sequence[ComparedSweep], choice: Choice) -> Laws:
    """The choice fitted over the cells of each sweep that has the quantity."""
    groups, without = [], []
    for order, one in enumerate(sweeps):
        if lacks(choice.y, one.sweep.mode):
            without.append(LETTERS[order])
            continue
        try:
            groups.append(Group(LETTERS[order], order, fit_cells(one.page, choice)))
        except ExpressionError:
            without.append(LETTERS[order])
    return Laws(choice, tuple(groups), tuple(without))


def exponents_of(sweeps: Sequence[ComparedSweep]) -> list[Exponent]:
    """The stored exponents, those of one quantity, term and condition together."""
    found: dict[tuple[str, str, str], list[FitRow | None]] = {}
    for place, one in enumerate(sweeps):
        for fit in one.fits:
            row = asdict(fit)
            key = text_of(row, "y"), name_of(row, quantities=False), condition_of(row)
            found.setdefault(key, [None] * len(sweeps))[place] = fit
    return [Exponent(quantity(y), term, where, tuple(rows)) for (y, term, where), rows in found.items()]


def agreement_text(first: FitRow | None, other: FitRow | None) -> str:
    """Whether two exponents differ, in words; "" where one of them is missing."""
    if first is None or other is None:
        return ""
    found: Agreement | None = agreement(asdict(first), asdict(other))
    if found is None:
        return "not decided: no interval"
    low, high = found.difference - found.half, found.difference + found.half
    verdict = "agree" if found.agree else "differ"
    return f"{verdict}: {power(found.difference, signed=True)} [{power(low)}, {power(high)}]"


def ratios_of(sweeps: Sequence[ComparedSweep]) -> Ratios:
    """η* of each cell over that of the first sweep."""
    first, *others = sweeps
    pairs = [matched((first.nets, other.nets)) for other in others]
    labels = dict.fromkeys(text_of(row, "cell") for row in first.nets)
    by_label = [{one.label: one for one in shared} for shared, _ in pairs]
    cells = []
    for label in labels:
        own = [row for row in first.nets if text_of(row, "cell") == label]
        found = []
        for order, known in enumerate(by_label, 1):
            one = known.get(label)
            ratio = None if one is None else one.ratio
            reason = "" if ratio is not None else "no such cell" if one is None else _reason(one.nets, order)
            found.append(Ratio(None if ratio is None else exp(ratio), reason))
        cells.append((clean(label), geometric_cell(own), tuple(found)))
    means = tuple(mean_ratio([one.ratio for one in shared if one.ratio is not None]) for shared, _ in pairs)
    kinds = {one.sweep.mode for one in sweeps}
    what = "η*" if kinds == {"search"} else "η of the lowest final loss" if kinds == {"scan"} else "η* or best η"
    return Ratios(tuple(cells), means, tuple((len(a), len(b)) for _, (a, b) in pairs), what)


def _reason(nets: Sequence[Sequence[Mapping[str, object]]], order: int) -> str:
    """Which of two sweeps has no value in a cell, and why."""
    parts = []
    for letter, its in zip((LETTERS[0], LETTERS[order]), nets, strict=True):
        if words := lacking(its):
            censored = any(text_of(row, "censored") for row in its)
            parts.append(f"{letter} {'censored' if censored else 'not done'}: {words}")
    return "; ".join(parts)


def ratio_sentences(ratios: Ratios) -> list[str]:
    """Each sweep against the first in one sentence, and how many cells have no ratio and why."""
    said = []
    for at, mean in enumerate(ratios.means):
        letter = LETTERS[at + 1]
        if mean is None:
            said.append(f"{letter}: no cell has a value of {ratios.what} in both")
        else:
            ends = "" if mean.low is None else f" [{exact(mean.low, 3)}, {exact(mean.high, 3)}]"
            said.append(
                f"{letter}: {ratios.what} is {exact(mean.value, 3)}{ends} times that of A: geometric mean over "
                f"{counted(mean.cells, 'cell')}, {exact(mean.smallest, 3)} to {exact(mean.largest, 3)}"
            )
        found = (row[2][at].reason for row in ratios.cells)
        reasons = [" and ".join(part.split(":")[0] for part in reason.split("; ")) for reason in found if ":" in reason]
        if reasons:
            counts = ", ".join(f"{reasons.count(reason)} {reason}" for reason in dict.fromkeys(reasons))
            said.append(f"{letter}: {counted(len(reasons), 'shared cell')} without a ratio: {counts}")
        here, there = ratios.alone[at]
        only = [f"{count} in {name} only" for count, name in ((here, "A"), (there, letter)) if count]
        if only:
            said.append(f"{letter}: cells {' and '.join(only)}")
    return said


def sweep_setting_rows(sweeps: Sequence[ComparedSweep]) -> list[Difference]:
    """Every setting of the sweep files by its whole key; what one of them lacks is "-"."""
    specs = [dict(flat("", spec_of(one.sweep))) for one in sweeps]
    names = dict.fromkeys(name for spec in specs for name in spec if name != "sweep.name")
    wanted = set(differing(specs)) if specs else set()
    ordered = sorted(names, key=lambda name: name not in wanted)
    return [Difference(name, tuple(setting(spec[name]) if name in spec else "-" for spec in specs)) for name in ordered]


def sweep_result_rows(sweeps: Sequence[ComparedSweep]) -> list[Difference]:
    """How far the sweeps are, and their main fits."""
    return [Difference(name, tuple(text(one) for one in sweeps)) for name, text in _RESULTS]


def _main(one: ComparedSweep) -> str:
    fit = headline(one.fits)
    return "-" if fit is None else f"{quantity(fit.y)} {exponent(fit)}"


_RESULTS: tuple[tuple[str, Callable[[ComparedSweep], str]], ...] = (
    ("kind", lambda one: one.sweep.mode),
    ("status", lambda one: one.sweep.status),
    ("store", lambda one: clean(one.store)),
    ("cells", lambda one: str(one.sweep.cells)),
    ("nets done", lambda one: f"{one.sweep.nets_done} of {one.sweep.nets}"),
    ("trainings done", lambda one: f"{one.sweep.trials_done} of {one.sweep.trials}, {one.sweep.trials_failed} failed"),
    ("main fit", _main),
)


def sweep_tables(sweeps: Sequence[ComparedSweep], made: Laws | None) -> tuple[Table, ...]:
    """Cells with their ratios, the cells of each sweep in the fit, exponents, settings."""
    if not sweeps:
        return ()
    letters = LETTERS[: len(sweeps)]
    ratios = ratios_of(sweeps)
    heads = ("cell", "A", *(f"{letter}_over_A" for letter in letters[1:]))
    reasons = tuple(f"{letter}_reason" for letter in letters[1:])
    rows = tuple(
        (label, own, *(one.value for one in found), *(one.reason for one in found))
        for label, own, found in ratios.cells
    )
    fits: list[tuple[Value, ...]] = []
    columns: tuple[str, ...] = ()
    for group in () if made is None else made.groups:
        cells = fit_tables(group.fit)[0]
        columns = ("sweep", *cells.columns)
        fits += [(group.value, *row) for row in cells.rows]
    terms = [
        (one.y, one.term, one.where, letter, *_numbers(row), agreement_text(one.rows[0], row) if at else "")
        for one in exponents_of(sweeps)
        for at, (letter, row) in enumerate(zip(letters, one.rows, strict=True))
    ]
    settings = [("sweep", *names_of(sweeps))]
    settings += [(row.name, *row.values) for row in (*sweep_setting_rows(sweeps), *sweep_result_rows(sweeps))]
    return (
        Table((*heads, *reasons), rows),
        Table(columns, tuple(fits), "cells"),
        Table(
            ("of", "on", "where", "sweep", "exponent", "low", "high", "cells", "against_A"), tuple(terms), "exponents"
        ),
        Table(("name", *letters), tuple(settings), "settings"),
    )


def _numbers(row: FitRow | None) -> tuple[Value, ...]:
    return (None,) * 4 if row is None else (row.exponent, row.low, row.high, row.cells)
