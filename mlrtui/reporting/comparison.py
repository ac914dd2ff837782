"""Two sweeps side by side as a report: what differs in their settings and results, and what one of them lacks."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan, log
from statistics import stdev
from typing import Any

from mlrtui.errors import BadInput
from mlrtui.figures.forest import condition_of, name_of
from mlrtui.figures.kinds import FIGURES, Asked, Loaded, view_rows
from mlrtui.figures.rows import Row, number, text_of
from mlrtui.reading.comparing import (
    Shared,
    agreement,
    differing,
    flat,
    geometric_cell,
    lacking,
    ln_mean,
    matched,
    mean_ratio,
    spec_of,
)
from mlrtui.reading.predicting import net_rows
from mlrtui.reporting.blocks import Block, Cell, Download, Folded, Picture, Report, Section, Table, Text
from mlrtui.text.numbers import counted, exact, power
from mlrtui.text.phrases import quantity
from mlrtui_db.models import SweepRow
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
    shared, alone = matched((_nets(first), _nets(second)))
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
    return net_rows(side.reader, side.sweep)


def _short(sides: tuple[Side, Side], shared: Sequence[Shared], alone: Sequence[Sequence[str]]) -> Iterator[Block]:
    ratios = [one.ratio for one in shared if one.ratio is not None]
    what, names = _what(sides[0]), [side.name for side in sides]
    mean = mean_ratio(ratios)
    if mean is not None:
        between = "" if mean.low is None else f" [{exact(mean.low, 3)}, {exact(mean.high, 3)}], 95 % over cells"
        yield Text(
            f"{what} of {names[1]} is {exact(mean.value, 3)} times that of {names[0]}{between}: geometric mean "
            f"over {mean.cells} shared cells, from {exact(mean.smallest, 3)} to {exact(mean.largest, 3)}.",
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
            yield Text(f"in {names[place]} only: {counted(len(alone[place]), 'cell')}.", "warning")
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


def _settings(sides: tuple[Side, Side]) -> Iterator[Block]:
    specs = [dict(flat("", spec_of(side.sweep))) for side in sides]
    differ = differing(specs)
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
    return None if len(logs) < 2 or ln_mean(nets) is None else stdev(logs)


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
    return f"{power(value)} {ends}, {counted(int(number(row, 'cells')), 'cell')}"


def _ends(low: float, high: float) -> str:
    return f"[{power(low)}, {power(high)}]"


def _agreement(pair: Sequence[Row | None]) -> str:
    if pair[0] is None or pair[1] is None:
        return "–"
    found = agreement(pair[0], pair[1])
    if found is None:
        return "not decided: no interval"
    ends = _ends(found.difference - found.half, found.difference + found.half)
    return f"{'yes' if found.agree else 'no'}, differ by {power(found.difference, signed=True)} {ends}"


def _missing(sides: tuple[Side, Side], shared: Sequence[Shared], alone: Sequence[Sequence[str]]) -> Iterator[Block]:
    rows: list[Sequence[Cell]] = [(label, "there", "not there") for label in alone[0]]
    rows += [(label, "not there", "there") for label in alone[1]]
    for one in shared:
        states = [lacking(nets) for nets in one.nets]
        if states != ["", ""]:
            rows.append((one.label, *(state or "complete" for state in states)))
        seeds = [{text_of(row, "seed") for row in nets} for nets in one.nets]
        if seeds[0] != seeds[1]:
            rows.append((f"{one.label}: seeds", *(", ".join(sorted(its, key=float)) for its in seeds)))
    if not rows:
        yield Text("Nothing: both have the same cells and seeds, each with a value.")
        return
    yield Table("Cells, nets and seeds that one of them lacks", ("cell", *(side.name for side in sides)), rows)
