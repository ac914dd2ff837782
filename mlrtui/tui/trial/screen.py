"""Trial: one trial in full, with a cursor that both charts share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.choices import among, beyond
from mlrtui.tui.curves import peak_of
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.state import Reading, knows_cell, knows_trial
from mlrtui.tui.tables import Table, measured_tables, steps_table
from mlrtui.tui.trial import cursor as moving
from mlrtui.tui.trial.charts import LossView, SharpnessView, TrialChart, axis_end
from mlrtui.tui.trial.cursor import Sight
from mlrtui.tui.trial.facts import ReadOut, SettingsPane, TrialFacts, neighbours
from mlrtui.tui.trial.quantities import next_name, quantities
from mlrtui.tui.trial.solvable import recursion
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.pointing import PointedPane

__all__ = ["TrialScreen"]


class TrialScreen(PanesScreen, inherit_bindings=False):
    """Over Live; esc goes back to it. The trial is the one that the app looks at."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("trial")]  # noqa: RUF012
    PANES = ("loss", "sharpness", "settings", "facts")

    def __init__(self) -> None:
        super().__init__()
        self.sight = Sight()

    def compose(self) -> ComposeResult:
        """Header, facts and charts, what is stored, the numbers at the cursor, footer."""
        yield Header(self.look, "1 Live › Trial")
        with Container(id="body"):
            with Container(id="main", classes="column"):
                yield TrialFacts(self.look)
                yield LossView(self.look)
                yield SharpnessView(self.look)
            with Container(id="side", classes="column"):
                yield SettingsPane(self.look)
        yield ReadOut(self.look)
        yield Footer(self.look, "trial")

    @property
    def chart(self) -> TrialChart:
        """The chart that keys act on."""
        return self.query_one(SharpnessView if self._current == "sharpness" else LossView)

    def show(self, reading: Reading | None) -> None:
        """Hand a reading to every widget, and the axis to the read-out once the charts have their size."""
        self._share()
        super().show(reading)

    def tables(self) -> Sequence[Table]:
        """Every step."""
        return (steps_table(self.owner.reading), *measured_tables(self.owner.reading))

    def trials(self) -> Sequence[int]:
        """This trial."""
        reading = self.owner.reading
        return () if reading is None or reading.trial_id is None else (reading.trial_id,)

    def choices(self) -> dict[str, str]:
        """The cursor's step and the visible steps."""
        found = super().choices() | ({} if self.sight.step is None else {"step": str(self.sight.step)})
        return found | ({} if self.sight.window is None else {"window": ":".join(map(repr, self.sight.window))})

    def choose(self, choices: Mapping[str, str]) -> None:
        """Cursor and visible steps."""
        super().choose(choices)
        self.sight = moving.sight_of(choices)

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """What the trial has values of, and steps."""
        if reading.trial is None:
            return {}
        known, trace = quantities(reading), reading.trace
        steps = beyond(choices, -1 if trace is None else trace.last_step, axis_end(reading))
        return among(choices, {"measure": known, "beside": known}) | steps

    def waits(self, key: Key) -> bool:
        """The cursor waits for its curve, the neighbours in η for the trials of the cell."""
        reading, wanted = self.owner.reading, self.owner.wanted
        if key.id in ("trial_previous", "trial_next"):
            return reading is None or not knows_cell(reading, wanted)
        on_curve = key.action.startswith(("move", "step", "end", "zoom_x", "peak"))
        return on_curve and (reading is None or not knows_trial(reading, wanted))

    def on_resize(self) -> None:
        """Columns hold other steps on another width."""
        self.call_after_refresh(lambda: self._see(self.sight))  # keys may have moved it until then

    def action_move(self, dx: int, dy: int) -> None:
        """The cursor by columns of the chart; up and down scroll what is stored."""
        if dy:
            self.query_one(SettingsPane).move(0, dy)
        reading = self.owner.reading
        if dx and reading is not None and reading.trace is not None:
            chart = self.chart
            axis, dots = chart.axis()
            points = chart.points(reading.trace)
            end = axis_end(reading)
            self._see(moving.by_column(reading.trace, points, self.sight, dx, axis, dots, end))

    def action_step(self, count: int) -> None:
        """The cursor by stored steps."""
        reading = self.owner.reading
        if reading is not None and reading.trace is not None:
            self._see(moving.by_step(reading.trace, self.sight, count, axis_end(reading)))

    def action_end(self, last: bool) -> None:
        """The cursor to the first or last step."""
        reading = self.owner.reading
        if reading is not None and reading.trace is not None:
            self._see(moving.at_end(reading.trace, self.sight, last, axis_end(reading)))

    def action_peak(self) -> None:
        """The cursor to the peak of the chart that has the focus."""
        reading = self.owner.reading
        if reading is None or reading.trace is None:
            return
        step, values = self.chart.points(reading.trace)
        peak = peak_of(values)
        if peak is not None:
            self._see(moving.at_step(self.sight, float(step[peak]), axis_end(reading)))

    def action_measure(self) -> None:
        """The next quantity that is stored of this trial, then the first again."""
        reading, wanted = self.owner.reading, self.owner.wanted
        if reading is not None and self._has_more(reading):
            self.owner.want(replace(wanted, measure=next_name(reading)))

    def action_beside(self) -> None:
        """Another quantity on the same axis, then none."""
        reading, wanted = self.owner.reading, self.owner.wanted
        if reading is not None and self._has_more(reading):
            self.owner.want(replace(wanted, beside=next_name(reading, second=True)))

    def _has_more(self, reading: Reading) -> bool:
        """Whether there is anything else to draw; says so where there is not."""
        more = len(quantities(reading)) > 1
        if not more and reading.wanted == self.owner.wanted:
            self.owner.say("nothing else is stored along this trial")
        return more or reading.wanted != self.owner.wanted

    def action_theory(self) -> None:
        """Closed forms beside what was measured, or what was measured alone."""
        self.owner.change(theory=not self.look.theory)
        reading = self.owner.reading
        if not self.look.theory or reading is None or reading.trace is None or reading.details is None:
            return
        if recursion(reading.details, reading.trace) is None:
            self.owner.say("no closed form is known for this training")

    def action_time(self) -> None:
        """The step axis in η·t, or in steps."""
        self.owner.change(physical=not self.look.physical)

    def action_zoom_x(self, factor: float) -> None:
        """Fewer or more steps around the cursor; 0 shows all."""
        reading = self.owner.reading
        if reading is None or reading.trace is None:
            return
        at = moving.place(reading.trace, self.sight)
        if not factor or at is None:
            self._see(replace(self.sight, window=None))
        else:
            centre = float(reading.trace.step[at])
            self._see(moving.zoomed(self.sight, centre, factor, self.look.x_log, axis_end(reading)))

    @on(PointedPane.Wheeled)
    def zoom_by_wheel(self, event: PointedPane.Wheeled) -> None:
        """Fewer or more steps around the pointer; the cursor stays where it is."""
        reading = self.owner.reading
        if reading is not None and reading.trace is not None:
            self._see(moving.zoomed(self.sight, event.step, event.factor, self.look.x_log, axis_end(reading)))

    def action_trial(self, step: int) -> None:
        """The same net at the next smaller or larger learning rate; the cursor stays where it is."""
        reading = self.owner.reading
        other = None if reading is None else neighbours(reading, self.owner.wanted.trial_id)[step > 0]
        if other is not None:
            self.owner.want(replace(self.owner.wanted, cell_id=other.cell_id, trial_id=other.trial_id))

    def action_log_x(self) -> None:
        """Both charts share their step axis."""
        self.owner.change(x_log=not self.look.x_log)

    def action_log_y(self) -> None:
        """The chart that has the focus."""
        below = self.query_one(SharpnessView)
        if self._current == "sharpness" and below.subject:
            below.turn_scale()
        elif self._current == "sharpness":
            self.owner.change(ratio_log=not self.look.ratio_log)
        else:
            self.owner.change(loss_log=not self.look.loss_log)

    def action_open(self) -> None:
        """The focused pane alone, and back."""
        self.action_zoom()

    def leave(self) -> None:
        """To Live below it."""
        self.owner.close_trial()

    def focus_pane(self, name: str) -> None:
        """The pane with what is stored takes the place of the charts where both do not fit."""
        self.set_class(name == "settings", "-aside")
        super().focus_pane(name)
        self._see(self.sight)

    def _see(self, sight: Sight) -> None:
        """Move cursor and window; one batch is one write to the terminal."""
        self.sight = sight
        self._share()
        with self.app.batch_update():
            for chart in self.query(TrialChart):
                chart.update_rows()
            self.query_one(ReadOut).update_rows()

    def _share(self) -> None:
        chart, read_out = self.chart, self.query_one(ReadOut)
        for other in self.query(TrialChart):
            other.sight = self.sight
        read_out.sight, read_out.on_sharpness = self.sight, self._current == "sharpness"
        read_out.points = (
            None if chart.reading is None or chart.reading.trace is None else chart.points(chart.reading.trace)
        )
        read_out.subject = chart.subject
        read_out.axis = chart.axis() if chart.reading is not None and chart.size.width else None
