"""A sweep as a section of a report: the answer first, then what is wrong with it, then everything it rests on."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import isnan
from typing import Any

from pydantic import ValidationError

from mlrtui.analysis.exclusions import left_out
from mlrtui.config import read_sweep
from mlrtui.errors import BadInput
from mlrtui.figures.forest import condition_of, name_of
from mlrtui.figures.kinds import FIGURES, Asked, Loaded, view_rows
from mlrtui.figures.laws import PRODUCT, Law, laws, words
from mlrtui.figures.predictions import band
from mlrtui.figures.predictions import words as words_of
from mlrtui.figures.rows import Row, number, text_of
from mlrtui.figures.success_maps import read_maps
from mlrtui.figures.success_maps import words as words_of_map
from mlrtui.reading.comparing import flat, geometric_cell, spec_of
from mlrtui.reporting.blocks import Block, Code, Download, Folded, Picture, Section, Table, Text
from mlrtui.text.numbers import counted, decades, exact, interval, moment, power, r_squared, span
from mlrtui.text.phrases import quantity
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = ["Csv", "section", "sweep_file"]

Csv = Callable[[str, str], tuple[str, int]]
"""The CSV of a view of a sweep, and its number of rows."""

_FIGURES = {
    "search": ("eta-star", "exponents", "boundary"),
    "scan": ("catapult", "sharpness", "phases"),
    "map": ("map",),
}
_VIEWS = {
    "search": ("eta_star", "boundaries", "exponents"),
    "scan": ("phases", "onsets"),
    "map": ("maps",),
    "recorded": ("phases",),
}
_KINDS = {"search": "search for η*", "scan": "scan of rates", "recorded": "recorded run", "map": "map"}
_EVENTS = 200
_MOST_NETS_DRAWN = 40
_MOST_POINTS = 5000


def section(reader: Reader, sweep: SweepRow, csv: Csv) -> Section:
    """All that a store has of a sweep, in the order in which a reader asks.

    Raises:
        StoreError: the store cannot be read.
    """
    kind = _kind(sweep)
    blocks: list[Block] = [Text(_question(sweep)), *_annotations(sweep)]
    if kind == "search":
        rows = view_rows(reader, "eta_star", [sweep])
        found = _laws(rows)
        blocks += [Text(text, "answer") for text in _law_answers(found)]
        blocks += [Text(text, "warning") for text in _doubts(rows, found)]
        blocks += [Text(f"{_group(law)}{words_of(band(law.cells, PRODUCT))}.") for law in found]
    elif kind == "map":
        blocks += [
            Text("; ".join(text.strip() for text in words_of_map(one)) + ".", "answer")
            for one in read_maps(reader, sweep)
        ]
    elif kind == "scan":
        rows = view_rows(reader, "onsets", [sweep])
        blocks += [Text(text, "answer") for text in _onset_answers(rows)]
    blocks += [Text(text, "warning") for text in _trouble(reader, sweep)]
    blocks.append(_facts(sweep))
    blocks += _pictures(reader, sweep)
    if kind == "search":
        blocks += [_heat(law, rows, len(found) > 1) for law in found]
        blocks += _exponents(view_rows(reader, "exponents", [sweep]))
        blocks.append(Folded("Every net", (_nets(rows),)))
    elif kind == "scan":
        blocks.append(_onsets(rows))
        blocks.append(Folded("Every training", (_trainings(view_rows(reader, "phases", [sweep])),)))
    blocks.append(Folded("Settings", (_settings(sweep),)))
    blocks.append(Folded("Where it ran", (_machines(reader, sweep),)))
    blocks.append(Folded("Events", (_events(reader, sweep),)))
    blocks += _repeat(sweep)
    if kind == "map" and sweep.trials > _MOST_POINTS:
        blocks.append(
            Text(f"{sweep.trials} trainings are too many for a page: `mlrtui export --view maps` writes them.")
        )
    else:
        blocks += [Download(f"{view}.csv", *csv(view, sweep.name)) for view in _VIEWS[kind]]
    return Section(sweep.name, tuple(blocks))


def _kind(sweep: SweepRow) -> str:
    """Its mode, or "map": thousands of trainings that are no table for people."""
    return "map" if sweep.is_map else sweep.mode


def _question(sweep: SweepRow) -> str:
    """What the sweep asks."""
    if sweep.is_map:
        return f"Question: where does training succeed, over the learning rate and {spec_of(sweep)['map']['axis']}?"
    if sweep.mode == "recorded":
        return "A training of the user's own, recorded while it ran."
    if sweep.mode == "scan":
        return "Question: what does training at each of these learning rates do to the loss and to the sharpness λ?"
    search, training = (spec_of(sweep).get(name) for name in ("search", "training"))
    threshold = search.get("threshold") if isinstance(search, dict) else None
    epochs = training.get("epochs") if isinstance(training, dict) else None
    if isinstance(epochs, list) and len(epochs) == 1:
        (epochs,) = epochs
    within = f" within {exact(epochs)} epochs" if isinstance(epochs, int | float) else ""
    if not isinstance(threshold, int | float):
        return f"Question: up to which learning rate does each net train{within}?"
    return f"Question: up to which constant learning rate does each net reach accuracy {exact(threshold)}{within}?"


def _laws(rows: Sequence[Row]) -> list[Law]:
    try:
        return laws(rows)
    except BadInput:
        return []


def _law_answers(found: Sequence[Law]) -> Iterator[str]:
    for law in found:
        result = law.result
        group = _group(law)
        if not result.terms:
            yield f"{group}no law: {'; '.join(result.warnings) or 'too few cells'}."
            continue
        r2 = "" if isnan(result.r2) else f", {r_squared(result.r2)}"
        yield f"{group}η* {words(law)}{r2}, {counted(result.cells, 'cell')} over {decades(result.decades)}."


def _onset_answers(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows[:6]:
        rises, below = number(row, "c_loss"), number(row, "c_loss_above")
        lasts, above = number(row, "c_max"), number(row, "c_max_below")
        parts = []
        if not isnan(rises):
            after = "" if isnan(below) else f" (not at {exact(below, 3)})"
            parts.append(f"the loss rises from η·λ₀ = {exact(rises, 3)}{after}")
        if not isnan(lasts):
            end = "the largest that was tried" if isnan(above) else f"not at {exact(above, 3)}"
            parts.append(f"training survives up to η·λ₀ = {exact(lasts, 3)} ({end})")
        if parts:
            yield f"{text_of(row, 'cell')}, seed {text_of(row, 'seed')}: {' and '.join(parts)}."
    if len(rows) > 6:
        yield f"{len(rows) - 6} more nets are in the table of onsets."


def _doubts(rows: Sequence[Row], found: Sequence[Law]) -> Iterator[str]:
    censored = [text_of(row, "censored") for row in rows if text_of(row, "censored")]
    if censored:
        names = {"at_max": "succeed at every rate", "at_min": "fail at every rate", "none": "succeed at no rate"}
        kinds = ", ".join(f"{censored.count(kind)} {names.get(kind, kind)}" for kind in dict.fromkeys(censored))
        yield f"{len(censored)} of {counted(len(rows), 'net')} censored: {kinds}. Their cells are left out of the fits."
    ragged = sum(number(row, "first_failure") < number(row, "eta_last") for row in rows)
    if ragged:
        where = f"{ragged} of {counted(len(rows), 'net')}"
        yield f"The edge is ragged in {where}: rates fail below the largest that succeeds."
    for law in found:
        term = law.result.terms[0] if law.result.terms else None
        if term and term.low is not None and term.high is not None and term.low <= 0.0 <= term.high:
            yield f"{_group(law)}the interval of the exponent contains 0."
        if law.result.terms and law.result.warnings:
            yield f"{_group(law)}{'; '.join(law.result.warnings)}."


def _group(law: Law) -> str:
    return f"{law.name}: " if law.name else ""


def _trouble(reader: Reader, sweep: SweepRow) -> Iterator[str]:
    if sweep.status != "done":
        yield f"The sweep is not finished ({sweep.status}): {sweep.nets_done} of {counted(sweep.nets, 'net')} done."
    if sweep.trials_failed:
        failed = counted(sweep.trials_failed, "training")
        yield f"{failed} failed because of the machine; to repeat: `mlrtui rerun --failed`."
    if sweep.repeatable == 0:
        yield "The first training, run twice, gave other numbers: it is not repeatable."
    if reader.stood_in:
        yield "The store is of another version; what it lacks is stood in for."


def _facts(sweep: SweepRow) -> Table:
    end = sweep.finished_at
    rows = [
        ("kind", _KINDS[_kind(sweep)]),
        ("status", sweep.status),
        ("cells", str(sweep.cells)),
        ("nets", f"{sweep.nets_done} of {sweep.nets} done"),
        ("trainings", f"{sweep.trials_done} of {sweep.trials} done, {sweep.trials_failed} failed"),
        ("time from start to end", span(end - sweep.created_at) if end else "not finished"),
    ]
    return Table("In short", ("", ""), rows, sortable=False)


def _pictures(reader: Reader, sweep: SweepRow) -> Iterator[Block]:
    loads: dict[object, Loaded] = {}  # what two figures are drawn from is read once
    for kind in _FIGURES.get(_kind(sweep), ()):
        if kind == "boundary" and sweep.nets > _MOST_NETS_DRAWN:
            yield Text(f"{sweep.nets} nets are too many for a figure of every rate: `mlrtui plot boundary --where …`.")
            continue
        figure, asked = FIGURES[kind], Asked(predicted=kind == "eta-star")
        if figure.load not in loads:
            loads[figure.load] = figure.load(reader, [sweep], asked)
        loaded = loads[figure.load]
        notes = "".join(f" It {note}." for note in loaded.notes)
        picture = Picture(kind, loaded, asked, f"{kind}: {figure.text}.{notes}")
        yield Folded("Every rate that was tried", (picture,)) if kind == "boundary" else picture


def _heat(law: Law, rows: Sequence[Row], named: bool) -> Table:
    """η* by depth and width; a cell with a censored net shows its bound and never the mean of the others."""
    labels = {text.partition(": ")[0] for text in law.result.excluded} | {label for label, _, _ in law.result.inputs}
    cells: dict[tuple[float, float], list[Row]] = {}
    for row in rows:
        if text_of(row, "cell") in labels and not isnan(number(row, "depth")):
            cells.setdefault((number(row, "depth"), number(row, "width")), []).append(row)
    widths = sorted({width for _, width in cells})
    shown = [
        [exact(depth), *(geometric_cell(cells.get((depth, width), ())) for width in widths)]
        for depth in sorted({depth for depth, _ in cells})
    ]
    group = f", {law.name}" if named and law.name else ""
    heads = ("depth \\ width", *map(exact, widths))
    return Table(f"η* by depth and width (geometric mean over seeds){group}", heads, shown, sortable=False)


def _exponents(rows: Sequence[Row]) -> Iterator[Block]:
    if not rows:
        return
    lines = []
    left = []
    for row in rows:
        excluded = json.loads(text_of(row, "excluded") or "[]")
        censored = sum(str(text).endswith(": censored") for text in excluded)
        ends = interval(_or_none(row, "low"), _or_none(row, "high")) or "none"
        short = ", ".join(filter(None, (f"{censored} censored" if censored else "", _others(len(excluded) - censored))))
        lines.append(
            (
                quantity(text_of(row, "y")), name_of(row, quantities=False), condition_of(row) or "all cells",
                power(number(row, "exponent")), ends, _or_none(row, "r2"), _or_none(row, "cells"), short or "none",
            )
        )  # fmt: skip
        if excluded:
            left.append(f"{text_of(row, 'fit')}: {left_out([str(text) for text in excluded])}")
    heads = ("of", "on", "where", "exponent", "95 % interval", "R²", "cells", "left out")
    yield Table("Exponents", heads, lines)
    if left:
        yield Folded("Cells that the fits leave out", tuple(Text(text) for text in dict.fromkeys(left)))


def _others(count: int) -> str:
    return f"{count} other" if count else ""


def _or_none(row: Row, name: str) -> float | None:
    value = number(row, name)
    return None if isnan(value) else value


def _columns(caption: str, rows: Sequence[Row], names: Mapping[str, str]) -> Table:
    return Table(caption, tuple(names.values()), [[_cell(row.get(name)) for name in names] for row in rows])


def _cell(value: object) -> str | float | int | None:
    return value if isinstance(value, str | float | int) or value is None else str(value)


def _nets(rows: Sequence[Row]) -> Table:
    names = {
        "cell": "cell", "seed": "seed", "eta_star": "η*", "eta_star_se": "± (ln)", "eta_last": "largest success",
        "first_failure": "first failure", "censored": "censored", "lambda0": "λ₀", "eta_star_lambda0": "η*·λ₀",
        "trials": "trainings", "status": "status", "reason": "why",
    }  # fmt: skip
    return _columns("Every net of the search", rows, names)


def _onsets(rows: Sequence[Row]) -> Table:
    names = {"cell": "cell", "seed": "seed", "c_loss": "loss rises", "c_sharp": "λ rises", "c_max": "largest survivor"}
    return _columns("Onsets, in units of η·λ₀", rows, names)


def _trainings(rows: Sequence[Row]) -> Table:
    names = {
        "cell": "cell", "seed": "seed", "eta": "η", "eta_lambda0": "η·λ₀", "phase": "phase", "verdict": "verdict",
        "peak_ratio": "peak L/L₀", "peak_step": "at step", "loss_final": "final loss",
        "eta_final_sharpness": "η·λ at the end", "phase_reason": "rule",
    }  # fmt: skip
    return _columns("Every training of the scan", rows, names)


def _settings(sweep: SweepRow) -> Table:
    document = spec_of(sweep)
    rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in flat("", document)]
    return Table("Settings of the sweep", ("key", "value"), rows)


def _machines(reader: Reader, sweep: SweepRow) -> Table:
    rows = []
    for one in reader.machines(sweep.sweep_id):
        took = span(one.ended_at - one.started_at) if one.ended_at else "still runs"
        rows.append((one.host, one.device, one.trials, took, ", ".join(_versions(one.env))))
    heads = ("machine", "device", "trainings", "first start to last end", "versions")
    return Table("Machines of the newest attempts", heads, rows)


def _versions(env: str) -> Iterator[str]:
    try:
        found = json.loads(env)
    except ValueError:
        return
    yield from (f"{name} {value}" for name, value in found.items()) if isinstance(found, dict) else ()


def _events(reader: Reader, sweep: SweepRow) -> Table:
    found = [row for row in reader.log() if row.sweep_id == sweep.sweep_id][-_EVENTS:]
    start = sweep.created_at
    rows = [(span(max(row.at - start, 0.0)), row.level, row.text) for row in found]
    return Table(f"The newest {len(rows)} events", ("after", "level", "event"), rows, sortable=False)


def _annotations(sweep: SweepRow) -> Iterator[Block]:
    """What people wrote about the sweep."""
    if sweep.tags:
        yield Text(f"Tags: {', '.join(sweep.tags)}.")
    for note in sweep.notes:
        yield Text(f"Note of {moment(note.at)}: {note.text}")


def _repeat(sweep: SweepRow) -> Iterator[Block]:
    if sweep.mode == "recorded":
        yield Text("A recorded run is repeated by its own script.")
        return
    yield Folded("Sweep file", (Code(sweep_file(sweep)),))
    yield Text("To repeat it, save the sweep file above as sweep.toml:")
    yield Code("mlrtui run sweep.toml --store again.db")


def sweep_file(sweep: SweepRow) -> str:
    """A file that repeats a sweep: its stored settings, without what is left at its default."""
    with suppress(ValidationError):
        return _toml_of(read_sweep(sweep.spec).model_dump(mode="json", by_alias=True, exclude_defaults=True))
    return _toml_of(spec_of(sweep))  # of another version: as it is stored


def _toml_of(document: Mapping[str, Any]) -> str:
    """Stored settings as a sweep file: a table for each section, what is null left out."""
    lines: list[str] = []
    for name, table in document.items():
        if not isinstance(table, dict):
            if table:  # [[fit]] is a list of tables
                lines[:0] = [f"{name} = {_toml(table)}"]
            continue
        lines.append(f"[{name}]")
        for key, value in table.items():
            if value is not None:  # seeds = 3 are three seeds, seeds = [3] is one
                lines.append(f"{_key(key)} = {json.dumps(value) if key == 'seeds' else _toml(value)}")
        lines.append("")
    return "\n".join(lines).strip() + "\n"


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(k)} = {_toml(v)}' for k, v in value.items() if v is not None)} }}"
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict):
        return _toml(value[0])  # an axis of one value is written as the value
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
