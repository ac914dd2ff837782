"""What the lower chart of Trial can draw: λ, the accuracy, the rates of a schedule, and every stored measure."""

import json

import numpy as np

from mlrtui.charts.spec import Floats, HLine
from mlrtui.text.numbers import number
from mlrtui.tui.curves import MeasureTrace, Trace
from mlrtui.tui.edges import rates_of
from mlrtui.tui.state import Reading, is_recorded
from mlrtui.tui.trial.forks import FORKS, fork_points

__all__ = [
    "ACCURACY",
    "RATE",
    "SHARPNESS",
    "beside",
    "chosen",
    "next_name",
    "others",
    "points_of",
    "quantities",
    "threshold_lines",
]

SHARPNESS, ACCURACY, RATE = "λ", "accuracy", "learning rate"


def quantities(reading: Reading) -> tuple[str, ...]:
    """Their names, in the order in which a key visits them."""
    trial, trace = reading.trial, reading.trace
    found = [] if is_recorded(reading) else [SHARPNESS]
    if trace is not None and trace.accuracies[0].size:
        found.append(ACCURACY)
    if trial is not None and trial.schedule is not None and RATE not in reading.measures:
        found.append(RATE)
    return (*found, *([FORKS] if reading.forks else []), *reading.measures)


def chosen(reading: Reading) -> str:
    """The one that is drawn: as wanted; else λ, or where it was not asked for along the trial the accuracy."""
    known, wanted = quantities(reading), reading.wanted.measure
    if wanted in known:
        return wanted
    if is_recorded(reading):
        return reading.measured.measure if reading.measured is not None else next(iter(known), "")
    trace = reading.trace
    has_curve = trace is not None and trace.sharpnesses[0].size > 1
    return ACCURACY if ACCURACY in known and not has_curve else SHARPNESS


def beside(reading: Reading) -> str:
    """The one that is drawn on the same axis, "" for none."""
    wanted = reading.wanted.beside
    return wanted if wanted in quantities(reading) and wanted != chosen(reading) else ""


def others(reading: Reading) -> list[str]:
    """Those that are not drawn, λ last."""
    rest = [name for name in quantities(reading) if name != chosen(reading)]
    return sorted(rest, key=lambda name: name == SHARPNESS)


def next_name(reading: Reading, second: bool = False) -> str:
    """What a key goes on to; as the second on the axis also "", for none."""
    known = [*quantities(reading)]
    if second:
        known = ["", *(name for name in known if name != chosen(reading))]
    now = beside(reading) if second else chosen(reading)
    return known[(known.index(now) + 1) % len(known)] if now in known else next(iter(known), "")


def points_of(reading: Reading, trace: Trace, name: str, measured: MeasureTrace | None) -> tuple[Floats, Floats]:
    """Steps and values [points] of one of them; of a measure its first part."""
    if name == ACCURACY:
        return trace.accuracies
    if name == FORKS:
        return fork_points(reading.forks)
    if name == RATE and measured is None and reading.trial is not None:
        rates = rates_of(reading.trial).over(trace.step.astype(np.float64))
        return trace.step.astype(np.float64), np.broadcast_to(np.asarray(rates), trace.step.shape)
    if measured is None or measured.measure != name:
        return trace.sharpnesses if name == SHARPNESS else (np.empty(0), np.empty(0))
    return measured.points if measured.edges else (measured.step, measured.value)


def threshold_lines(reading: Reading) -> tuple[HLine, ...]:
    """The accuracy that a search asks for."""
    if reading.snapshot is None:
        return ()
    search = json.loads(reading.snapshot.sweep.spec).get("search") or {}
    threshold = search.get("threshold")
    if search.get("success", ACCURACY) != ACCURACY or not isinstance(threshold, int | float):
        return ()
    return (HLine(float(threshold), f"goal {number(float(threshold))}"),)
