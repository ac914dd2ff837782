"""Certificates of transfer from stored sweeps: what `mlrtui certify` prints and `Store.certify` gives."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import exp, log
from statistics import median

from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.prediction import LEVEL, Refusal
from mlrtui.analysis.transfer import FACTOR, Certificate, LayerTrend, Measured, certify, trends
from mlrtui.errors import BadInput
from mlrtui.figures.rows import Row, by_net, number, text_of, view_rows
from mlrtui.figures.trainings import LOST
from mlrtui.reading.fitting import chosen
from mlrtui.reading.predicting import cell_points, grouped_where, net_rows
from mlrtui.text.numbers import exact
from mlrtui_db.axes import SIZES
from mlrtui_db.models import SweepRow
from mlrtui_db.reader import Reader

__all__ = ["ALIKE", "certificates", "finished_cells", "measured_of", "refuse_factor", "what_of"]

ALIKE = 1.25
"""Trainings at rates within this factor stand for one rate, where rates are no list."""


_BOUNDS = {"at_max": "at least", "at_min": "at most"}


def what_of(row: SweepRow) -> str:
    """What the rate of a sweep is."""
    return "η*" if row.mode == "search" else "best rate"


def refuse_factor(factor: float, option: Callable[[str], str] = "--{}".format) -> None:
    """Raise BadInput for a factor that a rate cannot stay within."""
    if not 1.0 < factor <= 1000.0:
        raise BadInput(f"{option('within')} {exact(factor)}: use a factor above 1, such as 2")


def certificates(
    reader: Reader,
    names: Sequence[str],
    target: Mapping[str, int],
    where: str = "",
    level: float = LEVEL,
    factor: float = FACTOR,
    option: Callable[[str], str] = "--{}".format,
) -> dict[tuple[str, str], Certificate | Refusal]:
    """One for every group of cells that agree in all but their sizes, by sweep and by the group's condition.

    Raises:
        BadInput: an unknown name, a recorded run, a condition that cannot be read or holds for no cell, or no sweep to
            speak of.
    """
    rows = chosen(reader, names)
    if names and (runs := [row for row in rows if row.mode == "recorded"]):
        raise BadInput(f"{runs[0].name!r}: a recorded run has one rate; name a search or a scan")
    if names and (maps := [row for row in rows if row.is_map]):
        raise BadInput(f"{maps[0].name!r}: a map has no grid of cells; name a search or a scan")
    rows = [row for row in rows if row.mode != "recorded" and not row.is_map]
    found: dict[tuple[str, str], Certificate | Refusal] = {}
    unread: list[BadInput] = []
    for row in rows:
        trials = view_rows(reader, "phases", row.name)
        try:
            groups = grouped_where(finished_cells(reader, row, trials), where, option)
        except BadInput as error:  # of a whole store some sweeps may lack an axis that the condition names
            if names:
                raise
            unread.append(error)
            continue
        if not groups:
            if names:
                said = f"{option('where')} {where!r}: no cell of {row.name!r} is left"
                raise BadInput(said if where.strip() else f"{row.name!r}: no cell of it is done yet")
            continue
        layers = view_rows(reader, "layers", row.name)
        for text, cells in groups.items():
            if not names and len(rows) > 1 and len(cells) < 2:
                continue  # a net that was trained to check another certificate
            found[row.name, text] = _certificate(row, cells, trials, layers, (target, level, factor))
    if len(unread) == len(rows) > 0:
        raise unread[0]
    if not found:
        raise BadInput(f"{reader.path}: no cell of its sweeps is left to speak of{f' ({where})' if where else ''}")
    return found


def measured_of(reader: Reader, row: SweepRow) -> Measured | None:
    """The rate of a sweep's only cell; None: it is not known of every net, not even as a bound to one side."""
    nets = net_rows(reader, row)
    rates = [number(net, "eta_star") for net in nets]
    kinds = {text_of(net, "censored") for net in nets} - {""}
    if not rates or not all(rate > 0 for rate in rates) or len(kinds) > 1 or not kinds <= _BOUNDS.keys():
        return None
    return Measured(exp(sum(map(log, rates)) / len(rates)), "".join(map(_BOUNDS.__getitem__, kinds)))


def finished_cells(reader: Reader, row: SweepRow, trials: Sequence[Row] | None = None) -> list[CellPoint]:
    """The cells of a sweep; of a scan those that are done, since a best rate is the best of all rates.

    ``trials``: as in `net_rows`.
    """
    cells = cell_points(reader, row, trials)
    if row.mode == "search":
        return cells
    at_work = {text_of(one, "cell") for one in view_rows(reader, "grid", row.name) if one["nets_done"] != one["nets"]}
    return [cell for cell in cells if cell.label not in at_work]


def _certificate(
    row: SweepRow,
    cells: Sequence[CellPoint],
    trials: Sequence[Row],
    layers: Sequence[Row],
    asked: tuple[Mapping[str, int], float, float],
) -> Certificate | Refusal:
    (target, level, factor), labels = asked, {cell.label for cell in cells}
    sizes = {name: float(value) for name, value in target.items()}
    its = [one for one in trials if text_of(one, "cell") in labels]
    resolution = 0.0 if row.mode == "search" else _resolution(its)
    about = partial(certify, cells, sizes, what=what_of(row), level=level, factor=factor, resolution=resolution)
    plain = about()
    if isinstance(plain, Refusal):
        return plain
    (other,) = (name for name in SIZES if name != plain.along)
    beside = {cell.label for cell in cells if float(cell.values[other]) == plain.target[other]}
    near = [one for one in its if text_of(one, "cell") in beside and text_of(one, "verdict") != "failed"]
    moved = _trends(layers, _at_rate(near, plain.base_value, resolution), plain.along)
    lost: list[str] = []
    if row.mode == "scan":  # η* is an edge: beside it nets differ
        # a mean lies between rates: one above it may diverge where the mean does not
        below = [one for one in near if number(one, "eta") <= plain.base_value * (1.0 + 1e-9)]
        lost = _lost(_at_rate(below, plain.base_value, resolution))
    return about(moved, lost=lost)


def _resolution(trials: Sequence[Row]) -> float:
    """Width of a step between the rates of a list, in ln η."""
    steps = []
    for its in by_net(trials).values():
        tried = sorted({number(one, "eta") for one in its})
        steps += [log(after / before) for before, after in itertools.pairwise(tried) if before > 0]
    return median(steps) if steps else 0.0


def _at_rate(trials: Sequence[Row], rate: float, resolution: float) -> list[Row]:
    """Of each net the training nearest to a rate, if it is near enough."""
    found = []
    for its in by_net(trials).values():
        tried = [one for one in its if number(one, "eta") > 0]
        nearest = min(tried, key=lambda one: abs(log(number(one, "eta") / rate)), default=None)
        if nearest is not None and abs(log(number(nearest, "eta") / rate)) <= max(resolution, log(ALIKE)) + 1e-9:
            found.append(nearest)
    return found


def _lost(trials: Sequence[Row]) -> list[str]:
    """Cells most of whose nets diverge there."""
    by_cell: dict[str, list[bool]] = {}
    for one in trials:
        gone = text_of(one, "phase") in LOST or text_of(one, "verdict") in ("diverged", "dead")
        by_cell.setdefault(text_of(one, "cell"), []).append(gone)
    return [cell for cell, gone in by_cell.items() if sum(gone) * 2 > len(gone)]


def _trends(layers: Sequence[Row], trials: Sequence[Row], along: str) -> tuple[LayerTrend, ...]:
    """At the last step that every one of the trials has."""
    ids = {one["trial_id"] for one in trials}
    its = [row for row in layers if row["trial_id"] in ids]
    last: dict[object, int] = {}
    for row in its:
        last[row["trial_id"]] = max(int(number(row, "step")), last.get(row["trial_id"], 0))
    step = min(last.values(), default=0)
    return trends([row for row in its if number(row, "step") == step], along) if step else ()
