"""Live: one sweep as a grid, the trials of a cell, the curves of a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.choices import among
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.live.charts import LossChart, LowerChart
from mlrtui.tui.live.grid import SweepGrid
from mlrtui.tui.live.plane import axis_names, turned
from mlrtui.tui.live.trial_table import TrialTable
from mlrtui.tui.measured import next_measure
from mlrtui.tui.pane_screen import PanesScreen
from mlrtui.tui.state import GRID_VALUES, Mark, Reading, is_recorded, knows_cell, knows_sweep, marked_text
from mlrtui.tui.tables import Table, steps_table, trials_table
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import EventList, FitsPane, Footer, StatusLine
from mlrtui.tui.widgets.typed import Prompt
from mlrtui_db.models import TrialRow

__all__ = ["LiveScreen"]

_ABOUT_TRIALS = ("trial_previous", "trial_next", "mark", "mark_net", "boundary", "find_trial")
_WITH_TRIAL = ("trials", "loss", "lower")  # panes of which enter opens the chosen trial


class LiveScreen(PanesScreen, inherit_bindings=False):
    """The screen of a running sweep, and of a finished one."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("live")]  # noqa: RUF012
    PANES = ("grid", "trials", "loss", "lower", "fits", "events")

    def compose(self) -> ComposeResult:
        """Header, two columns of panes, status, footer."""
        yield Header(self.look, "1 Live")
        with Container(id="body"):
            with Container(id="left", classes="column"):
                yield SweepGrid(self.look)
                yield TrialTable(self.look)
                yield FitsPane(self.look)
                yield EventList(self.look)
            with Container(id="right", classes="column"):
                yield LossChart(self.look)
                yield LowerChart(self.look)
        yield StatusLine(self.look)
        prompt = Prompt(self.look, "find", "a rate, seed 3, or a word such as diverged")
        prompt.display = False  # in place of the status line while something is typed
        yield prompt
        yield Footer(self.look, "live")

    def tables(self) -> Sequence[Table]:
        """Every step of the trial that is drawn, and the trials of the cell."""
        reading = self.owner.reading
        listed = () if reading is None or reading.snapshot is None else reading.snapshot.trials
        return steps_table(reading), trials_table(listed, "trials")

    @classmethod
    def misfits(cls, choices: Mapping[str, str], reading: Reading) -> dict[str, str]:
        """Axes of the grid, and measures of a recorded run."""
        if reading.snapshot is None:
            return {}
        axes = axis_names(reading.snapshot.cells)
        measures = reading.measures if is_recorded(reading) else ()
        return among(choices, {"rows": axes, "columns": axes, "measure": measures})

    def trials(self) -> Sequence[int]:
        """The trial under the cursor."""
        trial = self._chosen()
        return () if trial is None else (trial.trial_id,)

    @property
    def grid(self) -> SweepGrid:
        """The cells, with the cursor that chooses one."""
        return self.query_one(SweepGrid)

    @property
    def table(self) -> TrialTable:
        """The trials of the cell, with the cursor that chooses one."""
        return self.query_one(TrialTable)

    def show(self, reading: Reading | None) -> None:
        """Show a reading, with the cursors where the keys have left them: these may be ahead of it."""
        self._place_cursors()
        super().show(reading)

    def waits(self, key: Key) -> bool:
        """The grid waits for its sweep, the list of trials and what is done to one of them for their cell."""
        reading, wanted = self.owner.reading, self.owner.wanted
        moves = key.action.startswith("move")
        if key.id in _ABOUT_TRIALS or (moves and self._current == "trials") or key.id == self._opens_trial():
            return reading is None or not knows_cell(reading, wanted)
        return moves and (reading is None or not knows_sweep(reading, wanted))

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key; readings follow the cursors."""
        self._place_cursors()
        super().action_move(dx, dy)
        self._want_chosen()

    def action_trial(self, step: int) -> None:
        """The neighbouring trial."""
        self._place_cursors()
        self.table.move(0, step)
        self._want_chosen()

    def action_find(self) -> None:
        """Type what to look for among the trials of the cell; enter on what was typed before goes to the next one."""
        prompt = self.query_one(Prompt)
        prompt.begin()
        self._show_prompt(True)
        self.set_focus(prompt)

    def typed(self, text: str) -> None:
        """The cursor follows every letter."""
        self._find(text, 0)

    async def entered(self, text: str) -> None:
        """Keep the trial that was found; of the same words as before, take the next."""
        prompt = self.query_one(Prompt)
        if text == prompt.text:
            self._find(text, 1)
        if self.table.found(text, 0) is not None:
            prompt.accept()
        else:
            prompt.refuse("no trial of this cell")

    def left(self) -> None:
        """Back to the pane that had the focus; keys are commands again at once."""
        self._show_prompt(False)
        self.set_focus(None)
        self.focus_pane(self._current)

    def _show_prompt(self, shown: bool) -> None:
        self.query_one(Prompt).display = shown
        self.query_one(StatusLine).display = not shown

    def _find(self, text: str, after: int) -> None:
        self._place_cursors()
        found = self.table.found(text, after)
        if found is not None:
            self.table.chosen = found
            self.table.update_rows()
            self._want_chosen()

    @on(SweepGrid.Clicked)
    def choose_cell(self, event: SweepGrid.Clicked) -> None:
        """A cell by the mouse."""
        self.grid.chosen = event.cell_id
        self._want_chosen()

    @on(TrialTable.Clicked)
    def choose_trial(self, event: TrialTable.Clicked) -> None:
        """A trial by the mouse."""
        self.table.chosen = event.trial_id
        self._want_chosen()

    def _place_cursors(self) -> None:
        """On what was chosen last, on whichever screen; else on what was read."""
        reading, wanted = self.owner.reading, self.owner.wanted
        if reading is not None and reading.snapshot is not None:
            self.grid.chosen = reading.snapshot.cell_id if wanted.cell_id is None else wanted.cell_id
            self.table.chosen = reading.trial_id if wanted.trial_id is None else wanted.trial_id

    def _chosen(self) -> TrialRow | None:
        """The trial under the cursor."""
        self._place_cursors()
        return self.table.trial()

    def _want_chosen(self) -> None:
        """Look at the cell under the cursor, and then which trial is up to the feed; or at the trial under it."""
        reading, wanted = self.owner.reading, self.owner.wanted
        if reading is None or reading.snapshot is None:
            return
        cell_id = reading.snapshot.cell_id if wanted.cell_id is None else wanted.cell_id
        trial = self.table.trial()
        if self.grid.chosen != cell_id:
            self.owner.want(replace(wanted, cell_id=self.grid.chosen, trial_id=None))
            return
        trial_id = reading.trial_id if wanted.trial_id is None else wanted.trial_id
        if knows_cell(reading, wanted) and trial is not None and trial.trial_id != trial_id:
            self.owner.want(replace(wanted, cell_id=cell_id, trial_id=trial.trial_id))

    def action_open(self) -> None:
        """From the grid to its trials, from a trial or its charts to the Trial screen, else the whole screen."""
        if self._current == "grid":
            self.focus_pane("trials")
        elif self._current in _WITH_TRIAL:
            self._open_trial()
        else:
            self.action_zoom()

    def leave(self) -> None:
        """To the grid, else to Browse."""
        if self._current != "grid":
            self.focus_pane("grid")
        else:
            self.owner.action_page("browse")

    def action_mark(self) -> None:
        """Mark the trial under the cursor for comparing, or take its mark away."""
        mark = self._mark()
        if mark is not None:
            self.owner.toggle(mark)

    def _mark(self) -> Mark | None:
        """That of the trial under the cursor."""
        reading, trial = self.owner.reading, self._chosen()
        if reading is None or reading.snapshot is None or trial is None:
            return None
        return Mark(reading.wanted.store, reading.snapshot.sweep.sweep_id, trial.trial_id)

    def action_mark_net(self) -> None:
        """Mark the net of the trial under the cursor, or take its mark away."""
        reading, trial = self.owner.reading, self._chosen()
        if reading is not None and reading.snapshot is not None and trial is not None:
            sweep = reading.snapshot.sweep
            if sweep.mode != "search":
                self.owner.say("only a search has nets to compare: space marks the trial")
                return
            mark = Mark(reading.wanted.store, sweep.sweep_id, None, trial.net_id, trial.cell_id)
            self.owner.toggle(mark)
            size = "" if reading.cell is None else f"{reading.cell.size} "
            self.owner.say(marked_text(mark, self.look.marked, f"net {size}seed {trial.seed}"))

    def action_overlay(self) -> None:
        """What is marked, on the same axes; where trials are, with the one under the cursor."""
        mark, marked = self._mark(), self.look.marked
        if mark is not None and mark not in marked and marked and marked[-1].trial_id is not None:
            self.action_mark()
        self.owner.action_page("compare")

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.owner.change(marked=())

    def action_boundary(self) -> None:
        """The search of the chosen net; its cell stays chosen."""
        trial = self._chosen()
        if trial is not None:
            self.owner.want(replace(self.owner.wanted, cell_id=trial.cell_id, trial_id=trial.trial_id))
        self.owner.action_page("boundary")

    def action_follow(self) -> None:
        """Let the trial whose steps moved last be shown."""
        self.owner.follow()
        self.show(self.owner.reading)  # no reading comes where nothing else was wanted for long enough to be read

    def _opens_trial(self) -> str:
        """The key that opens a trial, where the current pane has one."""
        return "open" if self._current in _WITH_TRIAL else ""

    def _open_trial(self) -> None:
        trial = self._chosen()
        if trial is not None:
            self.owner.open_trial(trial)

    def action_pause(self) -> None:
        """Stop drawing what comes; on the second press show what came."""
        self.owner.change(paused=not self.look.paused)

    def action_value(self) -> None:
        """The next value of the grid."""
        at = GRID_VALUES.index(self.look.grid_value)
        value = GRID_VALUES[(at + 1) % len(GRID_VALUES)]
        if (value == "time") != self.owner.wanted.seconds:
            self.owner.want(replace(self.owner.wanted, seconds=value == "time"))
        self.owner.change(grid_value=value)

    def action_axis(self, at: int) -> None:
        """Another axis downwards (0) or to the right (1)."""
        reading = self.owner.reading
        if reading is not None and reading.snapshot is not None:
            self.owner.change(grid_axes=turned(reading.snapshot.cells, self.look.grid_axes, at))

    def action_log_x(self) -> None:
        """Both charts share their step axis."""
        self.owner.change(x_log=not self.look.x_log)

    def action_log_y(self) -> None:
        """The focused chart, else the loss."""
        if self._current == "lower":
            self.owner.change(ratio_log=not self.look.ratio_log)
        else:
            self.owner.change(loss_log=not self.look.loss_log)

    def action_measure(self) -> None:
        """The next measure of a recorded run."""
        reading, wanted = self.owner.reading, self.owner.wanted
        if reading is not None and is_recorded(reading):
            now = "" if reading.measured is None else reading.measured.measure
            self.owner.want(replace(wanted, measure=next_measure(now, reading.measures, recorded=True)))

    def action_edge(self) -> None:
        """Sharpness in units of its edge, or as it is."""
        self.owner.change(raw_sharpness=not self.look.raw_sharpness)
