"""The data behind the screens as tables: what `w` writes beside the picture. Pure functions on what is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlrtui.tui.boundary.search import rounds
from mlrtui.tui.browse.filtering import Entry
from mlrtui.tui.clocks import times
from mlrtui.tui.compare.differences import (
    LETTERS,
    by_rate,
    curve_name,
    net_name,
    net_result_rows,
    net_setting_rows,
    result_rows,
    setting_rows,
)
from mlrtui.tui.curves import Trace
from mlrtui.tui.edges import Rates, rates_of, stored_edge, stored_rates
from mlrtui.tui.pages import Onsets, PhaseMark
from mlrtui.tui.state import Compared, ComparedNet, Reading
from mlrtui_db.models import LogRow, NetRow, TrialRow

__all__ = [
    "Table",
    "Value",
    "compared_tables",
    "curve_table",
    "finite",
    "log_table",
    "measured_tables",
    "net_tables",
    "onset_table",
    "phase_table",
    "search_tables",
    "steps_table",
    "sweep_table",
    "trials_table",
]

_CURVE = (
    "trial_id", "attempt", "eta", "step", "loss", "sharpness", "sharpness_ratio", "flags", "accuracy", "step_eta",
    "physical_time",
)  # fmt: skip
_SWEEP = ("name", "mode", "status", "created_at", "cells", "nets", "nets_done", "trials_done", "trials_failed")
_TRIAL = (
    "trial_id", "net_id", "cell_id", "seed", "eta", "eta_lambda0", "round", "status", "verdict", "phase", "n_steps",
    "max_steps", "last_step", "last_loss", "last_accuracy", "last_sharpness", "best_accuracy", "peak_ratio",
    "peak_step", "bad_step", "bad_kind", "given_up_epoch",
)  # fmt: skip
_PHASE = (
    "trial_id", "label", "depth", "width", "seed", "eta", "eta_lambda0", "verdict", "phase", "peak_ratio", "peak_step",
    "eta_final_sharpness", "bad_step", "bad_kind", "final_accuracy", "edge",
)  # fmt: skip
_ONSETS = ("label", "seed", "c_loss", "c_loss_above", "c_sharp", "c_sharp_above", "c_max", "c_max_below")
_NET = (
    "net_id", "cell_id", "seed", "status", "operator", "lambda0", "lambda0_residual", "lambda0_preconditioned",
    "eta_star", "first_failure", "eta_area", "zone_octaves", "reversals", "censored", "reason",
)  # fmt: skip

Value = str | float | int | None


@dataclass(frozen=True)
class Table:
    """Columns and rows; non-finite numbers are None. `name` tells the tables of a screen apart, "" is the main one."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    name: str = ""


def finite(value: float | None) -> float | None:
    """The value, None where it is not a finite number."""
    return value if value is not None and abs(value) < float("inf") else None


def curve_table(traces: Sequence[tuple[Trace, Rates, float | None]]) -> Table:
    """Every stored step of some trials, each given with its learning rates and η·λ at its edge, if it has one."""
    rows: list[tuple[Value, ...]] = []
    for trace, rates, edge in traces:
        stored = (
            trace.step,
            trace.loss,
            trace.sharpness,
            trace.flags,
            trace.accuracy,
            times(rates, trace.step.astype(float)),
        )
        for step, loss, sharpness, flags, accuracy, time in zip(*(one.tolist() for one in stored), strict=True):
            rate = rates.at(step)
            ratio = None if edge is None else finite(sharpness * rate / edge)
            values = (finite(loss), finite(sharpness), ratio, flags, finite(accuracy), finite(rate), finite(time))
            rows.append((trace.trial_id, trace.attempt, rates.eta, step, *values))
    return Table(_CURVE, tuple(rows))


def steps_table(reading: Reading | None) -> Table:
    """Every stored step of the trial whose curve is shown."""
    if reading is None or reading.trace is None or reading.trial is None:
        return Table(_CURVE, ())
    return curve_table([(reading.trace, rates_of(reading.trial), reading.trial.edge)])


def measured_tables(reading: Reading | None) -> tuple[Table, ...]:
    """Every value of the measures that are drawn, by part."""
    drawn = [] if reading is None else [one for one in (reading.measured, reading.second) if one is not None]
    return tuple(
        Table(
            ("trial_id", "measure", "part", "step", "value", "edge", "edge_high"),
            tuple(
                (one.trial_id, one.measure, name, int(step), *map(finite, values))
                for name, part in one.parts.items()
                for step, *values in zip(*(column.tolist() for column in part), strict=True)
            ),
            f"measure{'-2' * bool(at)}",
        )
        for at, one in enumerate(drawn)
    )


def trials_table(trials: Sequence[TrialRow], name: str = "") -> Table:
    """Trials as the store has them."""
    return Table(_TRIAL, tuple(_picked(trial, _TRIAL) for trial in trials), name)


def compared_tables(compared: Sequence[Compared]) -> tuple[Table, ...]:
    """All curves, and every setting and result by the letter of its curve."""
    curves = [(one.trace, stored_rates(one.details), stored_edge(one.details)) for one in compared]
    letters = tuple(LETTERS[: len(compared)])
    rows = [("curve", *(curve_name(one) for one in compared))]
    rows += [(row.name, *row.values) for row in (*setting_rows(compared), *result_rows(compared))]
    return curve_table(curves), Table(("name", *letters), tuple(rows) if compared else (), "settings")


def net_tables(nets: Sequence[ComparedNet]) -> tuple[Table, ...]:
    """What the searches found, the verdict at each rate, every trial, settings."""
    if not nets:
        return ()
    letters = LETTERS[: len(nets)]
    found = tuple((letter, *_picked(one.net, _NET)) for letter, one in zip(letters, nets, strict=True))
    verdicts = tuple(
        (eta, *(None if trial is None else trial.verdict or trial.status for trial in trials))
        for eta, trials in by_rate(nets)
    )
    settings = [("net", *map(net_name, nets))]
    settings += [(row.name, *row.values) for row in (*net_setting_rows(nets), *net_result_rows(nets))]
    return (
        Table(("letter", *_NET), found),
        Table(("eta", *letters), verdicts, "verdicts"),
        trials_table([trial for one in nets for trial in one.trials], "trials"),
        Table(("name", *letters), tuple(settings), "settings"),
    )


def sweep_table(entries: Sequence[Entry]) -> Table:
    """Sweeps with their main fit."""
    rows: list[tuple[Value, ...]] = []
    for entry in entries:
        main = entry.fit
        fit: tuple[Value, ...] = (None,) * 4 if main is None else (main.fit, main.exponent, main.low, main.high)
        rows.append((entry.place or entry.label, *_picked(entry.sweep, _SWEEP), *fit))
    return Table(("store", *_SWEEP, "fit", "exponent", "low", "high"), tuple(rows))


def search_tables(net: NetRow | None, trials: Sequence[TrialRow]) -> tuple[Table, ...]:
    """The trials of a search, what each round left open, and what was found."""
    if net is None:
        return ()
    asked = tuple((row.round, len(row.trials), row.low, row.high) for row in rounds(trials))
    return (
        trials_table(trials),
        Table(("round", "trials", "last_success", "first_failure"), asked, "rounds"),
        Table(_NET, (_picked(net, _NET),), "net"),
    )


def phase_table(marks: Sequence[PhaseMark]) -> Table:
    """Trials with their phases."""
    return Table(_PHASE, tuple(_picked(mark, _PHASE) for mark in marks))


def onset_table(onsets: Sequence[Onsets]) -> Table:
    """Where the trials of each net change their kind."""
    return Table(_ONSETS, tuple(_picked(one, _ONSETS) for one in onsets), "onsets")


def log_table(rows: Sequence[LogRow], sweeps: Mapping[int | None, str]) -> Table:
    """Events, with the names of their sweeps."""
    columns = ("event_id", "at", "level", "sweep", "trial_id", "host", "text")
    return Table(
        columns,
        tuple(
            (row.event_id, row.at, row.level, sweeps.get(row.sweep_id), row.trial_id, row.host, row.text)
            for row in rows
        ),
    )


def _picked(row: object, names: Sequence[str]) -> tuple[Value, ...]:
    return tuple(getattr(row, name) for name in names)
