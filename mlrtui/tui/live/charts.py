"""The two charts of the chosen trial: its loss, and its sharpness or the search that it belongs to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.memo import Kept
from mlrtui.charts.reference import gutter_width
from mlrtui.charts.spec import ChartSpec, Floats, HLine, Series
from mlrtui.charts.ticks import limits
from mlrtui.text import phrases
from mlrtui.text.lines import Line, centred, clean, line
from mlrtui.text.marks import trains
from mlrtui.text.numbers import counted, number
from mlrtui.tui.boundary.chart import draw_boundary
from mlrtui.tui.boundary.search import edge_so_far, eta_star_text, probe_of
from mlrtui.tui.curves import (
    MeasureTrace,
    caption,
    loss_points,
    missed_words,
    not_converged,
    ratio_points,
    sharpness_points,
)
from mlrtui.tui.edges import edge_name, operator_words, rates_of, ratio_name
from mlrtui.tui.measured import asked_every, edge_curves, edge_hlines, starts_log
from mlrtui.tui.state import Look, Reading, is_recorded, is_starting
from mlrtui.tui.widgets.pointing import PointedPane
from mlrtui_db.models import NetRow, TrialRow

__all__ = ["LossChart", "LowerChart", "no_curve", "planned_end"]


_EDGES = ("without an edge", "beside its edge", "between the edges of small and large batches")
"""By how many edges a measure has."""


class ChartPane(PointedPane):
    """A pane with one chart, whose y range only grows while the same curve is shown."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane chart")
        self._held: tuple[tuple[object, ...], tuple[float, float]] | None = None
        self._caption = ""
        self._seen: Kept[tuple[tuple[float, float], str]] = Kept(4)

    def caption(self) -> Line:
        """Peak, newest value, what could not be drawn."""
        return self.pointer() or (line(self._caption) if self._caption else ())

    @property
    def subject(self) -> str:
        """What is drawn, where that is not always the same."""
        return ""

    def chart(
        self,
        points: tuple[Floats, Floats],
        log: bool,
        width: int,
        height: int,
        hlines: tuple[HLine, ...] = (),
        hollow: NDArray[np.bool_] | None = None,
        beside: tuple[Series, ...] = (),
    ) -> Sequence[Line]:
        """Draw one curve of the chosen trial."""
        assert self.reading is not None
        assert self.reading.trace is not None
        trial, trace = self.reading.trial, self.reading.trace
        step, values = points
        key = (trace.trial_id, trace.attempt, self.subject, log, hlines)
        held = self._held[1] if self._held is not None and self._held[0] == key else None
        y_limits, self._caption = self._seen.get(
            (values,),
            (key, held),
            lambda: (limits(_with(values, hlines, beside), log, held), caption(step, values, log)),
        )
        self._held = (key, y_limits)
        spec = ChartSpec(
            series=(*beside, Series(step, values, hollow=hollow)),
            x_end=planned_end(trial, trace.last_step),
            x_log=self.look.x_log,
            y_log=log,
            y_limits=y_limits,
            hlines=hlines,
            gutter=gutter_width(_lower_lines(self.reading, self.look), self.look.marks.ascii_only),
            empty="no step stored yet",
        )
        return self.drawn(spec, width, height)


class LossChart(ChartPane):
    """The loss of the chosen trial, step by step."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "loss")

    def title(self) -> Line:
        """Which trial."""
        cell = None if self.reading is None else self.reading.cell
        trial = None if self.reading is None else self.reading.trial
        if cell is None or trial is None:
            return line("loss", "title")
        known = "" if trial.eta_lambda0 is None else f"  ηλ₀={number(trial.eta_lambda0)}"
        return (("loss", "title"), (f"  {clean(cell.size)} seed {trial.seed}{known}  η={number(trial.eta)}", ""))

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The curve."""
        self._caption = ""
        if self.reading is None or self.reading.trace is None:
            return centred(no_curve(self.reading), width, height)
        return self.chart(loss_points(self.reading.trace), self.look.loss_log, width, height)


class LowerChart(ChartPane):
    """Sharpness over its edge where it was measured along the run; else the search of the net."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "lower")

    def title(self) -> Line:
        """What is drawn."""
        if self._shows_search():
            net = None if self.reading is None else self.reading.net
            return (("search", "title"), (f"  seed {'-' if net is None else net.seed}: trials over η", ""))
        if self.reading is not None and self._measured is not None:
            others = [name for name in self.reading.measures if name != self.subject]
            more = f"  m: {clean(', '.join(others))}" if others else ""
            return ((clean(self.subject), "title"), (f"  {_EDGES[len(self._measured.edges)]}", ""), (more, "dim"))
        trial = None if self.reading is None else self.reading.trial
        edge, schedule = (2.0, None) if trial is None else (trial.edge, trial.schedule)
        if edge is None:
            drawn = "λ, without an edge"
        else:
            drawn = (
                f"λ, edge at {edge_name(edge, schedule)}"
                if self.look.raw_sharpness
                else f"{ratio_name(edge)}, edge at 1"
            )
        net = None if self.reading is None else self.reading.net
        return (("sharpness", "title"), (f"  {drawn}{'' if net is None else f' · {operator_words(net)}'}", ""))

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The curve or the search."""
        self._caption = ""
        if self._shows_search():
            return self._search(width, height)
        if self.reading is None or self.reading.trace is None or self.reading.trial is None:
            return centred(no_curve(self.reading), width, height)
        if (measured := self._measured) is not None:
            log = starts_log(measured) != self.look.ratio_log
            return self.chart(measured.points, log, width, height, edge_hlines(measured), beside=edge_curves(measured))
        step, sharpness = sharpness_points(self.reading.trace)
        if not step.size:
            return centred(no_sharpness(self.reading), width, height)
        rates, edge = rates_of(self.reading.trial), self.reading.trial.edge
        if edge is not None and not self.look.raw_sharpness:
            _, sharpness = ratio_points(self.reading.trace, rates, edge)
        hollow = not_converged(self.reading.trace)
        hlines = _edge_line(self.reading, self.look)
        lines = self.chart((step, sharpness), self.look.ratio_log, width, height, hlines, hollow)
        if missed := missed_words(hollow, self.look.marks.ascii_only):
            self._caption += f" · {missed}"
        return lines

    @property
    def subject(self) -> str:
        """The measure of a recorded run that is drawn; "": the sharpness, or the search."""
        return "" if self._measured is None else self._measured.measure

    @property
    def _measured(self) -> MeasureTrace | None:
        return self.reading.measured if self.reading is not None and is_recorded(self.reading) else None

    def _shows_search(self) -> bool:
        """A search whose trial has no measured sharpness beyond its start."""
        reading = self.reading
        if reading is None or reading.snapshot is None or reading.snapshot.sweep.mode != "search":
            return False
        if reading.trace is None or reading.trial is None:
            return True
        return sharpness_points(reading.trace)[0].size < 2

    def _search(self, width: int, height: int) -> Sequence[Line]:
        assert self.reading is not None
        assert self.reading.snapshot is not None
        net = self.reading.net
        if net is None:
            return centred("no net yet", width, height)
        trials = [trial for trial in self.reading.snapshot.trials if trial.net_id == net.net_id]
        marks, chosen = self.look.marks, self.reading.trial_id
        probes = [probe_of(trial, marks, trial.trial_id == chosen, self.reading.alive) for trial in trials]
        best, worst = edge_so_far(net, trials)
        self._caption = _search_caption(net, best, worst)
        return draw_boundary(probes, best, worst, width, height, self.look.marks.ascii_only)


def _search_caption(net: NetRow, best: float | None, worst: float | None) -> str:
    parts = []
    if net.eta_star is not None:
        parts.append(f"η* {eta_star_text(net)}")
    elif net.status == "done":
        parts.append(f"no η*: {net.reason or 'no rate succeeds'}")
    elif best is not None:
        parts.append(f"best so far {number(best)}")
    if worst is not None:
        parts.append(f"fails at {number(worst)}")
    if net.lambda0 is not None:
        parts.append(f"λ₀ {number(net.lambda0)}")
    if net.censored in ("at_min", "at_max"):
        parts.append(f"censored {net.censored.replace('_', ' ')}")
    return " · ".join(parts)


def _edge_line(reading: Reading, look: Look) -> tuple[HLine, ...]:
    """The edge of the chosen trial in units of its chart: 1, or its value where λ itself is drawn."""
    trial = reading.trial
    if trial is None or trial.edge is None:
        return ()
    if not look.raw_sharpness:
        return (HLine(1.0, f"{edge_name(trial.edge)} {number(1.0)}"),)  # at the rate of each step
    value = trial.edge / trial.eta
    return (HLine(value, f"{edge_name(trial.edge, trial.schedule)} {number(value)}"),)


def _lower_lines(reading: Reading, look: Look) -> tuple[HLine, ...]:
    """The reference lines of the lower chart, whose labels both charts leave space for."""
    if reading.measured is not None and is_recorded(reading):
        return edge_hlines(reading.measured)
    return _edge_line(reading, look)


def no_curve(reading: Reading | None) -> str:
    """Why there is no curve to draw."""
    trial = None if reading is None else reading.trial
    if is_starting(reading):
        return "the driver loads the data"
    return "no trial yet" if trial is None else f"reading {counted(trial.n_steps, 'step')}"


def no_sharpness(reading: Reading | None) -> str:
    """Why the chosen trial has no λ to draw."""
    trial = None if reading is None else reading.trial
    if reading is None or reading.snapshot is None or trial is None:
        return "no trial yet"
    return phrases.no_sharpness(trial.n_steps, asked_every(reading.snapshot.sweep.spec), not trains(trial))


def planned_end(trial: TrialRow | None, last_step: int) -> float:
    """The end of the step axis: planned while a trial can still grow, actual once it has ended."""
    if trial is None or trial.status in ("running", "queued"):
        return float(max(trial.max_steps if trial else 0, last_step, 1))
    return float(max(last_step, 1))


def _with(values: Floats, hlines: tuple[HLine, ...], beside: tuple[Series, ...]) -> Floats:
    """The values with those of the reference lines and curves, so that these are in view."""
    return np.concatenate([values, [hline.value for hline in hlines], *(one.y for one in beside)])
