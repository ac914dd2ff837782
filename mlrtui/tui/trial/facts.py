"""What is known of one trial in words: how it stands and why, its settings, the numbers under the cursor."""

import math
from collections.abc import Sequence

import numpy as np

from mlrtui.charts.spec import Axis, Floats
from mlrtui.text.lines import Line, clean, fit_parts, join, line, width_of
from mlrtui.text.marks import at_rest, trial_state
from mlrtui.text.numbers import counted, exact, moment, number
from mlrtui.text.phrases import outcome
from mlrtui.tui.curves import loss_points, sharpness_points
from mlrtui.tui.edges import edge_name, rates_of, ratio_name
from mlrtui.tui.measured import edge_curves, value_words
from mlrtui.tui.state import Look, Reading, is_recorded
from mlrtui.tui.trial.cursor import Sight, column_at, place
from mlrtui.tui.trial.reasons import phase_reason, verdict_reason
from mlrtui.tui.widgets.pane import LinesWidget
from mlrtui.tui.widgets.rows import RowsPane, sentence
from mlrtui_db.flags import FLAG_SHARPNESS_NOT_CONVERGED
from mlrtui_db.models import TrialDetails, TrialRow

__all__ = ["ReadOut", "SettingsPane", "TrialFacts", "neighbours", "setting_groups", "trial_name"]

# Columns that are keys of the store and no settings, or that change without a new result.
_HIDDEN = {"sweep_id", "sweep_key", "cell_id", "position", "net_id", "trial_id", "trial_key", "rev", "spec", "status"}
_HIDDEN |= {"heartbeat_at", "next_seq", "attempt"}
_MOMENTS = {"created_at", "finished_at", "started_at", "ended_at"}


def neighbours(reading: Reading, trial_id: int | None = None) -> tuple[TrialRow | None, TrialRow | None]:
    """The trials of the same net at the next smaller and the next larger learning rate: of this trial, else of the one
    that was read.
    """
    rows = () if reading.snapshot is None else reading.snapshot.trials
    trial = next((row for row in rows if row.trial_id == trial_id), reading.trial)
    if trial is None or reading.snapshot is None:
        return None, None
    net = [other for other in reading.snapshot.trials if other.net_id == trial.net_id]
    lower = max((other for other in net if other.eta < trial.eta), key=lambda other: other.eta, default=None)
    higher = min((other for other in net if other.eta > trial.eta), key=lambda other: other.eta, default=None)
    return lower, higher


def trial_name(reading: Reading) -> str:
    """Which trial, as people say it: 8×256 seed 0  ηλ₀=3  η=0.0187."""
    cell, trial = reading.cell, reading.trial
    if cell is None or trial is None:
        return ""
    ratio = "" if trial.eta_lambda0 is None else f"  ηλ₀={number(trial.eta_lambda0)}"
    return f"{clean(cell.size)} seed {trial.seed}{ratio}  η={number(trial.eta)}"


class TrialFacts(RowsPane):
    """How the trial stands, why, and its neighbours."""

    GROWS = True

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="facts", classes="pane")

    def title(self) -> Line:
        """Which trial."""
        if self.reading is None or self.reading.trial is None:
            return line("trial", "title")
        return line(f"trial {self.reading.trial.trial_id}  {trial_name(self.reading)}", "title")

    def caption(self) -> Line:
        """How far, and when it began."""
        reading = self.reading
        if reading is None or reading.trial is None:
            return ()
        trial = reading.trial
        state = at_rest(trial_state(trial), reading.alive)
        started = dict(reading.details.attempt).get("started_at") if reading.details else None
        since = f" · began {moment(float(started))}" if isinstance(started, int | float) else ""
        again = f" · attempt {trial.attempt}" if trial.attempt > 1 else ""
        of = f" of {trial.max_steps}" if trial.max_steps else ""
        steps = f" step {max(trial.last_step or 0, 0)}{of}{again}{since}"
        return ((self.look.marks.glyph(state), state), (steps, ""))

    def rows(self, width: int) -> Sequence[Line]:
        """The text."""
        reading = self.reading
        if reading is None or reading.trial is None:
            return [line(" no trial yet", "note")]
        trial, net = reading.trial, reading.net
        recorded = is_recorded(reading)
        edges = [f"λ₀ {number(net.lambda0 if net else None)}"]
        if recorded:
            scheduled = reading.measured is not None and edge_curves(reading.measured)
            edges = [f"η {number(trial.eta)}{' at its peak' if scheduled else ''}"]
            edges += [] if reading.measured is None else [value_words(reading.measured)]
        if trial.edge is not None:
            edges.append(f"{edge_name(trial.edge, trial.schedule)} {number(trial.edge / trial.eta)}")
        if trial.edge == 2.0 and trial.schedule is None:
            edges.append(f"4/η {number(4 / trial.eta)}")
        if not recorded:
            edges.append(f"ηλ₀ {number(trial.eta_lambda0)}")
        if trial.peak_ratio is not None:
            edges.append(f"peak {number(trial.peak_ratio)}·L₀ @{trial.peak_step}")
        rows = [line(f" {'   '.join(edges)}")]
        reasons = [verdict_reason(trial, reading.details, reading.alive), phase_reason(trial, reading.details)]
        state = at_rest(trial_state(trial), reading.alive)
        for reason in filter(None, reasons):
            rows += sentence(reason, state, width)
        beside, counts = self._neighbour_line(reading), line(self._counts(reading), "dim")
        if width_of(beside) + width_of(counts) <= width:
            return [*rows, join(beside, counts)]
        return [*rows, beside, join(line(" "), counts)]

    def _neighbour_line(self, reading: Reading) -> Line:
        parts: list[Line] = [line(" ")]
        for key, other in zip("[]", neighbours(reading), strict=True):
            if other is not None:
                state = at_rest(trial_state(other), reading.alive)
                sign = (self.look.marks.glyph(state), state)
                parts.append(((key, "key"), (f" {number(other.eta)} ", ""), sign, (f" {outcome(other)}   ", "")))
        return join(*parts)

    def _counts(self, reading: Reading) -> str:
        if reading.trace is None:
            return ""
        loss, sharp = loss_points(reading.trace)[1], sharpness_points(reading.trace)[1]
        steps = reading.trace.step.size
        bad = int((~np.isfinite(loss)).sum()), int((~np.isfinite(sharp)).sum())
        return (
            f"{counted(steps, 'step')} · not finite: {bad[0]} loss, {bad[1]} λ · "
            f"λ not measured at {counted(steps - sharp.size, 'step')}"
        )


class SettingsPane(RowsPane):
    """Every setting and every stored number of the trial, its net, its cell and its sweep."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="settings", classes="pane")

    def title(self) -> Line:
        """What it is."""
        return line("everything stored", "title")

    def rows(self, width: int) -> Sequence[Line]:
        """One value a row, by table."""
        details = None if self.reading is None else self.reading.details
        if details is None:
            return [line(" nothing read yet", "note")]
        rows: list[Line] = []
        for group, pairs in setting_groups(details):
            rows.append(line(f" {group}", "title"))
            label = max((len(name) for name, _ in pairs), default=0)
            rows += [((f"  {name:<{label}}  ", "dim"), (clean(value), "")) for name, value in pairs]
        return rows


def setting_groups(details: TrialDetails) -> list[tuple[str, list[tuple[str, str]]]]:
    """What is stored about a trial as (group, [(name, value as text)]); without numbers that only the store needs."""
    groups = (
        ("cell", details.cell),
        ("trial", details.trial),
        ("net", details.net),
        ("sweep", details.sweep),
        ("attempt", details.attempt),
    )
    return [
        (group, [(name, _shown(name, value)) for name, value in pairs if name not in _HIDDEN])
        for group, pairs in groups
        if pairs
    ]


class ReadOut(LinesWidget):
    """One row: the exact numbers at the cursor, and the extremes of its column. Trouble with the store comes first."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="status")
        self.sight = Sight()
        self.on_sharpness = False
        self.points: tuple[Floats, Floats] | None = None  # of the chart that keys act on
        self.subject = ""  # what it draws beside loss and λ
        self.axis: tuple[Axis, int] | None = None  # the step axis of the charts; None before they are drawn

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        reading = self.reading
        if reading is not None and reading.trouble:
            return [((" ! ", "failed"), (clean(reading.trouble), "failed"))]
        if self.look.note:
            return [line(f" {clean(self.look.note)}", "value")]
        if reading is None or reading.trace is None or reading.trial is None:
            return [line(" no trial yet", "note")]
        trace = reading.trace
        at = place(trace, self.sight)
        if at is None:
            return [line(" no step stored yet", "note")]
        step = int(trace.step[at])
        loss = _at(loss_points(trace), step)
        sharp, edge = _at(sharpness_points(trace), step), reading.trial.edge
        ratio = None if sharp is None else sharp * rates_of(reading.trial).at(step) / (edge or 1.0)
        parts = [f"loss {_exact(loss)}"]
        if reading.measured is not None and is_recorded(reading):
            parts.append(value_words(reading.measured, step))
        else:
            missed = " (not converged)" * bool(trace.flags[at] & FLAG_SHARPNESS_NOT_CONVERGED)
            parts.append(
                "λ not measured"
                if sharp is None
                else f"λ {_exact(sharp)}{missed} · {ratio_name(edge)} {_exact(ratio, 5)}"
            )
        accuracy = _at(trace.accuracies, step)
        if accuracy is not None:
            parts.append(f"accuracy {_exact(accuracy, 4)}")
        left: Line = ((f" step {step} ", "value"), (f" {' · '.join(parts)}", ""))
        left = fit_parts(left, width)
        if self.axis is None or self.points is None:
            return [left]
        column = column_at(trace, self.points, at, *self.axis)
        if column.first == column.last or not math.isfinite(column.high):
            return [left]
        name = (clean(self.subject) or "λ") if self.on_sharpness else "loss"
        span = (
            f"{column.first}–{column.last}: {name} {number(column.low, 4)} to {_exact(column.high)} @{column.high_step}"
        )
        return [fit_parts(join(left, line(f"  column {span}", "dim")), width)]


def _at(points: tuple[Floats, Floats], step: int) -> float | None:
    """The value at a step, None where there is none."""
    at = int(np.searchsorted(points[0], step))
    return float(points[1][at]) if at < points[0].size and points[0][at] == step else None


def _exact(value: float | None, digits: int = 7) -> str:
    return "not measured" if value is None else exact(value, digits)


def _shown(name: str, value: str | float | int | None) -> str:
    if value is None:
        return "-"
    if name in _MOMENTS and isinstance(value, int | float):
        return moment(float(value))
    return exact(value) if isinstance(value, float) else str(value)
