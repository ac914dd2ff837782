"""Live: one sweep as a grid, the trials of a cell, the curves of a trial."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.tui.keymap import bindings
from mlrtui.tui.screens.panes import PanesScreen
from mlrtui.tui.state import GRID_VALUES, Mark
from mlrtui.tui.widgets.charts import LossChart, LowerChart
from mlrtui.tui.widgets.header import Header
from mlrtui.tui.widgets.lists import EventList, FitsPane, Footer, StatusLine
from mlrtui.tui.widgets.sweep_grid import SweepGrid
from mlrtui.tui.widgets.trial_table import TrialTable

__all__ = ["LiveScreen"]


class LiveScreen(PanesScreen, inherit_bindings=False):
    """The screen of a running sweep, and of a finished one."""

    CSS_PATH = "live.tcss"
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
        yield Footer(self.look, "live")

    @on(SweepGrid.Chosen)
    def choose_cell(self, event: SweepGrid.Chosen) -> None:
        """Look at a cell; which of its trials is up to the feed."""
        self.owner.want(replace(self.owner.wanted, cell_id=event.cell_id, trial_id=None))

    @on(TrialTable.Chosen)
    def choose_trial(self, event: TrialTable.Chosen) -> None:
        """Look at a trial, and stay in its cell."""
        reading = self.owner.reading
        if reading is not None and reading.snapshot is not None:
            self.owner.want(replace(self.owner.wanted, cell_id=reading.snapshot.cell_id, trial_id=event.trial_id))

    def action_trial(self, step: int) -> None:
        """The neighbouring trial."""
        self.query_one(TrialTable).move(0, step)

    def action_open(self) -> None:
        """From the grid to its trials, from a trial or its charts to the Trial screen, else the whole screen."""
        if self._current == "grid":
            self.focus_pane("trials")
        elif self._current in ("trials", "loss", "lower"):
            self.owner.open_trial()
        else:
            self.action_zoom()

    def leave(self) -> None:
        """To the grid, else to Browse."""
        if self._current != "grid":
            self.focus_pane("grid")
        else:
            self.owner.action_page("browse")

    def action_mark(self) -> None:
        """Mark the chosen trial for comparing, or take its mark away."""
        reading = self.owner.reading
        if reading is not None and reading.snapshot is not None and reading.trial_id is not None:
            self.owner.toggle(Mark(reading.wanted.store, reading.snapshot.sweep.sweep_id, reading.trial_id))

    def action_overlay(self) -> None:
        """What is marked, on the same axes."""
        self.owner.action_page("compare")

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.owner.change(marked=())

    def action_boundary(self) -> None:
        """The search of the chosen net; its cell stays chosen."""
        reading = self.owner.reading
        if reading is not None and reading.snapshot is not None and reading.trial is not None:
            cell_id, trial_id = reading.snapshot.cell_id, reading.trial_id
            self.owner.want(replace(self.owner.wanted, cell_id=cell_id, trial_id=trial_id))
        self.owner.action_page("boundary")

    def action_follow(self) -> None:
        """Let the newest trial be shown."""
        self.owner.want(replace(self.owner.wanted, cell_id=None, trial_id=None))

    def action_pause(self) -> None:
        """Stop drawing what comes; on the second press show what came."""
        self.owner.change(paused=not self.look.paused)

    def action_value(self) -> None:
        """The next value of the grid."""
        at = GRID_VALUES.index(self.look.grid_value)
        self.owner.change(grid_value=GRID_VALUES[(at + 1) % len(GRID_VALUES)])

    def action_log_x(self) -> None:
        """Both charts share their step axis."""
        self.owner.change(x_log=not self.look.x_log)

    def action_log_y(self) -> None:
        """The focused chart, else the loss."""
        if self._current == "lower":
            self.owner.change(ratio_log=not self.look.ratio_log)
        else:
            self.owner.change(loss_log=not self.look.loss_log)

    def action_edge(self) -> None:
        """Sharpness in units of its edge, or as it is."""
        self.owner.change(raw_sharpness=not self.look.raw_sharpness)
