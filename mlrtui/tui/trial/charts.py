"""The two large charts of one trial: loss, and raw sharpness with its edges. They share steps and cursor."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.memo import Kept
from mlrtui.charts.reference import gutter_width
from mlrtui.charts.spec import Axis, ChartSpec, Floats, HLine, Series
from mlrtui.charts.ticks import limits
from mlrtui.text.lines import Line, centred, clean, line
from mlrtui.text.numbers import number, whole
from mlrtui.tui.clocks import time_names
from mlrtui.tui.curves import MeasureTrace, Trace, caption, loss_points, missed_words, not_converged, sharpness_points
from mlrtui.tui.edges import edge_name, operator_words, rates_of
from mlrtui.tui.live.charts import no_curve, no_sharpness, planned_end
from mlrtui.tui.measured import edge_curves, edge_hlines, part_curves, parts_words, starts_log
from mlrtui.tui.state import Look, Reading, is_recorded
from mlrtui.tui.trial.cursor import Sight, place, visible
from mlrtui.tui.trial.forks import FORKS, beside_forks, fork_words
from mlrtui.tui.trial.quantities import ACCURACY, SHARPNESS, beside, chosen, others, points_of, threshold_lines
from mlrtui.tui.trial.solvable import Recursion, recursion
from mlrtui.tui.widgets.pointing import PointedPane
from mlrtui_db.models import TrialRow
from mlrtui_trainer.measures import MEASURES
from mlrtui_trainer.registry import UnknownNameError

__all__ = ["LossView", "SharpnessView", "TrialChart", "axis_end"]


def axis_end(reading: Reading) -> float:
    """Where the whole step axis ends."""
    end = planned_end(reading.trial, -1 if reading.trace is None else reading.trace.last_step)
    if reading.forks and chosen(reading) == FORKS:
        return max(end, float(reading.forks[-1].step))
    return end


class TrialChart(PointedPane):
    """A chart of the chosen trial with the cursor of its screen."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane chart")
        self.sight = Sight()
        self._held: tuple[tuple[object, ...], tuple[float, float]] | None = None
        self._caption = ""
        self._theories: Kept[Recursion | None] = Kept(1)
        self._drawn: Kept[tuple[Series, ...]] = Kept(1)
        self._seen: Kept[tuple[tuple[HLine, ...], tuple[float, float], str]] = Kept(1)

    def caption(self) -> Line:
        """Peak, newest value, what could not be drawn."""
        return self.pointer() or (line(self._caption) if self._caption else ())

    def points(self, trace: Trace) -> tuple[Floats, Floats]:
        """Steps and values [points] of the whole trial."""
        raise NotImplementedError

    def hollow(self, trace: Trace) -> NDArray[np.bool_] | None:
        """Which of the points are less certain than the others, [points]; None: none can be."""
        return None

    @property
    def subject(self) -> str:
        """What is drawn, where that is not always the same."""
        return ""

    @property
    def y_log(self) -> bool:
        """Whether the values are drawn on a log scale."""
        raise NotImplementedError

    def hlines(self, values: Floats) -> tuple[HLine, ...]:
        """Reference lines for the visible values."""
        return ()

    def beside(self) -> tuple[Series, ...]:
        """Curves that are drawn beside that of the values."""
        return ()

    def theory(self) -> Recursion | None:
        """The closed form of this trial, where there is one and it is asked for."""
        if not self.look.theory or self.reading is None or self.reading.trace is None:
            return None
        details, trace = self.reading.details, self.reading.trace
        return self._theories.get((details, trace), None, lambda: recursion(details, trace))

    def drawn_theory(self, points: tuple[Floats, Floats], of_loss: bool) -> tuple[Series, ...]:
        """The closed form beside these points, the same arrays for the same points: then what is drawn is kept, too."""
        theory = self.theory()
        if theory is None:
            return ()
        return self._drawn.get((theory, *points), of_loss, lambda: theory.beside(points, of_loss))

    def gap(self, trace: Trace) -> str:
        """How far the values are from the closed form, "" without one."""
        return ""

    def left_cells(self) -> int:
        """Cells of the left margin: the same for both charts, whichever lines are in view."""
        trial = None if self.reading is None else self.reading.trial
        lines = () if trial is None else edge_lines(trial)
        if self.reading is not None and chosen(self.reading) == ACCURACY:
            lines = (*lines, *threshold_lines(self.reading))
        if trial is not None and self.reading is not None and chosen(self.reading) == FORKS:
            lines = (*lines, *_rate_lines(trial))
        if self.reading is not None and self.reading.measured is not None:
            lines = (*lines, *edge_hlines(self.reading.measured))
        return gutter_width(lines, self.look.marks.ascii_only)

    def axis(self) -> tuple[Axis, int]:
        """The step axis as it is drawn, and how many dot columns it has."""
        assert self.reading is not None
        low, high = visible(self.sight, axis_end(self.reading))
        width = max(self.size.width - 2 - self.left_cells() - 1, 1)
        dots = width if self.look.marks.ascii_only else 2 * width
        return Axis(low, max(high, low + 1.0), self.look.x_log), dots

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The curve, the cursor, the reference lines."""
        self._caption = ""
        if self.reading is None or self.reading.trace is None or self.reading.trial is None:
            return centred(no_curve(self.reading), width, height)
        trace = self.reading.trace
        step, values = self.points(trace)
        if not step.size:
            return centred(self.nothing(), width, height)
        low, high = visible(self.sight, axis_end(self.reading))
        drawn = low, high, self.y_log, self.look.theory, self.reading.wanted.beside
        seen = self._seen.get((values,), drawn, lambda: self._scaled(step, values, low, high))
        hlines, y_limits, self._caption = seen
        at = place(trace, self.sight)
        cursor = None if at is None else float(trace.step[at])
        here = np.searchsorted(step, -1.0 if cursor is None else cursor)
        on_curve = here < step.size and step[here] == cursor
        spec = ChartSpec(
            series=(*self.beside(), Series(step, values, hollow=self.hollow(trace))),
            x_end=high,
            x_start=low,
            x_log=self.look.x_log,
            y_log=self.y_log,
            y_limits=y_limits,
            hlines=hlines,
            gutter=self.left_cells(),
            x_names=self._x_names(Axis(low, high, self.look.x_log), width),
            cursor=cursor,
            point=float(values[here]) if on_curve else None,
        )
        return self.drawn(spec, width, height)

    def _x_names(self, axis: Axis, width: int) -> tuple[tuple[float, str], ...]:
        """Labels in η·t, where these are asked for."""
        if not self.look.physical or self.reading is None or self.reading.trial is None:
            return ()
        return time_names(rates_of(self.reading.trial), axis, width - self.left_cells() - 1)

    def part(self) -> str:
        """Which part of the steps is visible, and in what they are labelled."""
        return f"{_part(self.sight)}{'  against η·t' * self.look.physical}"

    def _scaled(
        self, step: Floats, values: Floats, low: float, high: float
    ) -> tuple[tuple[HLine, ...], tuple[float, float], str]:
        """Reference lines, y range and caption of what is visible: the same while only the cursor moves."""
        assert self.reading is not None
        assert self.reading.trace is not None
        trace = self.reading.trace
        seen = values[slice(*np.searchsorted(step, (low, np.nextafter(high, np.inf))))]
        hlines = self.hlines(seen)
        beside = self.look.theory, self.reading.wanted.beside
        key = (trace.trial_id, trace.attempt, self.subject, self.y_log, self.sight.window, len(hlines), *beside)
        held = self._held[1] if self._held is not None and self._held[0] == key else None
        more = np.concatenate([[hline.value for hline in hlines], *(one.y for one in self.beside())])
        y_limits = limits(np.append(seen, more), self.y_log, held)
        self._held = (key, y_limits)
        said = [self.said(step, values)]
        if (hollow := self.hollow(trace)) is not None:
            said.append(missed_words(hollow, self.look.marks.ascii_only))
        said.append(self.gap(trace))
        return hlines, y_limits, " · ".join(filter(None, said))

    def said(self, step: Floats, values: Floats) -> str:
        """What the lower edge says of the values."""
        return caption(step, values, self.y_log)

    def nothing(self) -> str:
        """What to say without any point."""
        return "no step stored yet"


class LossView(TrialChart):
    """The loss."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "loss")

    def title(self) -> Line:
        """What is drawn, and which part."""
        return (("loss", "title"), (self.part(), ""))

    def points(self, trace: Trace) -> tuple[Floats, Floats]:
        """Losses."""
        return loss_points(trace)

    def beside(self) -> tuple[Series, ...]:
        """The closed form."""
        trace = None if self.reading is None else self.reading.trace
        return () if trace is None else self.drawn_theory(loss_points(trace), of_loss=True)

    def gap(self, trace: Trace) -> str:
        """Of the losses."""
        theory = self.theory()
        return "" if theory is None else theory.gap(loss_points(trace), of_loss=True)

    @property
    def y_log(self) -> bool:
        """As the look says."""
        return self.look.loss_log


class SharpnessView(TrialChart):
    """The sharpness as it was measured, with its edge; or a measure that is stored of the trial, with its own."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "sharpness")
        self._turned: set[str] = set()  # measures whose scale is not the usual one

    @property
    def measured(self) -> MeasureTrace | None:
        """The measure that is drawn in place of the sharpness."""
        measured = None if self.reading is None else self.reading.measured
        return measured if measured is not None and measured.measure == self.subject else None

    @property
    def subject(self) -> str:
        """What is drawn; "": the sharpness."""
        name = "" if self.reading is None else chosen(self.reading)
        return "" if name == SHARPNESS else name

    def turn_scale(self) -> None:
        """Log values in place of linear ones, or the other way round, of what is drawn."""
        self._turned ^= {self.subject}
        self.update_rows()

    def title(self) -> Line:
        """What is drawn, which part, and what else there is to draw."""
        names = [] if self.reading is None else others(self.reading)
        more = f"  m: {clean(', '.join(names))}" if names else ""
        parts = "" if self.measured is None else parts_words(self.measured)
        second = "" if self.reading is None else beside(self.reading)
        with_second = f" and 2 {clean(second)}" if second else ""
        told = f"  {clean(parts)}" if parts else ""
        net = None if self.reading is None else self.reading.net
        if not self.subject and net is not None:
            told = f"  {operator_words(net)}"
        return (
            (clean(self.subject or "sharpness λ") + with_second, "title"),
            (told + self.part(), ""),
            (more, "dim"),
        )

    def points(self, trace: Trace) -> tuple[Floats, Floats]:
        """Sharpness, or what is drawn in its place, where it is known."""
        if self.reading is None:
            return sharpness_points(trace)
        return points_of(self.reading, trace, self.subject or SHARPNESS, self.measured)

    def hollow(self, trace: Trace) -> NDArray[np.bool_] | None:
        """Those of λ that missed their tolerance."""
        return None if self.subject else not_converged(trace)

    def beside(self) -> tuple[Series, ...]:
        """The edges of a measure, where they change along the training, its further parts, and the second quantity."""
        if self.subject == FORKS and self.reading is not None:
            return (*beside_forks(self.reading.forks), *self._second())
        own = () if self.measured is None else (*edge_curves(self.measured), *part_curves(self.measured))
        return (*own, *self._recursion(), *self._second())

    def _recursion(self) -> tuple[Series, ...]:
        trace = None if self.reading is None or self.subject else self.reading.trace
        return () if trace is None else self.drawn_theory(sharpness_points(trace), of_loss=False)

    def gap(self, trace: Trace) -> str:
        """Of λ."""
        theory = None if self.subject else self.theory()
        return "" if theory is None else theory.gap(sharpness_points(trace), of_loss=False)

    def _second(self) -> tuple[Series, ...]:
        reading = self.reading
        if reading is None or reading.trace is None or not (name := beside(reading)):
            return ()
        points = points_of(reading, reading.trace, name, reading.second)
        return (Series(*points, "curve-2", "2", letter="2"),) if points[0].size else ()

    @property
    def y_log(self) -> bool:
        """As the look says; of anything but λ as it is registered, until a key turns it."""
        if not self.subject:
            return self.look.ratio_log
        if self.subject == FORKS:
            return self.subject not in self._turned
        log = self.measured is not None and is_drawn_log(self.subject)
        if self.measured is not None and self.reading is not None and is_recorded(self.reading):
            log = starts_log(self.measured)
        return log != (self.subject in self._turned)

    def hlines(self, values: Floats) -> tuple[HLine, ...]:
        """The edge; of plain gradient descent 4/η too, where the sharpness comes near: it would squeeze the curve."""
        if self.reading is None or self.reading.trial is None:
            return ()
        if self.subject == ACCURACY:
            return threshold_lines(self.reading)
        if self.subject == FORKS:
            return _rate_lines(self.reading.trial)
        if self.subject and not _has_edge_of_sharpness(self.subject):
            return () if self.measured is None else edge_hlines(self.measured)
        lines = edge_lines(self.reading.trial)
        finite = values[np.isfinite(values)]
        near = finite.size and finite.max() > 2.5 / self.reading.trial.eta
        return lines if near else lines[:1]

    def said(self, step: Floats, values: Floats) -> str:
        """Of forks, how η*(t) compares with the edge."""
        if self.subject == FORKS and self.reading is not None:
            return fork_words(self.reading.forks)
        return super().said(step, values)

    def nothing(self) -> str:
        """There may be no step yet, or it may not have been asked for."""
        if self.subject == FORKS:
            return "no fork of this net has an η*(t) yet"
        return no_sharpness(self.reading)


def is_drawn_log(measure: str) -> bool:
    """Whether a measure is drawn on a log axis; one whose package is not installed here is not."""
    try:
        return MEASURES[measure].log
    except UnknownNameError:
        return False


def _has_edge_of_sharpness(measure: str) -> bool:
    """Whether the edge of a measure is that of λ."""
    return measure in MEASURES.ours and MEASURES[measure].edge == "sharpness"


def edge_lines(trial: TrialRow) -> tuple[HLine, ...]:
    """The edge of a trial where it has one; of plain gradient descent 4/η too, where catapults end in theory."""
    if trial.edge is None:
        return ()
    edges = (trial.edge, 4.0) if trial.edge == 2.0 and trial.schedule is None else (trial.edge,)
    return tuple(
        HLine(edge / trial.eta, f"{edge_name(edge, trial.schedule)} {number(edge / trial.eta)}") for edge in edges
    )


def _rate_lines(trial: TrialRow) -> tuple[HLine, ...]:
    """The rate of the trial among those of forks."""
    return (HLine(trial.eta, f"η {number(trial.eta)}"),)


def _part(sight: Sight) -> str:
    return "" if sight.window is None else f"  steps {whole(sight.window[0])} to {whole(sight.window[1])}, 0 shows all"
