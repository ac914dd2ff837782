"""Two sweeps side by side as a report: what differs in their settings, what in their results, what one of them lacks.

Cells are the same where they agree in depth, width and every other axis that varies within one of the sweeps. What does
not vary in either, such as the loss of two sweeps of one loss each, is what the comparison is about.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, hypot, isnan, log, sqrt
from statistics import fmean, stdev
from typing import Any

from mlrtui.analysis.fits import t_quantile
from mlrtui.errors import BadInput
from mlrtui.figures.forest import condition_of, name_of
from mlrtui.figures.kinds import FIGURES, Asked, Loaded, view_rows
from mlrtui.figures.optima import best_rates
from mlrtui.figures.rows import Row, number, text_of
from mlrtui.reporting.blocks import Block, Cell, Download, Folded, Picture, Report, Section, Table, Text
from mlrtui.reporting.content import flat, geometric_cell, spec_of
from mlrtui.text.numbers import exact, power
from mlrtui.text.phrases import quantity
from mlrtui_db.axes import AXIS, SIZES, axis_values
from mlrtui_db.models import SweepRow
from mlrtui_db.own import own_values
from mlrtui_db.reader import Reader

__all__ = ["Side", "compared"]

_FIGURES = {"search": ("eta-star", "transfer", "exponents"), "scan": ("transfer", "onsets")}
_VIEWS = {"search": ("eta_star", "exponents"), "scan": ("phases", "onsets")}
_FOLD = 12  # so many lines of settings are shown at once


@dataclass(frozen=True)
class Side:
    """One of the two sweeps."""

    name: str  # as it is shown: with its store where both have one name
    reader: Reader
    sweep: SweepRow
    csv: Callable[[str, str], tuple[str, int]]  # the CSV of a view of a sweep, and its number of rows


@dataclass(frozen=True)
class Shared:
    """A cell that both have: its nets there and here."""

    label: str
    nets: tuple[Sequence[Row], Sequence[Row]]

    @property
    def ratio(self) -> float | None:
        """ln of the second's mean over the first's; None where one of them has none."""
        means = [_mean(nets) for nets in self.nets]
        return None if means[0] is None or means[1] is None else means[1] - means[0]


def compared(first: Side, second: Side, intro: str) -> Report:
    """Two sweeps side by side.

    Raises:
        BadInput: a recorded run, or a search and a scan.
        StoreError: a store cannot be read.
    """
    sides = first, second
    for side in sides:
        if side.sweep.mode not in _FIGURES:
            raise BadInput(f"{side.name!r} is a {side.sweep.mode} run, which has no grid to compare")
    if first.sweep.mode != second.sweep.mode:
        raise BadInput(
            f"{first.name!r} is a {first.sweep.mode} and {second.name!r} a {second.sweep.mode}: compare two of a kind"
        )
    shared, alone = _matched(sides)
    sections = (
        Section("In short", tuple(_short(sides, shared, alone))),
        Section("Settings that differ", tuple(_settings(sides))),
        Section("Figures", tuple(_figures(sides))),
        Section("Cell by cell", tuple(_cells(sides, shared))),
        *((Section("Exponents", tuple(_exponents(sides))),) if first.sweep.mode == "search" else ()),
        Section("What is missing", tuple(_missing(sides, shared, alone))),
    )
    return Report(f"{first.name} and {second.name}", intro, sections)


def _what(side: Side) -> str:
    return "η*" if side.sweep.mode == "search" else "η of the lowest final loss"


def _nets(side: Side) -> list[Row]:
    if side.sweep.mode == "search":
        return view_rows(side.reader, "eta_star", [side.sweep])
    return best_rates(view_rows(side.reader, "phases", [side.sweep]))


def _mean(nets: Sequence[Row]) -> float | None:
    """Of ln η* over a cell's nets; None where one of them is censored or not done."""
    values = [number(row, "eta_star") for row in nets]
    if not nets or any(text_of(row, "censored") for row in nets) or not all(value > 0 for value in values):
        return None
    return fmean(map(log, values))


def _matched(sides: tuple[Side, Side]) -> tuple[list[Shared], list[list[str]]]:
    """The cells that both have, and the labels of those that only one has."""
    rows = _nets(sides[0]), _nets(sides[1])
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


def _short(sides: tuple[Side, Side], shared: Sequence[Shared], alone: Sequence[Sequence[str]]) -> Iterator[Block]:
    ratios = [one.ratio for one in shared if one.ratio is not None]
    what, names = _what(sides[0]), [side.name for side in sides]
    if ratios:
        ends = _interval_of_mean(ratios)
        yield Text(
            f"{what} of {names[1]} is {exact(exp(fmean(ratios)), 3)} times that of {names[0]}{ends}: geometric mean "
            f"over {len(ratios)} shared cells, from {exact(exp(min(ratios)), 3)} to {exact(exp(max(ratios)), 3)}.",
            "answer",
        )
    else:
        yield Text(f"No cell has a value of {what} in both sweeps.", "answer")
    if left := len(shared) - len(ratios):
        yield Text(
            f"{left} of {len(shared)} shared cells have a net that is censored or not done, and so no ratio.", "warning"
        )
    for place in (0, 1):
        if alone[place]:
            yield Text(f"{len(alone[place])} cells are in {names[place]} only.", "warning")
        if sides[place].sweep.status != "done":
            yield Text(f"{names[place]} is not finished ({sides[place].sweep.status}).", "warning")
    first, second = (side.sweep for side in sides)
    rows: list[Sequence[Cell]] = [
        ("kind", first.mode, second.mode),
        ("status", first.status, second.status),
        ("cells", str(first.cells), str(second.cells)),
        ("nets", *(f"{one.nets_done} of {one.nets} done" for one in (first, second))),
        (
            "trainings",
            *(f"{one.trials_done} of {one.trials} done, {one.trials_failed} failed" for one in (first, second)),
        ),
    ]
    stores = [str(side.reader.path.name) for side in sides]
    if stores[0] != stores[1]:
        rows.append(("store", *stores))
    yield Table("The two sweeps", ("", *names), rows, sortable=False)


def _interval_of_mean(ratios: Sequence[float]) -> str:
    if len(ratios) < 3:
        return ""
    mean, half = fmean(ratios), t_quantile(len(ratios) - 1) * stdev(ratios) / sqrt(len(ratios))
    return f" [{exact(exp(mean - half), 3)}, {exact(exp(mean + half), 3)}], 95 % over cells"


def _settings(sides: tuple[Side, Side]) -> Iterator[Block]:
    specs = [dict(flat("", spec_of(side.sweep))) for side in sides]
    keys = [key for key in dict.fromkeys([*specs[0], *specs[1]]) if key != "sweep.name"]
    differ = [key for key in keys if specs[0].get(key) != specs[1].get(key)]
    if not differ:
        yield Text("None: both sweeps have the same settings.")
        return
    rows = [(key, *(_setting(spec, key) for spec in specs)) for key in differ]
    table = Table("Settings that differ", ("key", *(side.name for side in sides)), rows)
    yield table if len(rows) <= _FOLD else Folded(f"{len(rows)} settings differ", (table,))


def _setting(spec: Mapping[str, Any], key: str) -> str:
    return json.dumps(spec[key], ensure_ascii=False) if key in spec else "not set"


def _named(side: Side, rows: Sequence[Row]) -> list[Row]:
    """Rows under the name by which the sweep is shown."""
    return [{**row, "sweep": side.name} for row in rows]


def _joined(first: Any, second: Any, sides: tuple[Side, Side]) -> Any:
    """What a figure draws of both: lists one after the other, tables of sizes together."""
    if isinstance(first, tuple):
        return tuple(_joined(a, b, sides) for a, b in zip(first, second, strict=True))
    if isinstance(first, dict):
        return first | second
    return _named(sides[0], first) + _named(sides[1], second)


def _figures(sides: tuple[Side, Side]) -> Iterator[Block]:
    asked = Asked()
    for kind in _FIGURES[sides[0].sweep.mode]:
        figure = FIGURES[kind]
        loads = [figure.load(side.reader, [side.sweep], asked) for side in sides]
        data = _joined(loads[0].data, loads[1].data, sides)
        notes = "".join(f" {note}." for one in loads for note in one.notes)
        loaded = Loaded(data, rows=sum(one.rows for one in loads))
        yield Picture(kind, loaded, asked, f"{kind}: {figure.text}; both sweeps.{notes}")


def _cells(sides: tuple[Side, Side], shared: Sequence[Shared]) -> Iterator[Block]:
    rows = []
    for one in shared:
        ratio = one.ratio
        rows.append((
            one.label, *(geometric_cell(nets) for nets in one.nets), None if ratio is None else exp(ratio),
            *(_spread(nets) for nets in one.nets), " and ".join(str(len(nets)) for nets in one.nets),
        ))  # fmt: skip
    names = [side.name for side in sides]
    heads = ("cell", *(f"{_what(sides[0])}, {name}" for name in names), "ratio",
             *(f"sd of ln, {name}" for name in names), "nets")  # fmt: skip
    if not rows:
        yield Text("The sweeps have no cell in common.", "warning")
        return
    yield Table("Cells of both sweeps (geometric means over seeds; ratio: second over first)", heads, rows)
    for place, side in enumerate(sides):
        for view in _VIEWS[side.sweep.mode]:
            yield Download(f"{'ab'[place]}-{view}.csv", *side.csv(view, side.sweep.name))


def _spread(nets: Sequence[Row]) -> float | None:
    logs = [log(number(row, "eta_star")) for row in nets if number(row, "eta_star") > 0]
    return None if len(logs) < 2 or _mean(nets) is None else stdev(logs)


def _exponents(sides: tuple[Side, Side]) -> Iterator[Block]:
    found = [
        {(text_of(row, "y"), name_of(row, quantities=False), condition_of(row)): row for row in its}
        for its in (view_rows(side.reader, "exponents", [side.sweep]) for side in sides)
    ]
    keys = list(dict.fromkeys([*found[0], *found[1]]))
    if not keys:
        yield Text("Neither sweep has a fit yet.", "warning")
        return
    rows = []
    for y, term, condition in keys:
        pair = [its.get((y, term, condition)) for its in found]
        rows.append((quantity(y), term, condition or "all cells", *(_exponent(row) for row in pair), _agreement(pair)))
    heads = ("of", "on", "where", *(side.name for side in sides), "do they agree")
    yield Table("Exponents with 95 % intervals", heads, rows)
    yield Text(
        "Two exponents agree where 0 lies in the interval of their difference, whose half-width is the root of the sum "
        "of both half-widths squared. The fits are those of each sweep over its own cells."
    )


def _exponent(row: Row | None) -> str:
    if row is None:
        return "no such fit"
    low, high, value = (number(row, name) for name in ("low", "high", "exponent"))
    if isnan(value):
        return "no exponent"
    ends = "no interval" if isnan(low) or isnan(high) else _ends(low, high)
    return f"{power(value)} {ends}, {exact(number(row, 'cells'))} cells"


def _ends(low: float, high: float) -> str:
    return f"[{power(low)}, {power(high)}]"


def _agreement(pair: Sequence[Row | None]) -> str:
    if pair[0] is None or pair[1] is None:
        return "–"
    values = [number(row, "exponent") for row in pair if row is not None]
    halves = [(number(row, "high") - number(row, "low")) / 2 for row in pair if row is not None]
    if any(map(isnan, [*values, *halves])):
        return "not decided: no interval"
    difference, half = values[1] - values[0], hypot(*halves)
    ends = _ends(difference - half, difference + half)
    return f"{'yes' if abs(difference) <= half else 'no'}, differ by {power(difference, signed=True)} {ends}"


def _missing(sides: tuple[Side, Side], shared: Sequence[Shared], alone: Sequence[Sequence[str]]) -> Iterator[Block]:
    rows: list[Sequence[Cell]] = [(label, "there", "not there") for label in alone[0]]
    rows += [(label, "not there", "there") for label in alone[1]]
    for one in shared:
        states = [_state(nets) for nets in one.nets]
        if states != ["", ""]:
            rows.append((one.label, *(state or "complete" for state in states)))
        seeds = [{text_of(row, "seed") for row in nets} for nets in one.nets]
        if seeds[0] != seeds[1]:
            rows.append((f"{one.label}: seeds", *(", ".join(sorted(its, key=float)) for its in seeds)))
    if not rows:
        yield Text("Nothing: both have the same cells and seeds, each with a value.")
        return
    yield Table("Cells, nets and seeds that one of them lacks", ("cell", *(side.name for side in sides)), rows)


def _state(nets: Sequence[Row]) -> str:
    """Which nets have no value; "" where all have one."""
    censored = [text_of(row, "censored") for row in nets if text_of(row, "censored")]
    waiting = sum(not text_of(row, "censored") and not number(row, "eta_star") > 0 for row in nets)
    names = {"at_max": "succeed at every rate", "at_min": "at the lowest rate", "none": "succeed at no rate"}
    parts = [f"{censored.count(kind)} {names.get(kind, kind)}" for kind in dict.fromkeys(censored)]
    if waiting:
        parts.append(f"{waiting} not done")
    return f"of {len(nets)} nets: {', '.join(parts)}" if parts else ""
