"""The panes of Compare for trials: their curves on the same axes, and the table of what differs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlrtui.charts.reference import gutter_width
from mlrtui.charts.spec import Axis, ChartSpec, Floats, HLine, Series
from mlrtui.charts.ticks import limits
from mlrtui.text.lines import Line, Run, centred, clean
from mlrtui.text.numbers import number, whole
from mlrtui.text.phrases import no_sharpness
from mlrtui.tui.clocks import time_names, times
from mlrtui.tui.compare.differences import LETTERS, Difference, curve_name, result_rows, setting_rows
from mlrtui.tui.compare.table import Differences, DifferenceTable, role_of
from mlrtui.tui.curves import loss_points, missed_words, not_converged, ratio_points
from mlrtui.tui.edges import Rates, edge_name, ratio_name, stored_edge, stored_rates
from mlrtui.tui.measured import asked_every
from mlrtui.tui.state import Compared, Look, Reading
from mlrtui.tui.trial.cursor import Sight, place
from mlrtui.tui.widgets.pointing import PointedPane

__all__ = ["Overlay", "TrialTable"]

_NOTHING = "nothing is marked: space marks a trial in Live, a net in Boundary, a sweep in Browse; = compares"


class Overlay(PointedPane):
    """The losses, or λ over its edge, of all that is compared."""

    def __init__(self, look: Look, id: str) -> None:
        super().__init__(look, id=id, classes="pane chart")
        self.sight = Sight()
        self.axis_of_groups = ""  # a setting that differs: curves of one value share a colour
        self._caption: Line = ()

    def title(self) -> Line:
        """What is drawn."""
        if self.id == "loss":
            return (("loss", "title"), *self._legend())
        return ((f"{self._ratio()}, edge at 1", "title"), (self._missed(), "dim"))

    def _groups(self) -> Difference | None:
        """The setting by which curves are coloured."""
        if not self.axis_of_groups:
            return None
        rows = setting_rows(() if self.reading is None else self.reading.compared)
        return next((row for row in rows if row.name == self.axis_of_groups and row.differs), None)

    def _legend(self) -> Line:
        """Which letters have which value, each group in its colour."""
        groups = self._groups()
        if groups is None:
            return ()
        runs: list[Run] = [(f"  by {clean(groups.name)}:", "dim")]
        for order, value in enumerate(dict.fromkeys(groups.values)):
            letters = "".join(letter for letter, one in zip(LETTERS, groups.values, strict=False) if one == value)
            runs.append((f" {letters} {clean(value)}", role_of(order)))
        return tuple(runs)

    def _roles(self, curves: int) -> list[str]:
        """Of each curve: that of its group, where there are groups."""
        groups = self._groups()
        if groups is None:
            return [role_of(order) for order in range(curves)]
        known = [*dict.fromkeys(groups.values)]
        return [role_of(known.index(value)) for value in groups.values]

    def caption(self) -> Line:
        """The values at the pointer, else at the cursor."""
        return self.pointer() or self._caption

    @property
    def y_log(self) -> bool:
        """As the look says."""
        return self.look.loss_log if self.id == "loss" else self.look.ratio_log

    def points(self, one: Compared) -> tuple[Floats, Floats]:
        """Steps and values [points] of one curve."""
        if self.id == "loss":
            return loss_points(one.trace)
        if one.measured is not None:
            return one.measured.ratios
        edge = stored_edge(one.details)
        if edge is None:
            return np.empty(0), np.empty(0)
        return ratio_points(one.trace, stored_rates(one.details), edge)

    def hollow(self, one: Compared) -> NDArray[np.bool_] | None:
        """Which points of a curve missed their tolerance, [points]; None: none can."""
        return None if self.id == "loss" or one.measured is not None else not_converged(one.trace)

    def _missed(self) -> str:
        found = [self.hollow(one) for one in (() if self.reading is None else self.reading.compared)]
        known = [hollow for hollow in found if hollow is not None]
        words = missed_words(np.concatenate(known), self.look.marks.ascii_only) if known else ""
        return f"  {words}" if words else ""

    def _ratio(self) -> str:
        """λη/2 where all that is compared has this edge."""
        edges = self._edges()
        compared = () if self.reading is None else self.reading.compared
        names = {one.measured.measure for one in compared if one.measured is not None}
        if names:
            return f"{clean(', '.join(sorted(names)))} over the edge of each step"
        return ratio_name(*edges) if len(edges) == 1 else "λ over its edge"

    def _edge(self) -> HLine:
        edges = self._edges()
        return HLine(1.0, f"{edge_name(next(iter(edges))) if len(edges) == 1 else 'edge'} 1")

    def left_cells(self) -> int:
        """Cells of the left margin: the same for both charts."""
        return gutter_width((self._edge(),), self.look.marks.ascii_only)

    def _edges(self) -> set[float]:
        compared = () if self.reading is None else self.reading.compared
        return {edge for one in compared if (edge := stored_edge(one.details)) is not None} or {2.0}

    def axis(self) -> tuple[Axis, int]:
        """The step axis as it is drawn, and how many dot columns it has."""
        width = max(self.size.width - 2 - self.left_cells() - 1, 1)
        dots = width if self.look.marks.ascii_only else 2 * width
        return Axis(0.0, self._end(), self.look.x_log), dots

    def _clock(self, one: Compared, steps: Floats) -> Floats:
        """Steps [points] by the clock of the first curve: where its own η·t is the same."""
        assert self.reading is not None
        own, first = stored_rates(one.details), stored_rates(self.reading.compared[0].details)
        return times(own, steps) / (first.eta or 1.0)

    def _end(self) -> float:
        """The end of the axis: the last step of the longest curve, or the same in η·t."""
        compared = () if self.reading is None else self.reading.compared
        if not self.look.physical or not compared:
            return _end(self.reading)
        return max(1.0, *(float(self._clock(one, np.array([float(one.trace.last_step)]))[0]) for one in compared))

    def _x_names(self, width: int) -> tuple[tuple[float, str], ...]:
        if not self.look.physical or self.reading is None or not self.reading.compared:
            return ()
        first = Rates(stored_rates(self.reading.compared[0].details).eta)  # the axis is in its steps at the peak rate
        return time_names(first, self.axis()[0], width - self.left_cells() - 1)

    def _at(self, first: Compared, step: float) -> str:
        """Where the cursor stands, in words."""
        if not self.look.physical:
            return f"step {whole(step)}"
        return f"η·t {number(float(times(stored_rates(first.details), np.array([step]))[0]))}"

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The curves, each with its letter along it."""
        self._caption = ()
        compared = () if self.reading is None else self.reading.compared
        if not compared:
            return centred(_NOTHING, width, height)
        curves = [self.points(one) for one in compared]
        hollow = [self.hollow(one) if step.size else None for one, (step, _) in zip(compared, curves, strict=True)]
        hlines = () if self.id == "loss" else (self._edge(),)
        if not sum(step.size for step, _ in curves):
            return centred(_no_points(compared, self.id == "loss"), width, height)
        if self.look.physical:
            curves = [(self._clock(one, step), values) for one, (step, values) in zip(compared, curves, strict=True)]
        everything = np.concatenate([*(values for _, values in curves), [hline.value for hline in hlines]])
        roles = self._roles(len(compared))
        at, cursor = place(compared[0].trace, self.sight), None
        if at is not None:
            step = float(compared[0].trace.step[at])
            cursor = float(self._clock(compared[0], np.array([step]))[0]) if self.look.physical else step
            self._caption = _values(curves, roles, cursor, self._at(compared[0], step), in_time=self.look.physical)
        spec = ChartSpec(
            series=tuple(
                Series(at_steps, values, role, letter, missed, letter)
                for (at_steps, values), role, letter, missed in zip(curves, roles, LETTERS, hollow, strict=False)
            ),
            x_end=self._end(),
            x_names=self._x_names(width),
            x_log=self.look.x_log,
            y_log=self.y_log,
            y_limits=limits(everything, self.y_log),
            hlines=hlines,
            gutter=self.left_cells(),
            cursor=cursor,
        )
        return self.drawn(spec, width, height)


class TrialTable(DifferenceTable):
    """Settings and results of the trials."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, "table")

    def made(self) -> Differences:
        """Of the curves."""
        compared = () if self.reading is None else self.reading.compared
        return Differences(
            tuple(map(curve_name, compared)), tuple(setting_rows(compared)), tuple(result_rows(compared))
        )


def _values(
    curves: Sequence[tuple[Floats, Floats]], roles: Sequence[str], cursor: float, where: str, *, in_time: bool
) -> Line:
    """What each curve says at the cursor's step, or at the first step after the same time."""
    runs: list[Run] = [(where, "")]
    for (step, values), role, letter in zip(curves, roles, LETTERS, strict=False):
        at = int(np.searchsorted(step, cursor * (1.0 - 1e-9)))  # times of equal steps may differ by rounding
        value = float(values[at]) if at < step.size and (in_time or step[at] == cursor) else None
        runs += [(" · ", "dim"), (letter, role), (f" {number(value, 4)}", "")]
    return tuple(runs)


def _no_points(compared: Sequence[Compared], loss: bool) -> str:
    """Why there is nothing to draw; with the letters of the trials where they have not the same reason."""
    reasons = ["no step stored yet" if loss else _no_ratio(one) for one in compared]
    if len(set(reasons)) == 1:
        return reasons[0]
    return " · ".join(f"{LETTERS[order]} {reason}" for order, reason in enumerate(reasons))


def _no_ratio(one: Compared) -> str:
    steps, trial = one.trace.step.size, dict(one.details.trial)
    if steps and stored_edge(one.details) is None:
        return "its optimizer or operator has no edge"
    every = asked_every(str(dict(one.details.sweep).get("spec", "{}")))
    return no_sharpness(steps, every, trial.get("status") not in ("queued", "running"))


def _end(reading: Reading | None) -> float:
    """The last step of the longest curve."""
    compared = () if reading is None else reading.compared
    return float(max((one.trace.last_step for one in compared), default=1) or 1)
